"""RLE frames (PS3.5 Annex G): what stands in them beside the runs that make the pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected

if TYPE_CHECKING:
    from deid.pixels.image import Image

_HEADER: Final = 64  # bytes: how many segments there are, and where each of up to 15 begins


def without_tails(content: bytes, image: Image) -> bytes:
    """One frame without bytes that no pixel needs; the same bytes if none. Raises Rejected for a damaged frame."""
    numbers = [int.from_bytes(content[at : at + 4], "little") for at in range(0, _HEADER, 4)]
    expected = max(1, image.samples * image.allocated // 8)
    size = -(-image.rows * image.columns * min(8, image.allocated) // 8)
    starts = numbers[1 : 1 + expected]
    if numbers[0] != expected or starts[:1] != [_HEADER] or starts != sorted(starts):
        raise Rejected("an RLE frame is damaged")
    segments, tails = [], content[4 * expected + 4 : _HEADER].strip(b"\0")
    for start, after in pairwise([*starts, len(content)]):
        used = start + _used(content[start:after], size)
        segments.append(content[start:used] + b"\0" * ((used - start) % 2))  # PS3.5 G.3.1
        tails += content[used:after] if content[used:after] != b"\0" else b""
    if not tails:
        return content
    header, position = expected.to_bytes(4, "little"), _HEADER
    for segment in segments:
        header += position.to_bytes(4, "little")
        position += len(segment)
    return b"".join((header.ljust(_HEADER, b"\0"), *segments))


def _used(segment: bytes, size: int) -> int:
    """How many bytes of a segment make `size` bytes of a frame (PS3.5 G.3.2)."""
    at = done = 0
    try:
        while done < size:
            control = segment[at]
            if control < 128:
                at += control + 2
                done += control + 1
            elif control > 128:
                at += 2
                done += 257 - control
            else:
                at += 1
    except IndexError:
        at = len(segment) + 1
    if done != size or at > len(segment):
        raise Rejected("an RLE frame is damaged")
    return at
