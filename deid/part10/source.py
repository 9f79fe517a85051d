"""A file of PS3.10 opened for reading: its transfer syntax, and the outline of its data set.

The outline knows where every element of the top level lies. Large binary values stay on disk as spans, so memory does
not depend on the size of the pixels; every length is checked against the file before memory is asked for.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deid.errors import Deferred, Rejected, Unreadable
from deid.part10.encoding import (
    BINARY,
    EXPLICIT_LITTLE,
    FORMS,
    IN_UNKNOWN,
    SHORT,
    STRANGE,
    UNDEFINED,
    Encoding,
    encoding_of,
    is_deflated,
)
from deid.part10.walk import DESCEND, VERBATIM, Place, Span, Truncated, Walker, is_explicit, named
from deid.standard.dictionary import vr_of

WINDOW: Final = 1 << 16
BULK: Final = 1 << 14
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, Double Float and Pixel Data: nothing that may stay follows them."""
MOST_ELEMENTS: Final = 1 << 16
"""At the top level, where each is remembered; real objects have some hundreds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one object may ask for, in bytes. More is held."""

    header: int = 256 << 20  # everything but large binary values
    inflated: int = 512 << 20  # a deflated data set, inflated on disk


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


@dataclass(slots=True)
class Source:
    """An open file: `descriptor` is readable from `start`, where the data set begins, to `size`."""

    descriptor: int
    start: int
    size: int
    transfer_syntax: str
    media_storage_class: str

    @property
    def encoding(self) -> Encoding:
        """How the data set is encoded."""
        return encoding_of(self.transfer_syntax)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of the file, fewer only at its end."""
        try:
            return os.pread(self.descriptor, count, offset)
        except OSError as error:
            raise Unreadable(f"the file cannot be read ({os.strerror(error.errno or 0)})") from None

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)


def open_source(path: Path | str, limits: Limits, work: Path | None = None) -> Source:
    """Open a DICOM file. Raises Unreadable when it is none, Rejected when what it is cannot be known for sure.

    A deflated data set is inflated into an unnamed file in `work` (PS3.5 A.5), bounded by the limits.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise Unreadable(f"the file cannot be opened ({os.strerror(error.errno or 0)})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("this is not a regular file")  # noqa: TRY301 - the descriptor is closed below
        source = _read_meta(descriptor, status.st_size)
        encoding_of(source.transfer_syntax)
        if is_deflated(source.transfer_syntax):
            inflated = _inflate(source, limits, work)
            os.close(descriptor)
            return inflated
    except OSError as error:
        os.close(descriptor)
        raise Unreadable(f"the file cannot be read ({os.strerror(error.errno or 0)})") from None
    except BaseException:
        os.close(descriptor)
        raise
    return source


def _read_meta(descriptor: int, size: int) -> Source:
    """PS3.10 7.1: 128 bytes of preamble, "DICM", and File Meta Information in explicit VR little endian."""
    head = os.pread(descriptor, WINDOW, 0)
    if head[128:132] == b"DICM":
        start = 132
    elif head[:4] == b"\x02\0\0\0" or head[:4] == b"\x02\0\x10\0":
        start = 0
    elif head[:2] in (b"\x08\0", b"\0\x08") and head[2:4] < b"\x20":
        raise Rejected("there is no File Meta Information: the transfer syntax is not stated, and guessing could leak")
    else:
        raise Unreadable("this is not a DICOM file")
    meta: dict[int, bytes] = {}
    pos = start
    while head[pos : pos + 2] == b"\x02\0":
        place = _place(head, pos, len(head), EXPLICIT_LITTLE)
        if place.length == UNDEFINED or place.value + place.length > len(head):
            raise Rejected("the File Meta Information runs past its end")
        pos = place.value + place.length
        meta[place.tag] = head[place.value : pos]
    if pos + 2 > len(head) and pos < size:
        raise Rejected(f"the File Meta Information takes more than {WINDOW >> 10} kB")
    if pos >= size:
        raise Truncated("the file ends with its File Meta Information")
    transfer_syntax = meta.get(0x00020010, b"").decode("latin-1").strip(" \0")
    if not transfer_syntax:
        raise Rejected("the File Meta Information states no transfer syntax, and guessing could leak")
    return Source(descriptor, pos, size, transfer_syntax, meta.get(0x00020002, b"").decode("latin-1").strip(" \0"))


def _inflate(source: Source, limits: Limits, work: Path | None) -> Source:
    size = 0
    try:
        with tempfile.TemporaryFile(dir=work) as file:
            for plain in _inflated(source):
                size += len(plain)
                if size > limits.inflated:
                    raise Rejected(f"the deflated data set grows beyond {limits.inflated >> 20} MB")
                file.write(plain)
            file.flush()
            return Source(os.dup(file.fileno()), 0, size, source.transfer_syntax, source.media_storage_class)
    except OSError as error:
        raise Deferred(f"a deflated data set cannot be inflated here ({os.strerror(error.errno or 0)})") from None


def _inflated(source: Source) -> Iterator[bytes]:
    """The data set, piece by piece, each of bounded size."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    offset = source.start
    while not stream.eof:
        chunk = stream.unconsumed_tail
        if not chunk:
            chunk = source.read(offset, WINDOW)
            offset += len(chunk)
        try:
            plain = stream.decompress(chunk, 1 << 20)  # without a chunk: what zlib still holds back
        except zlib.error:
            raise Rejected("the deflated data set is damaged") from None
        if not plain and not chunk and not stream.eof:
            raise Truncated("the deflated data set ends too early")
        yield plain


def _place(buffer: bytes | bytearray, pos: int, end: int, encoding: Encoding) -> Place:
    """Read one element's header. `end` is where the buffer ends."""
    if pos + 12 > end:
        buffer = bytes(buffer[pos:end]) + b"\0" * 12  # an element of 8 bytes may end the data set
        place = _place(buffer, 0, len(buffer), encoding)
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


def _is_sequence(place: Place) -> bool:
    return place.vr == b"SQ" or VERBATIM[place.tag] is DESCEND


def outline(source: Source, limits: Limits) -> Outline:
    """Find every element of the top level. Raises Rejected, Truncated where the encoding or the file ends."""
    return _Outliner(source, limits, Outline(source.encoding)).run()


@dataclass(slots=True)
class _Outliner:
    source: Source
    limits: Limits
    result: Outline
    offset: int = 0  # in the file, of what comes behind the buffer

    def run(self) -> Outline:
        source, result = self.source, self.result
        encoding, buffer, places = result.encoding, result.buffer, result.places
        explicit, short = encoding.explicit, encoding.explicit_header.unpack_from
        new = tuple.__new__
        self.offset = source.start
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
                if FORMS.get(vr) == SHORT and group < 0x7FE0:
                    after = pos + 8 + length
                    if after <= len(buffer):
                        places.append(new(Place, (group << 16 | element, vr, pos, pos + 8, length, after)))
                        pos = after
                        continue
            place = _place(buffer, pos, len(buffer), encoding)
            pos = self._append(place)
            if place.tag in PIXELS:
                self._refuse_elements_behind(pos)
                break
        if len({place.tag for place in places}) < len(places):
            raise Rejected("an element occurs twice, and readers differ in which one they take (PS3.5 7.1)")
        result.trailing = source.size - self.offset + len(buffer) - pos
        del buffer[pos:]
        return result

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
        known = vr.decode() if vr else (vr_of(tag) or "UN").split()[0]
        if length == UNDEFINED:
            if vr in (b"OB", b"OW"):
                return self._append_span(place, self._end_of_fragments(tag, value))
            after = self._end_of_items(place)
        else:
            after = value + length
            if after - len(buffer) > self.source.size - self.offset:
                raise Truncated(f"{named(tag)} runs past the end of the file")
            if known in BINARY and length >= BULK and not _is_sequence(place):
                return self._append_span(place, self._file_offset(value) + length)
            if after > len(buffer):
                self._fill(after - len(buffer))
        self.result.places.append(place._replace(end=after))
        return after

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
        group, element, *_ = self.result.encoding.implicit_header.unpack_from(buffer, pos)
        if 0x0008 <= group < 0x7FE0 and not group & 1 and vr_of(group << 16 | element):
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


def same_data_set(one: Path, other: Path) -> bool:
    """Whether two files hold the same data set in the same transfer syntax, whatever their File Meta says."""
    limits = Limits()
    with closing(open_source(one, limits)) as left, closing(open_source(other, limits)) as right:
        if left.transfer_syntax != right.transfer_syntax or left.size - left.start != right.size - right.start:
            return False
        return all(
            left.read(left.start + at, 1 << 20) == right.read(right.start + at, 1 << 20)
            for at in range(0, left.size - left.start, 1 << 20)
        )
