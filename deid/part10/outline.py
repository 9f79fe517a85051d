"""The top level of a data set: where every element of it lies, in memory or in the file.

Large binary values stay on disk as spans, so memory does not depend on the size of the pixels; every length is checked
against the file before memory is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.part10.encoding import BINARY, FORMS, IN_UNKNOWN, SHORT, UNDEFINED, Encoding
from deid.part10.output import DESCEND
from deid.part10.place import Place, Span, Truncated, named, place_at
from deid.part10.source import WINDOW
from deid.part10.walk import VERBATIM, Walker, is_explicit
from deid.standard.dictionary import unstated_vr, vr_of

if TYPE_CHECKING:
    from deid.part10.source import Limits, Source

BULK: Final = 1 << 14
"""A binary value of so many bytes stays on disk."""
ICC_PROFILE: Final = 0x00282000
"""Read with the header, however large it is: it is taken to pieces."""
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, Double Float and Pixel Data: nothing that may stay follows them."""
_OTHER_FILE: Final = b"DICM\2\0"  # how it begins behind its preamble (PS3.10 7.1)
_CHUNK: Final = 1 << 20
_ITEM: Final = b"\xfe\xff\x00\xe0"
MOST_ELEMENTS: Final = 1 << 16
"""At the top level, where each is remembered; real objects have some hundreds."""


@dataclass(slots=True)
class Outline:
    """The top level of a data set: `buffer` holds all but the spans, `places` its elements in the order of the file."""

    encoding: Encoding
    buffer: bytearray = field(default_factory=bytearray)
    places: list[Place] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)  # start of the element in the buffer: its value in the file
    trailing: int = 0  # bytes of the file behind the data set

    def value(self, tag: int) -> bytes | None:
        """The value of the first such element of the top level, None without one; b"" for sequences and spans."""
        for place in self.places:
            if place[0] == tag:
                if place.length == UNDEFINED or place.start in self.spans or _is_sequence(place):
                    return b""
                return bytes(self.buffer[place.value : place.value + place.length])
        return None

    def text(self, tag: int) -> str:
        """The value of an element of the default repertoire (UI, CS, ...), without padding; "" where there is none."""
        return (self.value(tag) or b"").decode("latin-1").strip(" \0")


def _is_sequence(place: Place) -> bool:
    return place.vr == b"SQ" or VERBATIM[place.tag] is DESCEND


def outline(source: Source, limits: Limits) -> Outline:
    """Find every element of the top level. Raises Rejected, Truncated where the encoding or the file ends."""
    return _Outliner(source, limits, Outline(source.encoding)).run()


def beginning(source: Source, limits: Limits, last: int) -> Outline:
    """Find the elements up to the tag `last`; what follows is not looked at. Raises Rejected and Truncated as above.

    They stand in the order of their tags (PS3.5 7.1); where they do not, nobody knows what is still to come.
    """
    found = _Outliner(source, limits, Outline(source.encoding), last=last).run()
    tags = [place.tag for place in found.places]
    if tags != sorted(tags):
        raise Rejected("the elements do not stand in the order of their tags (PS3.5 7.1)")
    return found


@dataclass(slots=True)
class _Outliner:
    source: Source
    limits: Limits
    result: Outline
    offset: int = 0  # in the file, of what comes behind the buffer
    last: int = 0xFFFFFFFF  # tag behind which nothing is wanted

    def run(self) -> Outline:
        source, result = self.source, self.result
        encoding, buffer, places = result.encoding, result.buffer, result.places
        explicit, short = encoding.explicit, encoding.explicit_header.unpack_from
        new = tuple.__new__
        quickly = min(0x7FE0, self.last >> 16)
        buffer += source.head
        self.offset = source.start + len(source.head)
        if len(buffer) < 12:
            self._fill(12)
        self._check_beginning()
        pos = 0
        while True:
            if pos + 12 > len(buffer):
                self._fill(12)
                if pos == len(buffer):
                    break
            if explicit and pos + 12 <= len(buffer):
                group, element, vr, length = short(buffer, pos)
                if FORMS.get(vr) == SHORT and group < quickly:
                    after = pos + 8 + length
                    if after <= len(buffer):
                        places.append(new(Place, (group << 16 | element, vr, pos, pos + 8, length, after)))
                        pos = after
                        continue
            place = place_at(buffer, pos, len(buffer), encoding)
            if place.tag > self.last:
                break
            pos = self._append(place)
            if place.tag in PIXELS:
                self._refuse_elements_behind(pos)
                break
        self._end(pos)
        return result

    def _end(self, pos: int) -> None:
        result = self.result
        if len({place.tag for place in result.places}) < len(result.places):
            raise Rejected("an element occurs twice, and readers differ in which one they take (PS3.5 7.1)")
        result.trailing = self.source.size - self.offset + len(result.buffer) - pos
        del result.buffer[pos:]

    def _check_beginning(self) -> None:
        """Other readers trust the first element more than the transfer syntax; where they differ, nobody is right."""
        buffer, encoding = self.result.buffer, self.result.encoding
        group = int.from_bytes(buffer[:2], "big" if encoding.big_endian else "little")
        if group > 0x00FF and group & 0xFF == 0:
            raise Rejected("the byte order of the data set is not the one that its transfer syntax states")
        if not encoding.explicit and is_explicit(buffer, 0):
            raise Rejected("the data set is in explicit VR, but its transfer syntax says implicit")

    def _append(self, place: Place) -> int:
        """Take one element up; returns where the next one begins in the buffer."""
        tag, vr, _, value, length, _ = place
        if tag >> 16 == 0xFFFE:
            raise Rejected("a delimiter stands where an element should be: the encoding is broken here")
        if tag in PIXELS and vr not in (b"OB", b"OW", b"OF", b"OD", b""):
            raise Rejected(f"{named(tag)} has a VR that pixels cannot have")
        buffer = self.result.buffer
        known = vr.decode() if vr else unstated_vr(tag)
        if length == UNDEFINED:
            if vr in (b"OB", b"OW"):
                return self._append_span(place, self._end_of_fragments(tag, value))
            after = self._end_of_items(place)
        else:
            after = value + length
            if after - len(buffer) > self.source.size - self.offset:
                raise Truncated(f"{named(tag)} runs past the end of the file")
            if known in BINARY and length >= BULK and not self._is_needed(place):
                return self._append_span(place, self._file_offset(value) + length)
            if after > len(buffer):
                self._fill(after - len(buffer))
        self.result.places.append(place._replace(end=after))
        return after

    def _is_needed(self, place: Place) -> bool:
        """Whether what stands in a large binary value has to be walked, or taken to pieces."""
        return place.tag == ICC_PROFILE or _is_sequence(place) or self._holds_items(place)

    def _holds_items(self, place: Place) -> bool:
        """Whether a private value of a VR that nobody states is a sequence, which has to be walked (PS3.15 E.3.10)."""
        if not place.tag & 0x10000 or place.vr not in (b"", b"UN"):
            return False
        missing = place.value + len(_ITEM) - len(self.result.buffer)
        if missing > 0:
            self._fill(missing)
        return self.result.buffer.startswith(_ITEM, place.value)

    def _append_span(self, place: Place, stop: int) -> int:
        """Leave the value on disk: the buffer goes on with what follows it, at `stop` in the file."""
        begin = self._file_offset(place.value)
        self.result.spans[place.start] = Span(begin, stop - begin)
        self.result.places.append(place._replace(end=place.value))
        buffered = stop - begin
        if place.value + buffered <= len(self.result.buffer):
            del self.result.buffer[place.value : place.value + buffered]
        else:
            del self.result.buffer[place.value :]
            self.offset = stop
        return place.value

    def _end_of_items(self, place: Place) -> int:
        """Where a sequence of undefined length ends; more of the file is read as needed."""
        encoding = self.result.encoding
        if place.vr != b"SQ" and not (place.vr in (b"UN", b"") and vr_of(place.tag) in ("SQ", None)):
            raise Rejected(f"{named(place.tag)} has an undefined length, which its VR does not allow")
        inner = IN_UNKNOWN if place.vr == b"UN" else encoding
        buffer = self.result.buffer
        ahead = WINDOW
        while True:
            try:
                walker = Walker(buffer, _never)
                after = walker.sequence(place.tag, place.value, -1, len(buffer), VERBATIM, inner)[0]
                break
            except Truncated:
                if not self._fill(1, ahead):
                    raise
                ahead *= 2
        surplus = max(0, len(buffer) - after - WINDOW)  # pixels perhaps, which need not be held
        del buffer[len(buffer) - surplus :]
        self.offset -= surplus
        return after

    def _end_of_fragments(self, tag: int, value: int) -> int:
        """PS3.5 A.4: where encapsulated pixel data end, as an offset in the file."""
        offset = self._file_offset(value)
        header = self.result.encoding.implicit_header
        window, base = b"", offset
        while True:
            at = offset - base
            if at + 8 > len(window):
                window, base, at = self.source.read(offset, 4096), offset, 0
                if len(window) < 8:
                    raise Truncated(f"the fragments of {named(tag)} have no end")
            group, element, length = header.unpack_from(window, at)
            offset += 8
            if group == 0xFFFE and element == 0xE0DD and not length:
                return offset
            if group != 0xFFFE or element != 0xE000 or length == UNDEFINED:
                raise Rejected(f"{named(tag)} holds something that is not a fragment: the encoding is broken here")
            offset += length

    def _refuse_elements_behind(self, pos: int) -> None:
        """What follows the Pixel Data is dropped; an ordinary element there means the object is out of order."""
        buffer = self.result.buffer
        if len(buffer) - pos < 8:
            self._fill(8)
        if len(buffer) - pos < 8:
            return
        for offset in range(self._file_offset(pos), self.source.size, _CHUNK):
            if _OTHER_FILE in self.source.read(offset, _CHUNK + len(_OTHER_FILE)):
                raise Rejected(
                    "another object follows in the same file, and would be lost: put each into a file of its own"
                )
        group, element, *_ = self.result.encoding.implicit_header.unpack_from(buffer, pos)
        tag = group << 16 | element
        if tag in PIXELS:
            raise Rejected("pixel data of two kinds stand in one object, and one would be lost (PS3.3 C.7.6.3)")
        if 0x0008 <= group < 0x7FE0 and not group & 1 and vr_of(tag):
            raise Rejected("elements follow the Pixel Data that should stand before it")

    def _file_offset(self, pos: int) -> int:
        """The offset in the file of a position in the last contiguous part of the buffer."""
        return self.offset - len(self.result.buffer) + pos

    def _fill(self, need: int, ahead: int = WINDOW) -> bool:
        """Read on, what is needed and some more; False at the end of the file. Checked before memory is asked for."""
        buffer = self.result.buffer
        left = self.source.size - self.offset
        room = self.limits.header - len(buffer)
        if min(need, left) > room:
            raise Rejected(f"what is not pixel data takes more than {self.limits.header >> 20} MB")
        if len(self.result.places) > MOST_ELEMENTS:
            raise Rejected(f"there are more than {MOST_ELEMENTS} elements at the top level")
        count = min(max(need, ahead), left, room)
        chunk = self.source.read(self.offset, count)
        if len(chunk) < count:
            raise Truncated("the file became shorter while it was read")
        buffer += chunk
        self.offset += len(chunk)
        return bool(chunk)


def _never(rule: object, element: object) -> bytes:  # noqa: ARG001 - the verbatim rules name nothing to treat
    raise AssertionError
