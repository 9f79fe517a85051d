"""Files of pictures, documents or sound in the values of an object: nobody looks at them, wherever they stand.

Two or three bytes of them stand among any numbers by chance. A file is told by eight bytes of its beginning, or by a
header that can be read.
"""

from __future__ import annotations

import re
import struct
from functools import partial
from typing import TYPE_CHECKING, Final

from deid.attributes.documents import minimal
from deid.errors import Rejected
from deid.part10.outline import PIXELS
from deid.standard.dictionary import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.part10.outline import Outline
    from deid.part10.place import Span
    from deid.part10.source import Source

    Read = Callable[[int, int], bytes]  # from where, and how many bytes; fewer at the end

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 1 << 6  # of chunks, so that no beginning falls between them
_ENCAPSULATED_DOCUMENT: Final = 0x00420011
"""It has a rule (PS3.15 Table E.1-1): what is published of it is ours, or what a profile keeps on purpose."""

_BEGINNINGS: Final = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8(?=\xff)",
    "JPEG 2000 or JPEG XL": rb"jP  \r\n\x87\n|JXL \r\n\x87\n",
    "JPEG 2000": rb"\xff\x4f\xff\x51\0(?:\x29.{34}\0\x01|\x2c.{34}\0\x02|\x2f.{34}\0\x03|\x32.{34}\0\x04)",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM.{4}\0{4}.{2}\0\0(?:\x0c\0\0\0.{4}|[(48@l|]\0\0\0.{8})\x01\0[\1\4\10\20\30\40]\0",
    "RIFF": rb"RIFF.{4}(?:WEBP|WAVE|AVI )",
    "HEIF or MP4": rb"ftyp(?:hei[cmsx]|hev[cmx]|mif1|msf1|avi[fs]|iso[2-9m]|mp4[12]|M4[AV] |qt  )",
    "PDF": rb"%PDF-[12]\.[0-9][ \t]{0,9}[\r\n]",
    "PostScript": rb"%!PS-Adobe-",
    "ZIP": rb"PK\x03\x04[\x0a-\x40]\0.{2}[\0\x08]\0",
    "Compound File": rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "DICOM": rb"DICM\x02\0[\0\x01]\0(?:UL|OB)",
}
_ANY: Final = re.compile(b"|".join(_BEGINNINGS.values()), re.DOTALL)
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # ISO/IEC 10918-1 B.2.2, 14495-1
_SEGMENTS: Final = frozenset(range(0xE0, 0xF0)) | {0xC4, 0xCC, 0xDB, 0xDD, 0xF8, 0xFE, 0xFF}
_MOST_SEGMENTS: Final = 1 << 9
_MOST_IN_ALL: Final = 1 << 17
"""Marker segments of one object: among numbers hardly one follows on another, but many beginnings may share theirs."""
_FIRST_OF_TIFF: Final = frozenset({254, 255, 256})  # New Subfile Type, Subfile Type, Image Width


def refuse_files(layout: Outline, source: Source) -> None:
    """Raises Rejected where a value, at any depth, is or contains such a file; pixel data are looked at elsewhere."""
    passed = PIXELS | {_ENCAPSULATED_DOCUMENT}
    ours = [(place.value, place.end) for place in layout.places if place.tag in passed]
    within = partial(_in_memory, layout.buffer)
    segments = iter(range(_MOST_IN_ALL))
    for match in _ANY.finditer(layout.buffer):
        at = match.start()
        if not any(value <= at < end for value, end in ours) and (kind := _kind(within, at, segments)):
            tag = next(place.tag for place in layout.places if at < place.end)
            raise _file(tag, kind)
    for place in layout.places:
        span = layout.spans.get(place.start)
        if span is not None and place.tag not in passed:
            _refuse_on_disk(place.tag, source, span, segments)


def _refuse_on_disk(tag: int, source: Source, span: Span, segments: Iterator[int]) -> None:
    within = partial(_in_file, source, span)
    for begin in range(0, span.length, _CHUNK):
        for match in _ANY.finditer(within(begin, _CHUNK + _OVERLAP)):
            if kind := _kind(within, begin + match.start(), segments):
                raise _file(tag, kind)


def _in_memory(buffer: bytearray, at: int, count: int) -> bytes:
    return bytes(buffer[at : at + count])


def _in_file(source: Source, span: Span, at: int, count: int) -> bytes:
    return source.read(span.offset + at, max(0, min(count, span.length - at)))


def _file(tag: int, kind: str) -> Rejected:
    return Rejected(f"{name_of(tag)} holds what begins like a file ({kind}), and nobody would look at it")


def _kind(read: Read, at: int, segments: Iterator[int]) -> str:
    """What such a beginning is that of; "" where it stands there by chance."""
    beginning = read(at, _OVERLAP)
    kind = next(kind for kind, form in _BEGINNINGS.items() if re.match(form, beginning, re.DOTALL))
    if kind == "JPEG":
        return kind if _is_jpeg(read, at, segments) else ""
    is_one = {"GIF": _is_gif, "TIFF": _is_tiff, "PDF": _is_not_ours}.get(kind)
    return kind if is_one is None or is_one(read, at) else ""


def _is_not_ours(read: Read, at: int) -> bool:
    """In an item too, a document may have been replaced by the smallest one."""
    ours = minimal("application/pdf")
    return read(at, len(ours)) != ours


def _is_jpeg(read: Read, at: int, segments: Iterator[int]) -> bool:
    """Marker segments, one behind the other, as far as a frame header that is as long as it should be."""
    at += 2
    for _ in range(_MOST_SEGMENTS):
        head = read(at, 10)
        if len(head) < 10 or head[0] != 0xFF:
            return False
        marker, length, precision, components = head[1], int.from_bytes(head[2:4], "big"), head[4], head[9]
        if marker in _FRAME_HEADERS:
            return 2 <= precision <= 16 and 1 <= components <= 4 and length == 8 + 3 * components
        if marker not in _SEGMENTS:
            return False
        if next(segments, None) is None:
            raise Rejected("marker segments of JPEG stand in values, too many to tell whether they are of a picture")
        at += 1 if marker == 0xFF else 2 + length
    return False


def _is_gif(read: Read, at: int) -> bool:
    """A screen of some size, its colours, and a block behind them."""
    screen = read(at + 6, 7)
    if len(screen) < 7 or not any(screen[:2]) or not any(screen[2:4]):
        return False
    flags = screen[4]
    return read(at + 13 + (3 << 1 + (flags & 7) if flags & 0x80 else 0), 1) in (b"!", b",")


def _is_tiff(read: Read, at: int) -> bool:
    """A directory that begins as those of pictures do."""
    head = read(at, 16)
    order = "<" if head[:1] == b"I" else ">"
    try:
        if b"*" in head[:4]:
            (offset,) = struct.unpack_from(order + "I", head, 4)
            entries, tag, form = struct.unpack(order + "HHH", read(at + offset, 6))
        else:
            size, _, offset = struct.unpack_from(order + "HHQ", head, 4)
            entries, tag, form = struct.unpack(order + "QHH", read(at + offset, 12))
            entries *= size == 8
    except struct.error:
        return False
    return 0 < entries < 1 << 12 and tag in _FIRST_OF_TIFF and form in (3, 4, 16)
