"""Frames in JPEG Baseline, masked in their coded blocks: those that a mask touches hold one value, all others stay.

What is decoded to be coded again loses something, and twice as much room without loss; here, nothing outside the blocks
changes by a bit. Where an object's frames cannot be masked so, they have no Coding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels import turbojpeg
from deid.pixels.codestream import ADOBE, APPLICATIONS, JFIF, header_of, without_comments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.detector import Mask
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image
    from deid.pixels.segments import Segments
    from deid.pixels.turbojpeg import Blocks

BASELINE: Final = "1.2.840.10008.1.2.4.50"
_TABLES, _BASELINE_FRAME = 0xDB, 0xC0
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SIZE: Final = 8  # of a block, in samples
_SHARED: Final = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})  # pixels of one colour
_LETTERS: Final = frozenset({b"RGB", b"rgb"})  # as identifiers of the components
_MIDDLE: Final = 128


@dataclass(frozen=True, slots=True)
class Coding:
    """How a frame is coded, as far as all frames of an object have to be alike."""

    size: tuple[int, int]  # rows and columns
    sampling: tuple[tuple[int, int], ...]  # horizontal and vertical, of each component
    photometric: str  # of the components: RGB or YBR_FULL; that of the object where there is only one

    @property
    def cell(self) -> tuple[int, int]:
        """Columns and rows of pixels that can only be masked together: an MCU."""
        across, down = self.sampling[0]
        return _SIZE * across, _SIZE * down

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of blocks of each component."""
        (width, height), (rows, columns) = self.cell, self.size
        return [
            (math.ceil(rows * down / height), math.ceil(columns * across / width)) for across, down in self.sampling
        ]

    def touched(self, mask: Mask) -> list[Mask]:
        """For each component, the blocks that show anything of what is masked."""
        width, height = self.cell
        units = np.logical_or.reduceat(mask, np.arange(0, self.size[0], height), axis=0)
        units = np.logical_or.reduceat(units, np.arange(0, self.size[1], width), axis=1)
        return [
            units.repeat(down, axis=0).repeat(across, axis=1)[:rows, :columns]
            for (across, down), (rows, columns) in zip(self.sampling, self.shapes, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Header:
    """What a frame says before its first scan."""

    coding: Coding
    steps: tuple[bytes, ...]  # of quantisation, for each component 64


def coding_of(content: bytes, image: Image) -> Coding | None:
    """How a frame is coded; None where it cannot be masked in its blocks, for want of libturbojpeg as well."""
    if (image.allocated, image.stored, image.signed) != (8, 8, False) or turbojpeg.installed() is None:
        return None
    header = _header_of(content, image.photometric)
    if header is None:
        return None
    coding = header.coding
    fits = coding.size == (image.rows, image.columns) and len(coding.sampling) == image.samples
    return coding if fits else None


def decode(content: bytes, coding: Coding) -> Frame:
    """The samples, rows x columns [x 3], in the colours that are coded. Raises Rejected for a damaged frame."""
    across, down = coding.sampling[0]
    rows, columns = coding.size
    coarse = math.ceil(rows / down), math.ceil(columns / across)
    fine = coarse[0] * down, coarse[1] * across
    first, *others = turbojpeg.planes(content, coding.size, [fine, *[coarse] * (len(coding.sampling) - 1)])
    wide = [first, *(cv2.resize(plane, fine[::-1]) for plane in others)]
    return np.ascontiguousarray((cv2.merge(wide) if others else first)[:rows, :columns])


def masked(content: bytes, coding: Coding, touched: Sequence[Mask], fill: NDArray[Any]) -> bytes:
    """The frame with all touched blocks filled, and without comments. Raises Rejected for a damaged one."""
    made = turbojpeg.with_coefficients(content, coding.size, _expected(content, coding, touched, fill))
    ours, scans = header_of(made)
    # The library writes JFIF and Adobe as it sees fit, which changes the colours of a frame that has neither.
    theirs = [segment for marker, segment in header_of(without_comments(content))[0] if marker in APPLICATIONS]
    kept = [segment for marker, segment in ours if marker not in APPLICATIONS]
    return b"".join((made[:2], *theirs, *kept, made[scans:]))


def is_masked(written: bytes, content: bytes, coding: Coding, touched: Sequence[Mask], fill: NDArray[Any]) -> bool:
    """Whether a written frame is the other one with nothing changed but touched blocks, to the bit of a coefficient."""
    before, after = (_header_of(each, coding.photometric) for each in (content, written))
    markers = [
        [segment for marker, segment in header_of(without_comments(each))[0] if marker in APPLICATIONS]
        for each in (content, written)
    ]
    if before != after or markers[0] != markers[1] or without_comments(written) != written:
        return False
    expected = _expected(content, coding, touched, fill)
    return all(map(np.array_equal, turbojpeg.coefficients(written, coding.size, coding.shapes), expected))


def _expected(content: bytes, coding: Coding, touched: Sequence[Mask], fill: NDArray[Any]) -> list[Blocks]:
    """The blocks of a frame, masked: all coefficients 0 but the first, which is the mean."""
    header = _header_of(content, coding.photometric)
    if header is None or header.coding != coding:
        raise Rejected("a JPEG frame is not coded as the others are")
    blocks = turbojpeg.coefficients(content, coding.size, coding.shapes)
    for component, there, steps, value in zip(blocks, touched, header.steps, np.atleast_1d(fill), strict=True):
        component[there] = 0
        component[there, 0] = _mean(int(value), steps[0])
    return blocks


def _mean(value: int, step: int) -> int:
    """The first coefficient of a block of one value, rounded away from the middle, so that black is black."""
    exact = (value - _MIDDLE) * _SIZE / step
    return math.floor(exact) if exact < 0 else math.ceil(exact)


def _header_of(content: bytes, photometric: str) -> _Header | None:
    """None for what is no baseline, and for what hardly anybody writes: other components finer than the first."""
    segments, scans = header_of(content)
    tables = _tables_of(segments)
    frames = [(marker, segment[4:]) for marker, segment in segments if marker in _FRAMES]
    if content[scans : scans + 2] != b"\xff\xda" or content.find(b"\xff\xdb", scans) >= 0:
        return None  # steps that change between scans would be known to the library alone
    if [marker for marker, _ in frames] != [_BASELINE_FRAME]:
        return None
    ((_, frame),) = frames
    count = frame[5] if len(frame) > 5 else 0
    if count not in (1, 3) or len(frame) != 6 + 3 * count or frame[0] != 8:
        return None
    identifiers, factors, selectors = (frame[6 + part :: 3] for part in range(3))
    # Blocks of a component that stands alone are in no MCU, whatever it says (ITU-T T.81 A.2.2).
    sampling = tuple((factor >> 4, factor & 15) for factor in factors) if count > 1 else ((1, 1),)
    if sampling[0] not in _SHARED or set(sampling[1:]) - {(1, 1)} or not set(selectors) <= tables.keys():
        return None
    if count > 1:
        photometric = _colours_of(segments, identifiers, photometric)
    size = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    return _Header(Coding(size, sampling, photometric), tuple(tables[each] for each in selectors))


def _tables_of(segments: Segments) -> dict[int, bytes]:
    """The steps of quantisation by number; those of 16 bits, which are no baseline, are left out (T.81 B.2.4.1)."""
    values = b"".join(segment[4:] for marker, segment in segments if marker == _TABLES)
    tables: dict[int, bytes] = {}
    while values and values[0] < 4 and len(values) > 64:
        tables[values[0]], values = values[1:65], values[65:]
    return {} if values else tables


def _colours_of(segments: Segments, identifiers: bytes, photometric: str) -> str:
    """RGB or YBR_FULL: as decoders of JPEG tell it, and where nothing in the frame tells, as the object says."""
    found = dict(segments)
    adobe = found.get(ADOBE, b"")
    if found.get(JFIF, b"")[4:9] == b"JFIF\0":
        return "YBR_FULL"
    if adobe[4:9] == b"Adobe" and len(adobe) >= 16:
        return "YBR_FULL" if adobe[15] else "RGB"
    return "RGB" if identifiers in _LETTERS or photometric == "RGB" else "YBR_FULL"
