"""Pixel Data in another transfer syntax, made frame by frame while they are written, with the same stored values."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from deid.errors import Rejected
from deid.network.contexts import LOSSLESS
from deid.part10 import encoding
from deid.part10.encoding import UNDEFINED, Encoding
from deid.part10.place import Fresh
from deid.part10.reencode import header
from deid.pixels import codecs
from deid.pixels.bits import unused_bits
from deid.pixels.fragments import encapsulated
from deid.pixels.frames import frames_of
from deid.pixels.image import PHOTOMETRIC, PIXEL_DATA, PLANAR, image_of
from deid.pixels.native import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.part10.target import Piece
    from deid.pixels.frames import Frames
    from deid.pixels.image import Image


def recoded(source: Source, layout: Outline, into: str, target: Encoding) -> tuple[dict[int, bytes], list[Piece]]:
    """The elements that describe the pixels otherwise than before, and the element Pixel Data."""
    image = image_of(layout)
    # Overlay planes in unused bits belong to the stored values here.
    frames = replace(frames_of(source, layout, image), overlaid=False)
    after = replace(codecs.image_after(image, into), planar=into == codecs.RLE)  # PS3.5 8.2.2: always colour by plane
    described = {PHOTOMETRIC: encoding.encode(PHOTOMETRIC, "CS", after.photometric.encode(), target)}
    if image.samples > 1:
        described[PLANAR] = encoding.encode(PLANAR, "US", int(after.planar).to_bytes(2, "little"), target)
    if into in LOSSLESS:
        return described, encapsulated(partial(_compressed, frames, after, into))
    return described, _native(frames, after, target)


def _native(frames: Frames, after: Image, target: Encoding) -> list[Piece]:
    cells = Cells(after, big_endian=False, words=False)
    _, length = cells.place_of(after.frames - 1)
    if length + length % 2 >= UNDEFINED:
        raise Rejected("the pixel data are too long for an object without compression (PS3.5 A.4)")
    start = header(PIXEL_DATA, "OB" if after.allocated == 8 else "OW", length + length % 2, target)
    return [start, Fresh(partial(_packed, frames, cells), length), b"\0" * (length % 2)]


def _packed(frames: Frames, cells: Cells) -> Iterator[bytes]:
    return cells.packed(map(frames.stored, range(frames.image.frames)))


def _compressed(frames: Frames, after: Image, into: str) -> Iterator[bytes]:
    for number in range(frames.image.frames):
        frame = frames.stored(number)
        if into != codecs.RLE and unused_bits(frame, after) is not None:  # PS3.5 8.2.3, 8.2.4: precision is Bits Stored
            raise Rejected(
                "something stands in bits beside the stored ones, which only RLE carries, and the destination refuses"
            )
        content = codecs.encode(frame, after, into)
        if not np.array_equal(codecs.decode(content, after, into), frame):
            raise Rejected("a frame has other values when it is compressed without loss and decoded again")
        yield content
