"""Every text of an encoded data set in one straight pass: sequences are stepped into, not walked.

It shares nothing with the walk that writes, so that a fault there does not hide what it has left behind.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.part10.encoding import BINARY, FORMS, IN_UNKNOWN, SEQUENCE_DELIMITER, SHORT, STRANGE, UNDEFINED
from deid.part10.outline import PIXELS
from deid.part10.walk import MAX_DEPTH
from deid.standard.dictionary import name_of, unstated_vr, vr_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from deid.part10.encoding import Encoding
    from deid.part10.outline import Outline
    from deid.part10.place import Place
    from deid.part10.source import Source

TEXT: Final = frozenset("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split())
NUMERIC: Final = frozenset({"DS", "IS"})
WORDED: Final = TEXT | NUMERIC
OPAQUE: Final = BINARY
"""Bytes that may hold anything, text included."""

Text = tuple[int, str, bytes]  # tag, VR, value

_KINDS: Final = WORDED | OPAQUE
_TEXT: Final = {vr.encode(): vr for vr in _KINDS}
_LARGEST: Final = dict.fromkeys(("OB", "OW", "UN"), 1 << 16)  # of an opaque value that is taken as it is
_CHUNK: Final = 1 << 20
_CHARACTER_SET: Final = 0x00080005
_LONGEST_SET: Final = 1 << 10  # characters of all its values
_OVERLAP: Final = 1 << 8  # of chunks, so that no phrase falls between them
_SHORTEST: Final = 8  # of what reads like text among numbers
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]{%d,}" % _SHORTEST)
_ITEM: Final = b"\xfe\xff\x00\xe0"
_BROKEN: Final = "the data set cannot be read again as it was written"


class _Found(list[Text]):
    """What was read, and what is looked for besides in large values."""

    def __init__(self, wanted: Collection[bytes] = ()) -> None:
        super().__init__()
        self._wanted = wanted
        self.depth = 0  # of values of VR UN in one another

    def opaque(self, tag: int, vr: str, value: bytes) -> Text:
        if vr == "UN" and (known := vr_of(tag)) in WORDED:
            return tag, known, value  # its sender did not know the attribute, and we know what may stand in it
        return tag, vr, self.printable(value) if len(value) > _LARGEST.get(vr, 0) else value

    def printable(self, value: bytes) -> bytes:
        """What may be text among numbers, in bytes or UTF-16: the rest is noise, in which words occur by chance."""
        wanted = (each for each in self._wanted if each in value)
        return b" \\ ".join([*_PRINTABLE.findall(value), *_PRINTABLE.findall(value.replace(b"\0", b"")), *wanted])

    def number(self, tag: int, vr: str, buffer: bytes, pos: int, end: int) -> None:  # noqa: ARG002 - see _Whole
        """A number is none where it reads like text, as those are that somebody hid in one."""
        if end - pos >= _SHORTEST and _PRINTABLE.search(buffer, pos, end):
            self.append((tag, "UN", self.printable(buffer[pos:end])))


class _Whole(_Found):
    """Nothing is left out or made shorter."""

    def printable(self, value: bytes) -> bytes:
        return value

    def number(self, tag: int, vr: str, buffer: bytes, pos: int, end: int) -> None:
        self.append((tag, vr, buffer[pos:end]))


def texts(outline: Outline, source: Source | None = None, wanted: Collection[bytes] = ()) -> list[Text]:
    """Text, numbers in text and opaque values at every depth, in their order.

    Of what was left on disk, all but the pixels, where `source` is the file. Of large opaque values what may be text in
    ASCII, and those of the `wanted` bytes that stand there.
    """
    found = _Found(wanted)
    _top_level(outline, source, found)
    return found


def values(outline: Outline) -> list[Text]:
    """Every value at every depth that was not left on disk, as it is, for those who ask what there is.

    The VR is the one stated, or that of the dictionary: where none is, and for text in VR UN.
    """
    found = _Whole()
    _top_level(outline, None, found)
    return found


def _top_level(outline: Outline, source: Source | None, found: _Found) -> None:
    buffer, encoding = bytes(outline.buffer), outline.encoding
    for place in outline.places:
        if place.start in outline.spans:
            if source is not None and place.tag not in PIXELS:
                _on_disk(place, outline, source, found)
            continue
        if place.vr == b"UN" and place.length != UNDEFINED:
            _unknown(buffer, place.value, place.end, place.tag, found)
        elif place.vr in _TEXT and place.length != UNDEFINED:
            vr, value = _TEXT[place.vr], buffer[place.value : place.end]
            found.append((place.tag, vr, value) if vr in WORDED else found.opaque(place.tag, vr, value))
        elif place.vr in (b"", b"SQ") or place.length == UNDEFINED:
            _read(buffer, place.start, place.end, encoding, found)
        else:
            found.number(place.tag, place.vr.decode(), buffer, place.value, place.end)


def character_sets(outline: Outline) -> Iterator[str]:
    """The Specific Character Set of the data set, and those of items that have their own (PS3.3 C.12.1.1.2)."""
    buffer = outline.buffer
    yield outline.text(_CHARACTER_SET)
    for order in "<>" if outline.encoding.big_endian else "<":  # VR UN holds little endian (PS3.5 6.2.2)
        tag = struct.pack(f"{order}HH", _CHARACTER_SET >> 16, _CHARACTER_SET & 0xFFFF)
        at = buffer.find(tag)
        while at >= 0:
            value = at + 8
            length = int.from_bytes(buffer[value - 2 : value], "big" if order == ">" else "little")
            if buffer[at + 4 : at + 6] != b"CS":
                (length,) = struct.unpack(f"{order}I", buffer[at + 4 : value].ljust(4, b"\0"))
            yield buffer[value : value + min(length, _LONGEST_SET)].decode("latin-1").strip(" \0")
            at = buffer.find(tag, value)


def _on_disk(place: Place, outline: Outline, source: Source, found: _Found) -> None:
    vr = place.vr.decode() or unstated_vr(place.tag)
    offset, length = outline.spans[place.start]
    if vr in OPAQUE:
        for begin in range(0, length, _CHUNK):
            value = source.read(offset + begin, min(_CHUNK + _OVERLAP, length - begin))
            found.append((place.tag, vr, found.printable(value)))


def texts_within(items: bytes, encoding: Encoding) -> list[Text]:
    """The same for the value of one sequence. Raises Rejected where it does not hold whole items."""
    found = _Found()
    _read(items, 0, len(items), encoding, found)
    return found


def _read(buffer: bytes, pos: int, end: int, encoding: Encoding, found: _Found) -> None:
    """All elements in a range that holds whole ones. Raises Rejected where it does not."""
    read = _explicit if encoding.explicit else _implicit
    if read(buffer, pos, end, encoding, found) != end:
        raise Rejected(_BROKEN)


def _explicit(buffer: bytes, pos: int, end: int, encoding: Encoding, found: _Found) -> int:
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
                    pos = _implicit(buffer, value, end, IN_UNKNOWN, found, open_sequences=1)
                else:
                    pos = _behind_fragments(buffer, value, end, encoding)
                    found.append(found.opaque(group << 16 | element, _TEXT.get(vr, "UN"), buffer[value:pos]))
                continue
        pos = value + length
        if pos <= end and vr == b"UN":
            _unknown(buffer, value, pos, group << 16 | element, found)
        elif pos <= end and (kind := _TEXT.get(vr)):
            tag, text = group << 16 | element, buffer[value:pos]
            found.append((tag, kind, text) if kind in WORDED else found.opaque(tag, kind, text))
        else:
            found.number(group << 16 | element, vr.decode(), buffer, value, pos)
    return pos


def _implicit(  # noqa: PLR0913 - where it lies and how it is encoded
    buffer: bytes, pos: int, end: int, encoding: Encoding, found: _Found, open_sequences: int = 0
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
        if length and buffer.startswith(_ITEM, value):
            _refuse_items(tag)
        if pos <= end and kind == "UN":
            _unknown(buffer, value, pos, tag, found)
        elif pos <= end and kind in _KINDS:
            text = buffer[value:pos]
            found.append((tag, kind, text) if kind in WORDED else found.opaque(tag, kind, text))
        elif encoding is IN_UNKNOWN and pos <= end:  # nobody said that it is a number
            found.append(found.opaque(tag, "UN", buffer[value:pos]))
        else:
            found.number(tag, kind, buffer, value, pos)
    return pos


def _unknown(buffer: bytes, pos: int, end: int, tag: int, found: _Found) -> None:
    """Of VR UN: items in implicit VR, where it is a sequence (PS3.5 6.2.2), or whatever it is."""
    known = len(found)
    if vr_of(tag) == "SQ" or buffer.startswith(_ITEM, pos, end):
        _refuse_items(tag)
        if found.depth == MAX_DEPTH:
            raise Rejected(f"sequences in VR UN are nested deeper than {MAX_DEPTH} levels")
        found.depth += 1
        whole = _implicit(buffer, pos, end, IN_UNKNOWN, found) == end
        found.depth -= 1
        if whole:
            return
        del found[known:]
    found.append(found.opaque(tag, "UN", buffer[pos:end]))


def _refuse_items(tag: int) -> None:
    """Where no VR is stated, items are what some readers would show, and the walk takes the value for text or numbers.

    What stands in them was not treated by the rule of its own attribute (PS3.15 E.1.1: at every depth).
    """
    kinds = (vr_of(tag) or "UN").split()
    if "SQ" not in kinds and OPAQUE.isdisjoint(kinds):
        raise Rejected(f"{name_of(tag)} is no sequence, but holds items: the encoding contradicts itself")


def _behind_fragments(buffer: bytes, pos: int, end: int, encoding: Encoding) -> int:
    while pos + 8 <= end:
        _, element, length = encoding.implicit_header.unpack_from(buffer, pos)
        pos += 8
        if element == 0xE0DD:
            return pos
        pos += length
    raise Rejected(_BROKEN)
