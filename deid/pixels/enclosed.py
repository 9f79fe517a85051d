"""Frames in fragments that no codec made: as they are, or deflated one by one (PS3.5 A.4.11, 8.2.16)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.pixels.native import Cells

if TYPE_CHECKING:
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

ENCLOSED, DEFLATED = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"
_RAW: Final = -zlib.MAX_WBITS  # RFC 1951, without a header


def decode(content: bytes, image: Image, transfer_syntax: str) -> Frame:
    """The stored values of one frame. Raises Rejected where there are more or fewer than the object states."""
    if transfer_syntax == DEFLATED:
        content, _ = _inflated(content, image)
    return _cells(image).unpack(content, 0)


def encode(frame: Frame, image: Image, transfer_syntax: str) -> bytes:
    """One frame."""
    content = b"".join(_cells(image).packed([frame]))
    if transfer_syntax != DEFLATED:
        return content
    deflate = zlib.compressobj(wbits=_RAW)
    return deflate.compress(content) + deflate.flush()


def without_tail(content: bytes, image: Image, transfer_syntax: str) -> bytes:
    """One frame without what follows it; the same bytes if that is no more than padding. Raises Rejected if damaged."""
    used = _inflated(content, image)[1] if transfer_syntax == DEFLATED else _size(image)
    if used > len(content):
        raise Rejected("the pixel data are shorter than their description")
    return content[:used] if content[used:].strip(b"\0") else content


def _inflated(content: bytes, image: Image) -> tuple[bytes, int]:
    """A frame, and how many bytes it takes. What is larger than its object states is not unpacked to the end."""
    inflate = zlib.decompressobj(_RAW)
    try:
        found = inflate.decompress(content, _size(image) + 1)
    except zlib.error:
        found = b""
    if len(found) != _size(image) or not inflate.eof:
        raise Rejected("a deflated frame is damaged, or has not the size that the object states")
    return found, len(content) - len(inflate.unused_data)


def _size(image: Image) -> int:
    return _cells(image).place_of(0)[1]


def _cells(image: Image) -> Cells:
    return Cells(image, big_endian=False, words=False)
