"""Pictures in other places than the Pixel Data of an object: nobody searches them for text, so they are held."""

from __future__ import annotations

import re
import struct
from itertools import product
from typing import TYPE_CHECKING, Final, Literal

from deid.errors import Rejected
from deid.part10.encoding import BINARY
from deid.part10.outline import PIXELS
from deid.part10.texts import WORDED, values
from deid.pixels.files import refuse_files
from deid.pixels.image import COLUMNS, FRAMES, ROWS
from deid.pixels.tables import refuse_uncounted_tables
from deid.standard.dictionary import name_of, vr_of

if TYPE_CHECKING:
    from deid.part10.outline import Outline
    from deid.part10.source import Source

_OVERLAY_DATA: Final = 0x60003000
"""Of group 6000, or of any even one to 60FE."""
_OVERLAY: Final = re.compile(rb"[\x00-\xfe]\x60\x00\x30|\x60[\x00-\xfe]\x30\x00")  # in either order of bytes
_FLOATS: Final = {0x7FE00008: 4, 0x7FE00009: 8}  # bytes of a pixel
_SMALL: Final = 1 << 10
"""Bytes; a picture of fewer shows hardly a word, and what some writers leave behind a text is shorter."""
_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Control characters that no text has (PS3.5 6.1.3), and hardly a picture is without."""


def refuse_pictures_elsewhere(published: Outline, written: Source) -> None:
    """Raises Rejected for pixel data in items, overlays, and for what may be a picture in any other attribute."""
    _refuse_more_floats(published)
    _refuse_nested(published)
    _refuse_overlays(published)
    _refuse_no_texts(published)
    refuse_uncounted_tables(published, written)
    refuse_files(published, written)


def _refuse_more_floats(published: Outline) -> None:
    """Float pixel data are searched by nobody: anything might stand behind the last frame (PS3.3 C.7.6.24 and 25)."""
    order: Literal["big", "little"] = "big" if published.encoding.big_endian else "little"
    for place in published.places:
        size = _FLOATS.get(place.tag)
        if size is not None:
            rows, columns = (int.from_bytes(published.value(tag) or b"", order) for tag in (ROWS, COLUMNS))
            frames = published.text(FRAMES) or "1"
            span = published.spans.get(place.start)
            length = place.length if span is None else span.length
            if not frames.isdigit() or length > rows * columns * int(frames) * size:
                raise Rejected("more pixel data are there than the object states, and nobody would look at them")


def _refuse_no_texts(published: Outline) -> None:
    for place in published.places:
        if place.start in published.spans and not _may_be_binary(place.tag):
            raise _no_text(place.tag)
    if all(place.end - place.start <= _SMALL for place in published.places):
        return
    for tag, vr, value in values(published):
        if len(value) <= _SMALL:
            continue
        if vr in WORDED:
            is_other = _NO_TEXT.search(value.rstrip(b"\0")) is not None
        else:
            is_other = vr != "UN" and vr not in _allowed(tag) and not _may_be_binary(tag)
        if is_other:
            raise _no_text(tag)


def _refuse_nested(published: Outline) -> None:
    """Pixel Data in an item are searched by nobody; icons, the usual ones, are removed (PS3.15 E.1.1 note 11)."""
    orders = "<>" if published.encoding.big_endian else "<"  # VR UN holds little endian (PS3.5 6.2.2)
    ours = [(place.start, place.value, place.end) for place in published.places if place.tag in PIXELS]
    for order, number in product(orders, PIXELS):
        tag = struct.pack(f"{order}HH", number >> 16, number & 0xFFFF)
        at = published.buffer.find(tag)
        while at >= 0:
            if not any(at == start or value <= at < end for start, value, end in ours):
                raise Rejected("pixel data stand in an item of a sequence, and nobody would look at them")
            at = published.buffer.find(tag, at + 1)


def _refuse_overlays(published: Outline) -> None:
    """Planes are removed (PS3.15 Table E.1-1) unless a rule keeps them."""
    if not _OVERLAY.search(published.buffer):
        return
    within = [tag for tag, _, value in values(published) if value]
    on_disk = [place.tag for place in published.places if place.start in published.spans]
    if any(tag & 0xFF01FFFF == _OVERLAY_DATA for tag in (*within, *on_disk)):
        raise Rejected(
            "an overlay plane stays by a rule of the profile, and nobody would look at it: take out the rule for "
            "OverlayData"
        )


def _may_be_binary(tag: int) -> bool:
    """By the dictionary; private elements are there because they are known to be safe."""
    return bool(tag & 0x10000) or not BINARY.isdisjoint(_allowed(tag))


def _allowed(tag: int) -> list[str]:
    """The VRs that the dictionary allows."""
    return (vr_of(tag) or "UN").split()


def _no_text(tag: int) -> Rejected:
    return Rejected(f"{name_of(tag)} holds what neither text nor a number is, and nobody would look at it")
