"""Stored values as pictures of 8 bits in which text can be seen, however faint it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels.bits import stored_bits, unused_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.frames import Frame
    from deid.pixels.image import Image
    from deid.pixels.palette import Palette

    Picture = NDArray[np.uint8]

_NARROW: Final = 64  # grey levels; text between fewer of them is hardly seen, though a window may show it
_FEW: Final = 256  # values: hardly two of them share one of 8 bits
_WIDEST: Final = 1 / 4  # of all values that occur: a gap counts no more
_GAPS: Final = 64  # that count where there are too many: the values of metal are scattered
_MOST_COUNTED: Final = 1 << 16


def seen(frame: Frame, image: Image, palette: Palette | None) -> Frame:
    """What a person sees: colours as rows x columns x 3 of 8 bits, grey as the stored values."""
    frame = stored_bits(frame, image)
    if palette is not None:
        return palette.colours(frame)
    if image.samples == 3:
        return _colour(frame, image)
    if image.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise Rejected("the photometric interpretation is none that can be looked at")
    return frame


def unseen(frame: Frame, image: Image, palette: Palette | None) -> Frame | None:
    """What a frame says and nobody is shown: in bits beside the stored ones, or in values of one colour."""
    bits = unused_bits(frame, image)
    if palette is None or not palette.hides(stored_bits(frame, image)):
        return bits
    return frame


def pictures(frame: Frame) -> list[Picture]:
    """Renderings of what is seen, rows x columns x 3 each; text has to be found in any of them."""
    if frame.ndim > 2:
        return [frame]
    if frame.dtype == np.uint8 and int(frame.max()) - int(frame.min()) >= _NARROW:
        return [_grey(frame)]
    return [_grey(shades) for shades in _shades(frame)]


def _colour(frame: Frame, image: Image) -> Picture:
    frame = frame.view(f"u{frame.dtype.itemsize}")  # colours have no sign, whatever the object says
    if frame.dtype != np.uint8:
        values, places, _ = _values(frame)
        frame = _near(values)[places]
    if image.photometric in ("YBR_FULL", "YBR_FULL_422"):
        luminance, blue, red = cv2.split(frame)
        return np.asarray(cv2.cvtColor(cv2.merge((luminance, red, blue)), cv2.COLOR_YCrCb2RGB), np.uint8)
    return np.ascontiguousarray(frame)


def _grey(shades: Picture) -> Picture:
    return np.repeat(shades[:, :, None], 3, axis=2)


def _shades(frame: Frame) -> list[Picture]:
    """Grey by value, outliers drawn near; and grey by rank among the pixels.

    A window shows what its author wanted to be seen; these show each step between two values, outliers or not.
    """
    values, places, counts = _values(frame)
    by_value = _near(values)
    if len(values) <= _FEW:
        return [by_value[places]]
    by_pixel = ((np.cumsum(counts) - counts / 2) * (255.0 / frame.size)).astype(np.uint8)
    return [by_value[places], by_pixel[places]]


def _near(values: NDArray[Any]) -> Picture:
    """A shade for each of the values that occur, in their order: from one to the next a step, and more after a gap.

    By rank alone text would be as bright as the brightest noise; by value alone an outlier makes all others black.
    """
    gaps = np.diff(values.astype(np.float64))
    more = np.clip(gaps / np.median(gaps) - 1, 0, len(values) * _WIDEST) if len(gaps) else gaps
    if len(more) > _GAPS and more.sum() > len(values):
        more[np.argpartition(more, -_GAPS)[:-_GAPS]] = 0
    more *= min(1.0, len(values) / max(1.0, float(more.sum())))
    steps = np.concatenate(([0.0], np.cumsum(1 + more)))
    return (steps * (255 / max(1.0, float(steps[-1])))).astype(np.uint8)


def _values(frame: Frame) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The values that occur, for each pixel the index of its value, and how often each occurs."""
    lowest = int(frame.min())
    if int(frame.max()) - lowest >= _MOST_COUNTED:
        values, places, counts = np.unique(frame, return_inverse=True, return_counts=True)
        return values, places.reshape(frame.shape), counts
    above = frame.astype(np.int64) - lowest
    counts = np.bincount(above.ravel())
    there = np.flatnonzero(counts)
    index = np.zeros(len(counts), np.int64)
    index[there] = np.arange(len(there))
    return there + lowest, index[above], counts[there]
