"""The frames of one object: stored values out of encoded bytes, one frame at a time, and back into bytes.

A frame is an array of rows x columns, or rows x columns x 3, of the stored values in the colour space that the object
names. Nothing is scaled, windowed or converted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from deid.errors import Rejected
from deid.part10.encoding import UNDEFINED
from deid.part10.place import Span
from deid.pixels import jpeg
from deid.pixels.bits import stored_bits, unused_bits
from deid.pixels.codecs import CODED, RLE, decode
from deid.pixels.codestream import form_of, without_comments
from deid.pixels.enclosed import DEFLATED, ENCLOSED, without_tail
from deid.pixels.fragments import fragments_of, has_sound_table
from deid.pixels.image import PIXEL_DATA, Image
from deid.pixels.native import Cells
from deid.pixels.rle import without_tails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.pixels.fragments import Fragments

    Frame = NDArray[Any]

_OVERLAY_BIT_POSITION: Final = 0x60000102  # of the first of sixteen groups
_NATIVE: Final = frozenset(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
_MOST_PADDING: Final = 1 << 20  # bytes behind the last frame
_MOST_ENCODED: Final = 1 << 30  # bytes of one compressed frame


@dataclass(frozen=True, slots=True)
class Frames:
    """The pixel data of an open object; `stored` gives any frame of it."""

    source: Source
    image: Image
    transfer_syntax: str
    offset: int  # of the value in the file
    length: int
    encapsulated: bool
    cells: Cells  # of what is not compressed
    fragments: Fragments = ()
    value: bytes = b""  # of an image so small that it was read with the header; then `offset` is 0
    sound_table: bool = True  # the Basic Offset Table is empty, or says where the frames begin
    overlaid: bool = False  # an overlay plane stands in the bits that are not part of the stored values
    coding: jpeg.Coding | None = None  # of frames that are masked as they are coded; then `image` has its colours

    @property
    def cell(self) -> tuple[int, int]:
        """Columns and rows of pixels that can only be masked together."""
        if self.coding:
            return self.coding.cell
        shares = self.image.photometric == "YBR_FULL_422" and not self.encapsulated
        return (2 if shares else 1, 1)

    def encoded(self, number: int) -> bytes:
        """The bytes that hold a frame, as they stand in the file, without the items around its fragments."""
        if not self.encapsulated:
            first, after = self.cells.place_of(number)
            return self.value[first:after] or self.source.read(self.offset + first, after - first)
        parts = self.fragments[number]
        if sum(length for _, length in parts) > _MOST_ENCODED:
            raise Rejected(f"a compressed frame takes more than {_MOST_ENCODED >> 20} MB")
        return b"".join(self.source.read(offset, length) for offset, length in parts)

    def refuse_more(self) -> None:
        """Raises Rejected where a frame is whole before its last fragment: by no sign would that be told as another."""
        for number, parts in enumerate(self.fragments):
            if len(parts) > 1 and self.transfer_syntax in (RLE, ENCLOSED, DEFLATED):
                content = self.encoded(number)
                begun = content[: -parts[-1][1]]
                try:
                    self.bare(begun)
                except Rejected:
                    continue
                if content[len(begun) :].strip(b"\0"):
                    raise Rejected("more frames are there than the object states, and nobody would look at them")

    def bare(self, content: bytes) -> bytes:
        """A compressed frame without what is no part of its pixels; the same bytes if there is nothing."""
        if self.transfer_syntax == RLE:
            return without_tails(content, self.image)
        if self.transfer_syntax in (ENCLOSED, DEFLATED):
            return without_tail(content, self.image, self.transfer_syntax)
        return without_comments(content)

    def stored(self, number: int) -> Frame:
        """The stored values of a frame. Raises Rejected where it cannot be decoded."""
        content = self.encoded(number)
        if self.encapsulated:
            self._refuse_another_form(content)
        if self.coding:
            return jpeg.decode(content, self.coding)
        if self.encapsulated:
            frame = decode(content, self.image, self.transfer_syntax)
        else:
            frame = self.cells.unpack(content, number)
        if frame.shape != self.image.shape:
            raise Rejected("a frame has not the size that the object states")
        # Overlay planes are removed wherever they stand (PS3.15 E.1.1 step 2).
        return stored_bits(frame, self.image) if self.overlaid else frame

    def hide(self) -> bool:
        """Whether bits beside the stored ones say something in any frame, in an overlay plane or not."""
        if self.image.stored == self.image.allocated:
            return False
        as_they_are = replace(self, overlaid=False)
        numbers = range(self.image.frames)
        return any(unused_bits(as_they_are.stored(number), self.image) is not None for number in numbers)

    def _refuse_another_form(self, content: bytes) -> None:
        """Some readers believe the object, some the frame: what only the others see would be searched by nobody."""
        if self.transfer_syntax in (RLE, ENCLOSED, DEFLATED):
            return  # these do not say
        rows, columns, samples, bits = form_of(content)
        if (rows, columns, samples) != (self.image.rows, self.image.columns, self.image.samples):
            raise Rejected("a frame has not the size that the object states")
        if bits > self.image.allocated:
            raise Rejected("a frame has values of more bits than the object states")


def frames_of(source: Source, layout: Outline, image: Image) -> Frames:
    """The frames of an object's Pixel Data. Raises Rejected where they cannot be told apart."""
    place = next(place for place in layout.places if place.tag == PIXEL_DATA)
    value, span = b"", layout.spans.get(place.start)
    if span is None:
        value = bytes(layout.buffer[place.value : place.value + place.length])
        span = Span(0, len(value))
    encapsulated = place.length == UNDEFINED
    cells = Cells(image, layout.encoding.big_endian, place.vr in (b"OW", b""))
    if not encapsulated:
        _, done = cells.place_of(image.frames - 1)
        if done > span.length:
            raise Rejected("the pixel data are shorter than their description")
        if source.transfer_syntax not in _NATIVE:
            raise Rejected("the pixel data are not encapsulated, as their transfer syntax demands (PS3.5 A.4)")
        if _says_something(source, value, span, done):
            raise Rejected("more pixel data are there than the object states, and nobody would look at them")
    as_cells = not encapsulated or source.transfer_syntax in (ENCLOSED, DEFLATED)
    if as_cells and image.photometric == "YBR_FULL_422" and (image.columns % 2 or image.planar):
        raise Rejected("4:2:2 pixel data need an even number of columns")
    if encapsulated and source.transfer_syntax not in CODED:
        raise Rejected("frames of this transfer syntax cannot be decoded, so nobody can look at them")
    fragments = fragments_of(source, span, image.frames) if encapsulated else ()
    found = Frames(
        source=source,
        image=image,
        transfer_syntax=source.transfer_syntax,
        offset=span.offset,
        length=span.length,
        encapsulated=encapsulated,
        cells=cells,
        fragments=fragments,
        value=value,
        overlaid=_is_overlaid(layout, image),
        sound_table=not encapsulated or has_sound_table(source, span, fragments),
    )
    found.refuse_more()
    return found


def as_coded(frames: Frames) -> Frames:
    """The same frames, if they can be masked as they are coded, to be decoded and masked that way."""
    if frames.transfer_syntax != jpeg.BASELINE:
        return frames
    coding, *others = (jpeg.coding_of(frames.encoded(number), frames.image) for number in range(frames.image.frames))
    if coding is None or any(other != coding for other in others):
        return frames
    return replace(frames, image=replace(frames.image, photometric=coding.photometric), coding=coding)


def _says_something(source: Source, value: bytes, span: Span, done: int) -> bool:
    """Whether anything but zeros follows the last frame, or the one byte of any value that makes its length even."""
    rest = span.length - done
    if rest == done % 2:
        return False
    if rest > _MOST_PADDING:
        return True
    padding = value[done:] if value else source.read(span.offset + done, rest)
    return bool(padding.strip(b"\0"))


def _is_overlaid(layout: Outline, image: Image) -> bool:
    """Whether an overlay plane uses bits of the pixel data (PS3.5 8.1.2, retired): its bit position is not 0."""
    unused = image.stored < image.allocated
    positions = [place.tag for place in layout.places if place.tag & 0xFFE1FFFF == _OVERLAY_BIT_POSITION]
    found = unused and any((layout.value(tag) or b"").strip(b"\0") for tag in positions)
    if found and image.high_bit != image.stored - 1:
        raise Rejected("an overlay plane stands in bits below the stored ones, where nobody can tell it from the image")
    return found
