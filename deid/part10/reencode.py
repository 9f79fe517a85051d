"""The same data elements in another encoding (PS3.5 7.1): explicit VR of either byte order into little endian.

Values are carried over as bytes, swapped where their VR is made of numbers; no text is ever decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deid.errors import Rejected
from deid.part10.encoding import FORMS, IN_UNKNOWN, SHORT, UNDEFINED, Encoding, encode, encode_items
from deid.part10.place import Place, Truncated, named, place_at
from deid.part10.walk import MAX_DEPTH, VERBATIM, Walker

_WORD: Final = (
    dict.fromkeys(("US", "SS", "AT", "OW"), 2)
    | dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4)
    | dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
)
"""Bytes of the numbers that a value is made of; what is not here has no byte order."""


def header(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    """Of one element, whose value of `length` bytes stands elsewhere."""
    if not encoding.explicit:
        return encoding.implicit_header.pack(tag >> 16, tag & 0xFFFF, length)
    if FORMS[vr.encode()] == SHORT:
        return encoding.explicit_header.pack(tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return encoding.explicit_header.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0) + encoding.length32.pack(length)


def swapped(value: bytes, vr: str) -> bytes:
    """A value in the other byte order."""
    size = _WORD.get(vr, 1)
    if size == 1:
        return value
    if len(value) % size:
        raise Rejected(f"a value of VR {vr} is not made of whole numbers")
    turned = bytearray(len(value))
    for at in range(size):
        turned[at::size] = value[size - 1 - at :: size]
    return bytes(turned)


def reencode(content: bytes | bytearray, source: Encoding, target: Encoding) -> bytes:
    """A whole data set in another encoding, without group lengths (PS3.5 7.2). Raises Rejected where it is broken.

    `source` is in explicit VR, or the same as `target`: VRs that nobody states are not made up.
    """
    made = _Reencoding(content, source, target).data_set(0, len(content), 0, delimited=False)[0]
    return bytes(content) if source is target else made  # walked all the same: something compressed may be within


@dataclass(frozen=True, slots=True)
class _Reencoding:
    content: bytes | bytearray
    source: Encoding
    target: Encoding

    def data_set(self, pos: int, end: int, depth: int, *, delimited: bool) -> tuple[bytes, int]:
        """The new bytes, and where the data set ends; that is behind the delimiter of a delimited one."""
        if depth > MAX_DEPTH:
            raise Rejected(f"sequences are nested deeper than {MAX_DEPTH} levels")
        made: list[bytes] = []
        while pos < end:
            if delimited and self.content[pos : pos + 8] == self.source.implicit_header.pack(0xFFFE, 0xE00D, 0):
                return b"".join(made), pos + 8
            place = place_at(self.content, pos, end, self.source)
            new, pos = self._element(place, depth)
            made.append(new)
        if delimited:
            raise Truncated("an item of undefined length has no delimiter")
        return b"".join(made), pos

    def _element(self, place: Place, depth: int) -> tuple[bytes, int]:
        tag, vr = place.tag, place.vr.decode()
        after = place.value + place.length
        if vr == "SQ":
            items, after = self._items(place, depth)
            value = encode_items(items, self.target)
            return header(tag, vr, len(value), self.target) + value, after
        if place.length == UNDEFINED and vr == "UN":  # PS3.5 6.2.2: implicit VR little endian, wherever it stands
            after = Walker(self.content, _never).sequence(tag, place.value, -1, place.end, VERBATIM, IN_UNKNOWN)[0]
            return header(tag, vr, UNDEFINED, self.target) + bytes(self.content[place.value : after]), after
        if place.length == UNDEFINED:
            raise Rejected(f"{named(tag)} is compressed inside of an item, where it cannot be converted")
        if after > place.end:
            raise Truncated(f"{named(tag)} runs past the end of what it stands in")
        if not tag & 0xFFFF:
            return b"", after
        value = bytes(self.content[place.value : after])
        if self.source.big_endian != self.target.big_endian:
            value = swapped(value, vr)
        return encode(tag, vr, value, self.target), after

    def _items(self, place: Place, depth: int) -> tuple[list[bytes], int]:
        """What the items of a sequence hold, and where the sequence ends."""
        is_open = place.length == UNDEFINED
        end = place.end if is_open else place.value + place.length
        items: list[bytes] = []
        pos = place.value
        while pos < end:
            if pos + 8 > end or end > place.end:
                raise Truncated(f"{named(place.tag)} runs past the end of what it stands in")
            group, element, size = self.source.implicit_header.unpack_from(self.content, pos)
            pos += 8
            if is_open and (group, element, size) == (0xFFFE, 0xE0DD, 0):
                return items, pos
            if (group, element) != (0xFFFE, 0xE000) or (size != UNDEFINED and pos + size > end):
                raise Rejected(f"{named(place.tag)} holds something that is no item: the encoding is broken here")
            stop = end if size == UNDEFINED else pos + size
            item, pos = self.data_set(pos, stop, depth + 1, delimited=size == UNDEFINED)
            items.append(item)
        if is_open:
            raise Truncated(f"{named(place.tag)} has no end")
        return items, pos


def _never(rule: object, element: object) -> bytes:  # noqa: ARG001 - the verbatim rules name nothing to treat
    raise AssertionError
