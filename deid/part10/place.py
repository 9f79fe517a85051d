"""Where an element lies in a buffer or in its file, and how its header is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from deid.errors import Rejected
from deid.part10.encoding import FORMS, SHORT, STRANGE, Encoding
from deid.standard.dictionary import name_of


class Truncated(Rejected):
    """The data set ends inside an element."""


def named(tag: int) -> str:
    """The keyword for an error text. Read out of step, a tag may be bytes of a value, so others are not told."""
    name = name_of(tag)
    return "an element that is not in the data dictionary" if name[0] == "(" else name


class Place(NamedTuple):
    """Where an element lies in the buffer: header, value, length as stated, and the end of the data set around it."""

    tag: int
    vr: bytes  # b"" in implicit VR
    start: int
    value: int
    length: int
    end: int


class Span(NamedTuple):
    """A range of the source file that never enters memory."""

    offset: int
    length: int


class Fresh(NamedTuple):
    """Bytes that are made while they are written, so that they never stand in memory together."""

    chunks: Callable[[], Iterator[bytes]]
    length: int | None  # of all of them; None where it shows only when they are made


def place_at(buffer: bytes | bytearray, pos: int, end: int, encoding: Encoding) -> Place:
    """Read one element's header. `end` is where the buffer ends."""
    if pos + 12 > end:
        buffer = bytes(buffer[pos:end]) + b"\0" * 12  # an element of 8 bytes may end the data set
        place = place_at(buffer, 0, len(buffer), encoding)
        if pos + place.value > end:
            raise Truncated("a data set ends inside an element's header")
        return place._replace(start=pos, value=pos + place.value, end=end)
    if not encoding.explicit:
        group, element, length = encoding.implicit_header.unpack_from(buffer, pos)
        return Place(group << 16 | element, b"", pos, pos + 8, length, end)
    group, element, vr, length = encoding.explicit_header.unpack_from(buffer, pos)
    form = FORMS.get(vr, STRANGE)
    if form == SHORT:
        return Place(group << 16 | element, vr, pos, pos + 8, length, end)
    if form == STRANGE:
        raise Rejected(f"{named(group << 16 | element)} has no valid VR: the encoding is broken here")
    return Place(group << 16 | element, vr, pos, pos + 12, encoding.length32.unpack_from(buffer, pos + 8)[0], end)
