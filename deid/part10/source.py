"""A file of PS3.10 opened for reading: its File Meta Information, and its data set inflated if need be."""

from __future__ import annotations

import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from deid.errors import Rejected, Unreadable, fate
from deid.part10.encoding import EXPLICIT_LITTLE, UNDEFINED, Encoding, encoding_of, is_deflated
from deid.part10.place import Truncated, place_at

WINDOW: Final = 1 << 15
"""Bytes read at a time; a header mostly takes less."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one object may ask for, in bytes. More is held."""

    header: int = 256 << 20  # everything but large binary values
    inflated: int = 512 << 20  # a deflated data set, inflated on disk


@dataclass(slots=True)
class Source:
    """An open file: `descriptor` is readable from `start`, where the data set begins, to `size`."""

    descriptor: int
    start: int
    size: int
    transfer_syntax: str
    media_storage_class: str
    head: bytes = b""  # how the data set begins, read together with the File Meta Information
    sender: str = ""  # Source Application Entity Title
    receiver: str = ""  # Receiving Application Entity Title

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
    source = open_stored(path)
    if not is_deflated(source.transfer_syntax):
        return source
    with closing(source):
        return _inflate(source, limits, work)


def open_stored(path: Path | str) -> Source:
    """Open a DICOM file as it stands, a deflated data set as well. Raises Unreadable or Rejected, as above."""
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
    except OSError as error:
        os.close(descriptor)
        raise Unreadable(f"the file cannot be read ({os.strerror(error.errno or 0)})") from None
    except BaseException:
        os.close(descriptor)
        raise
    return source


class Meta(NamedTuple):
    """What the File Meta Information says, and where the data set begins behind it."""

    start: int
    transfer_syntax: str
    media_storage_class: str
    media_storage_instance: str
    sender: str
    receiver: str


def meta_in(head: bytes, size: int) -> Meta:
    """PS3.10 7.1: 128 bytes of preamble, "DICM", and File Meta Information in explicit VR little endian.

    `head` is how a file of so many bytes begins: the whole, or `WINDOW` bytes. Raises Unreadable and Rejected.
    """
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
        place = place_at(head, pos, len(head), EXPLICIT_LITTLE)
        if place.length == UNDEFINED or place.value + place.length > len(head):
            raise Rejected("the File Meta Information runs past its end")
        pos = place.value + place.length
        meta[place.tag] = head[place.value : pos]
    if pos + 2 > len(head) and pos < size:
        raise Rejected(f"the File Meta Information takes more than {WINDOW >> 10} kB")
    if pos >= size:
        raise Truncated("the file ends with its File Meta Information")
    told = (0x00020010, 0x00020002, 0x00020003, 0x00020016, 0x00020018)
    found = Meta(pos, *(meta.get(tag, b"").decode("latin-1").strip(" \0") for tag in told))
    if not found.transfer_syntax:
        raise Rejected("the File Meta Information states no transfer syntax, and guessing could leak")
    return found


def _read_meta(descriptor: int, size: int) -> Source:
    head = os.pread(descriptor, WINDOW, 0)
    meta = meta_in(head, size)
    behind = head[meta.start :]
    return Source(
        descriptor, meta.start, size, meta.transfer_syntax, meta.media_storage_class, behind, meta.sender, meta.receiver
    )


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
            descriptor = os.dup(file.fileno())
            return replace(source, descriptor=descriptor, start=0, size=size, head=b"")
    except OSError as error:
        raise fate(error, "a deflated data set cannot be inflated here") from None


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


def same_data_set(one: Path, other: Path, limits: Limits, work: Path) -> bool:
    """Whether two files hold the same data set in the same transfer syntax, whatever their File Meta says.

    Raises what `open_source` raises.
    """
    with closing(open_source(one, limits, work)) as left, closing(open_source(other, limits, work)) as right:
        if left.transfer_syntax != right.transfer_syntax or left.size - left.start != right.size - right.start:
            return False
        return all(
            left.read(left.start + at, 1 << 20) == right.read(right.start + at, 1 << 20)
            for at in range(0, left.size - left.start, 1 << 20)
        )
