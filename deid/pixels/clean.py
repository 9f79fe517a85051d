"""Clean Pixel Data (PS3.15 E.3.1) for one object: look, find text, mask it in every frame, and prove it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from deid.attributes.rewrite import Instead
from deid.errors import Rejected
from deid.model import Masked, Pixels
from deid.part10.encoding import UNDEFINED
from deid.part10.place import Fresh, Span
from deid.pixels import codecs
from deid.pixels.detector import ENGINE
from deid.pixels.frames import Frames, frames_of
from deid.pixels.image import PHOTOMETRIC, PIXEL_DATA, PLANAR, image_of
from deid.pixels.mask import boxes_of, fill_of, filled, in_pairs
from deid.pixels.palette import palette_of
from deid.pixels.scope import BURNED_IN, Look, look_at, may_be_drawn_on
from deid.pixels.search import Scene, scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.part10.target import Piece
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

_PADDING: Final = 0x00280120
_OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002})
_VIDEO: Final = "1.2.840.10008.1.2.4.10"  # and one digit more: MPEG-2, MPEG-4, HEVC


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What becomes of the pixels of one object: nothing, or new bytes in place of Pixel Data."""

    pixels: Pixels
    transfer_syntax: str  # of the published object
    instead: Instead = field(default_factory=Instead)
    masking: _Masking | None = None  # None where the pixel data stay as they are

    def verify(self, written: Source, published: Outline) -> None:
        """Decode the written bytes: every frame must be the original, masked. Raises Rejected if one is not."""
        if self.masking is not None:
            self.masking.verify(frames_of(written, published, image_of(published)))


def clean(source: Source, layout: Outline) -> Cleaned:
    """Look at an object as its kind demands. Raises Rejected where it has to be looked at and cannot be."""
    look, because = look_at(layout)
    if look is Look.NEVER:
        return Cleaned(Pixels(searched=False, because=because), source.transfer_syntax)
    if source.transfer_syntax.startswith(_VIDEO):
        raise Rejected("video cannot be searched for text")
    image = image_of(layout)
    palette = palette_of(source, layout, image)
    frames = frames_of(source, layout, image)
    drawn_on = partial(may_be_drawn_on, image=image) if look is Look.GATED else None
    found = list(scenes(frames, palette, drawn_on))
    if image.photometric == "YBR_FULL_422" and not frames.encapsulated:
        found = [replace(scene, mask=in_pairs(scene.mask)) for scene in found]
    views = sum(scene.views for scene in found)
    if not views:
        return Cleaned(Pixels(searched=False, because=f"{because}, and nothing is drawn on it"), source.transfer_syntax)
    masked = tuple(Masked(scene.first, scene.after, boxes_of(scene.mask)) for scene in found if scene.mask.any())
    share = sum(float(scene.mask.mean()) * (scene.after - scene.first) for scene in found) / image.frames
    pixels = Pixels(searched=True, because=because, engine=ENGINE, views=views, masked=masked, share=round(share, 5))
    elements = {BURNED_IN: ("CS", b"NO")}
    if not masked:
        return Cleaned(pixels, source.transfer_syntax, Instead(elements, pixels_cleaned=True))
    first = frames.stored(next(scene.first for scene in found if scene.mask.any()))
    fill = fill_of(first, image, palette, _padding(layout, image))
    if not frames.encapsulated:
        masking = _Masking(frames, tuple(found), fill, source.transfer_syntax)
        instead = Instead(elements, pixel_data=masking.native(_header(layout)), pixels_cleaned=True)
        return Cleaned(pixels, source.transfer_syntax, instead, masking)
    syntax = codecs.syntax_after(source.transfer_syntax)
    after = codecs.image_after(image, syntax)
    masking = _Masking(frames, tuple(found), fill, syntax)
    elements[PHOTOMETRIC] = ("CS", after.photometric.encode())
    if image.samples > 1:
        elements[PLANAR] = ("US", int(after.planar).to_bytes(2, "little"))  # encapsulated data are little endian
    instead = Instead(elements, _OFFSET_TABLES, masking.encapsulated(after), pixels_cleaned=True)
    return Cleaned(pixels, syntax, instead, masking)


def _header(layout: Outline) -> bytes:
    """Of the element Pixel Data."""
    place = next(place for place in layout.places if place.tag == PIXEL_DATA)
    return bytes(layout.buffer[place.start : place.value])


def _padding(layout: Outline, image: Image) -> int | None:
    value = layout.value(_PADDING)
    if not value or len(value) != 2:
        return None
    return int.from_bytes(value, "big" if layout.encoding.big_endian else "little", signed=image.signed)


@dataclass(frozen=True, slots=True)
class _Masking:
    """The frames of the original and what is masked in them; makes the published ones, and recognises them."""

    frames: Frames
    scenes: tuple[Scene, ...]
    fill: NDArray[np.generic]
    transfer_syntax: str  # of the published object

    def frame(self, number: int, scene: Scene) -> Frame:
        """A frame as it is published."""
        return filled(self.frames.stored(number), scene.mask, self.fill)

    def native(self, header: bytes) -> list[Piece]:
        """Pixel Data that are not compressed: masked frames are made anew, the others stay in the file."""
        size = self.frames.image.frame_bytes
        pieces: list[Piece] = [header]
        for scene in self.scenes:
            if scene.mask.any():
                pieces.append(Fresh(partial(self._packed, scene), (scene.after - scene.first) * size))
            elif self.frames.value:
                pieces.append(self.frames.value[scene.first * size : scene.after * size])
            else:
                pieces.append(Span(self.frames.offset + scene.first * size, (scene.after - scene.first) * size))
        done = self.frames.image.frames * size
        padding = self.frames.length - done
        if padding > 1:
            raise Rejected("more pixel data are there than the object states")
        return [*pieces, b"\0" * padding]

    def _packed(self, scene: Scene) -> Iterator[bytes]:
        for number in range(scene.first, scene.after):
            yield self.frames.pack(self.frame(number, scene))

    def encapsulated(self, after: Image) -> list[Piece]:
        """PS3.5 A.4: an empty offset table, then one fragment for each frame."""
        header = b"\xe0\x7f\x10\x00OB\0\0" + UNDEFINED.to_bytes(4, "little") + b"\xfe\xff\x00\xe0\0\0\0\0"
        return [header, Fresh(partial(self._encoded, after), None), b"\xfe\xff\xdd\xe0\0\0\0\0"]

    def _encoded(self, after: Image) -> Iterator[bytes]:
        same = self.transfer_syntax == self.frames.transfer_syntax
        for scene in self.scenes:
            for number in range(scene.first, scene.after):
                if same and not scene.mask.any():
                    content = self.frames.encoded(number)
                else:
                    content = codecs.encode(self.frame(number, scene), after, self.transfer_syntax)
                content += b"\0" * (len(content) % 2)
                yield b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content

    def verify(self, written: Frames) -> None:
        """Raises Rejected unless each written frame decodes to what it should be, bit for bit."""
        if written.image.frames != self.frames.image.frames or written.image.shape != self.frames.image.shape:
            raise Rejected("the written pixel data are not those that should be written")
        for scene in self.scenes:
            for number in range(scene.first, scene.after):
                if not np.array_equal(written.stored(number), self.frame(number, scene)):
                    raise Rejected("a written frame is not what it should be")
