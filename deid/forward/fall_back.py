"""An object for a peer that refuses its transfer syntax: without compression, or compressed without loss.

Lossy compression that was is decoded and stays told, no frame changes its stored values, and therefore the SOP Instance
UID stays (PS3.3 C.7.6.1.1.5).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from deid.errors import Rejected, fate
from deid.network.contexts import LOSSLESS
from deid.part10.encoding import UNDEFINED, Encoding, encoding_of
from deid.part10.outline import outline
from deid.part10.place import Fresh, Span
from deid.part10.reencode import header, reencode, swapped
from deid.part10.source import Limits, Source, open_source
from deid.part10.target import chunks_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.part10.outline import Outline
    from deid.part10.place import Place
    from deid.part10.target import Piece

NOT_HERE: Final = "an object cannot be converted here"
_PIXEL_DATA: Final = 0x7FE00010
_OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002})
_ALLOCATED: Final = 0x00280100
_PADDING_BEHIND: Final = (b"\xfc\xff\xfc\xff", b"\xff\xfc\xff\xfc")  # Data Set Trailing Padding
_CHUNK: Final = 1 << 20


def convert(path: Path, into: str, work: Path | None = None) -> Source:
    """The data set of a file in transfer syntax `into`: explicit or implicit VR little endian, or one of LOSSLESS.

    It lies in an unnamed file in `work`. Raises Unreadable, and Rejected where it cannot be converted without loss.
    """
    try:
        with tempfile.TemporaryFile(dir=work) as file:
            put(path, into, file, work)
            return Source(os.dup(file.fileno()), 0, file.tell(), into, "")
    except OSError as error:
        raise fate(error, NOT_HERE) from None


def put(path: Path, into: str, file: IO[bytes], work: Path | None) -> None:
    """Write the same data set to an open file. Raises what `convert` raises, and OSError."""
    limits = Limits()
    with closing(open_source(path, limits, work)) as source:
        layout = outline(source, limits)
        if layout.trailing and source.read(source.size - layout.trailing, 4) not in _PADDING_BEHIND:
            raise Rejected("elements behind the Pixel Data would be lost when the object is converted")
        target = encoding_of(into)
        if not layout.encoding.explicit and target.explicit:
            raise Rejected("an object in implicit VR cannot be converted to explicit VR: nobody states its VRs")
        if layout.encoding.big_endian and (layout.value(_ALLOCATED) or b"\0\0")[-1] > 16:
            raise Rejected("writers differ in how they put such pixels into words in big endian (PS3.5 8.1.1)")
        for chunk in chunks_of(source, _pieces(source, layout, into)):
            file.write(chunk)
    file.flush()


def _pieces(source: Source, layout: Outline, into: str) -> list[Piece]:
    target = encoding_of(into)
    pixels = _to_be_made(layout, into)
    described: dict[int, bytes] = {}
    pieces: list[Piece] = []
    made: list[Piece] = []
    if pixels is not None:
        # Only an object whose pixels are made anew waits for the codecs to be loaded.
        from deid.forward.recoded import recoded  # noqa: PLC0415

        described, made = recoded(source, layout, into, target)
    for place in layout.places:
        if place is pixels:
            pieces += made
        elif place.tag in described:
            pieces.append(described[place.tag])
        elif place.start in layout.spans:
            pieces += _span(source, layout, place, target)
        elif pixels is None or place.tag not in _OFFSET_TABLES:
            pieces.append(reencode(layout.buffer[place.start : place.end], layout.encoding, target))
    return pieces


def _to_be_made(layout: Outline, into: str) -> Place | None:
    """Pixel Data, unless they can stay as they are."""
    place = next((place for place in layout.places if place.tag == _PIXEL_DATA), None)
    if into in LOSSLESS:
        if place is None:
            raise Rejected("the destination takes nothing but compressed images, and the object has no Pixel Data")
        return place
    return place if place and place.length == UNDEFINED else None


def _span(source: Source, layout: Outline, place: Place, target: Encoding) -> list[Piece]:
    """A large value, which stays on disk."""
    span, encoding = layout.spans[place.start], layout.encoding
    if encoding.explicit == target.explicit and encoding.big_endian == target.big_endian:
        return [bytes(layout.buffer[place.start : place.value]), span]
    start = header(place.tag, place.vr.decode(), span.length, target)
    if encoding.big_endian == target.big_endian:
        return [start, span]
    return [start, Fresh(partial(_swapped, source, span, place.vr.decode()), span.length)]


def _swapped(source: Source, span: Span, vr: str) -> Iterator[bytes]:
    for at in range(0, span.length, _CHUNK):
        yield swapped(source.read(span.offset + at, min(_CHUNK, span.length - at)), vr)
