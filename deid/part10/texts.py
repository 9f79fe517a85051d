"""Every text of an encoded data set in one straight pass: sequences are stepped into, not walked.

It shares nothing with the walk that writes, so that a fault there does not hide what it has left behind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.part10.encoding import FORMS, IMPLICIT_LITTLE, SEQUENCE_DELIMITER, SHORT, STRANGE, UNDEFINED
from deid.part10.outline import PIXELS
from deid.standard.dictionary import unstated_vr, vr_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.part10.encoding import Encoding
    from deid.part10.outline import Outline
    from deid.part10.place import Place
    from deid.part10.source import Source

TEXT: Final = frozenset("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split())
NUMERIC: Final = frozenset({"DS", "IS"})
WORDED: Final = TEXT | NUMERIC
OPAQUE: Final = frozenset({"OB", "OW", "UN"})
"""Bytes that may hold anything, text included."""

Text = tuple[int, str, bytes]  # tag, VR, value

_KINDS: Final = WORDED | OPAQUE
_TEXT: Final = {vr.encode(): vr for vr in _KINDS}
_LARGEST: Final = 1 << 16  # of an opaque value that is taken as it is
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 1 << 8  # of chunks, so that no phrase falls between them
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]{8,}")
_BROKEN: Final = "the data set cannot be read again as it was written"


def texts(outline: Outline, source: Source | None = None) -> list[Text]:
    """Text, numbers in text and opaque values at every depth, in their order.

    Of what was left on disk, all but the pixels, where `source` is the file.
    """
    buffer, encoding = bytes(outline.buffer), outline.encoding
    found: list[Text] = []
    for place in outline.places:
        if place.start in outline.spans:
            if source is not None and place.tag not in PIXELS:
                found += _on_disk(place, outline, source)
            continue
        if place.vr in _TEXT and place.length != UNDEFINED:
            vr, value = _TEXT[place.vr], buffer[place.value : place.end]
            found.append((place.tag, vr, value) if vr in WORDED else _opaque(place.tag, vr, value))
        elif place.vr in (b"", b"SQ") or place.length == UNDEFINED:
            _read(buffer, place.start, place.end, encoding, found)
    return found


def _on_disk(place: Place, outline: Outline, source: Source) -> Iterator[Text]:
    vr = place.vr.decode() or unstated_vr(place.tag)
    offset, length = outline.spans[place.start]
    if vr in OPAQUE:
        for begin in range(0, length, _CHUNK):
            value = source.read(offset + begin, min(_CHUNK + _OVERLAP, length - begin))
            yield place.tag, vr, _printable(value)


def texts_within(items: bytes, encoding: Encoding) -> list[Text]:
    """The same for the value of one sequence. Raises Rejected where it does not hold whole items."""
    found: list[Text] = []
    _read(items, 0, len(items), encoding, found)
    return found


def _read(buffer: bytes, pos: int, end: int, encoding: Encoding, found: list[Text]) -> None:
    """All elements in a range that holds whole ones. Raises Rejected where it does not."""
    read = _explicit if encoding.explicit else _implicit
    if read(buffer, pos, end, encoding, found) != end:
        raise Rejected(_BROKEN)


def _explicit(buffer: bytes, pos: int, end: int, encoding: Encoding, found: list[Text]) -> int:
    header, long_length = encoding.explicit_header.unpack_from, encoding.length32.unpack_from
    while pos + 8 <= end:
        group, element, vr, length = header(buffer, pos)
        value = pos + 8
        if group == 0xFFFE:
            pos = value
            continue
        form = FORMS.get(vr, STRANGE)
        if form != SHORT:
            if form == STRANGE or value + 4 > end:
                raise Rejected(_BROKEN)
            length = long_length(buffer, value)[0]
            value += 4
            if vr == b"SQ":
                pos = value
                continue
            if length == UNDEFINED:
                if vr == b"UN":  # PS3.5 6.2.2: what it holds is implicit little endian
                    pos = _implicit(buffer, value, end, IMPLICIT_LITTLE, found, open_sequences=1)
                else:
                    pos = _behind_fragments(buffer, value, end, encoding)
                continue
        pos = value + length
        if pos <= end and (kind := _TEXT.get(vr)):
            tag, text = group << 16 | element, buffer[value:pos]
            found.append((tag, kind, text) if kind in WORDED else _opaque(tag, kind, text))
    return pos


def _implicit(  # noqa: PLR0913 - where it lies and how it is encoded
    buffer: bytes, pos: int, end: int, encoding: Encoding, found: list[Text], open_sequences: int = 0
) -> int:
    """Implicit VR; with an open sequence, only as far as its delimiter."""
    header = encoding.implicit_header.unpack_from
    enclosed = bool(open_sequences)
    while pos + 8 <= end:
        group, element, length = header(buffer, pos)
        pos += 8
        tag = group << 16 | element
        if group == 0xFFFE:
            if tag == SEQUENCE_DELIMITER:
                open_sequences -= 1
                if enclosed and not open_sequences:
                    return pos
            continue
        kind = unstated_vr(tag)
        if kind == "SQ" or length == UNDEFINED:
            open_sequences += length == UNDEFINED
            continue
        value, pos = pos, pos + length
        if pos <= end and kind in _KINDS:
            text = buffer[value:pos]
            found.append((tag, kind, text) if kind in WORDED else _opaque(tag, kind, text))
    return pos


def _behind_fragments(buffer: bytes, pos: int, end: int, encoding: Encoding) -> int:
    while pos + 8 <= end:
        _, element, length = encoding.implicit_header.unpack_from(buffer, pos)
        pos += 8
        if element == 0xE0DD:
            return pos
        pos += length
    raise Rejected(_BROKEN)


def _opaque(tag: int, vr: str, value: bytes) -> Text:
    if vr == "UN" and (known := vr_of(tag)) in WORDED:
        return tag, known, value  # a sender that did not know the attribute; what may stand in it is known all the same
    return tag, vr, _printable(value) if len(value) > _LARGEST else value


def _printable(value: bytes) -> bytes:
    """What may be text in a large value, in bytes or in UTF-16: the rest is noise, in which words occur by chance."""
    return b" \\ ".join([*_PRINTABLE.findall(value), *_PRINTABLE.findall(value.replace(b"\0", b""))])
