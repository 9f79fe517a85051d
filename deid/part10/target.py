"""Write a file of PS3.10: group 0002 built anew, the pieces of the data set, large values copied by the kernel."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from deid.part10.encoding import EXPLICIT_LITTLE, encode, is_deflated
from deid.part10.place import Fresh, Span, Truncated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from deid.part10.source import Source

IMPLEMENTATION_CLASS_UID: Final = "2.25.313749386204511929512463170146275583051"
IMPLEMENTATION_VERSION: Final = "DEID_GATEWAY"
_CHUNK: Final = 1 << 20

Piece = bytes | bytearray | Span | Fresh


def file_meta(sop_class: str, instance: str, transfer_syntax: str, sender: str = "", receiver: str = "") -> bytes:
    """Preamble of zeros, "DICM" and File Meta Information that describes us, not the source (PS3.15 E.1.1 step 7).

    `sender` and `receiver` are the AE titles by which an object came into the spool; what is published names none.
    """
    elements = b"".join(
        encode(tag, vr, value, EXPLICIT_LITTLE)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", sop_class.encode()),
            (0x00020003, "UI", instance.encode()),
            (0x00020010, "UI", transfer_syntax.encode()),
            (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
            (0x00020013, "SH", IMPLEMENTATION_VERSION.encode()),
            (0x00020016, "AE", sender.encode()),
            (0x00020018, "AE", receiver.encode()),
        )
        if value
    )
    length = encode(0x00020000, "UL", len(elements).to_bytes(4, "little"), EXPLICIT_LITTLE)
    return b"\0" * 128 + b"DICM" + length + elements


def write(path: Path, source: Source, meta: bytes, pieces: Sequence[Piece]) -> None:
    """Make the file, which must not exist yet. It is not synced; its name should be one that nobody takes for final."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if is_deflated(source.transfer_syntax):
            _write_all(descriptor, meta)
            for chunk in _deflate(source, pieces):
                _write_all(descriptor, chunk)
            return
        waiting: list[bytes | bytearray] = [meta]
        for piece in pieces:
            if isinstance(piece, (bytes, bytearray)):
                waiting.append(piece)
                continue
            _write_all(descriptor, b"".join(waiting))
            waiting = []
            if isinstance(piece, Span):
                _copy(source, piece, descriptor)
            else:
                for chunk in piece.chunks():
                    _write_all(descriptor, chunk)
        _write_all(descriptor, b"".join(waiting))
        # Linux begins to write what it is told to forget: less is left for the sync that this object waits for.
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy(source: Source, span: Span, descriptor: int) -> None:
    """Let the kernel copy (or share) the range; where it cannot, through one buffer."""
    offset, left = span
    try:
        while left:
            copied = os.copy_file_range(source.descriptor, descriptor, left, offset)
            if not copied:
                break
            offset += copied
            left -= copied
    except OSError:
        pass  # another file system, or one without the call: go on where it stopped
    for chunk in _chunks(source, Span(offset, left)):
        _write_all(descriptor, chunk)


def _deflate(source: Source, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """PS3.5 A.5: the data set as one raw deflate stream, padded to even length."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for chunk in chunks_of(source, pieces):
        packed = stream.compress(chunk)
        length += len(packed)
        yield packed
    packed = stream.flush()
    yield packed + b"\0" * ((length + len(packed)) % 2)


def chunks_of(source: Source, pieces: Sequence[Piece]) -> Iterator[bytes | bytearray]:
    """The data set that these pieces make, in bytes that fit into memory."""
    for piece in pieces:
        yield from _parts(source, piece)


def length_of(pieces: Sequence[Piece]) -> int | None:
    """Of the data set that these pieces make, before any deflation; None where it shows only when they are made."""
    lengths = [len(piece) if isinstance(piece, (bytes, bytearray)) else piece.length for piece in pieces]
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else None


def _parts(source: Source, piece: Piece) -> Iterable[bytes | bytearray]:
    if isinstance(piece, Span):
        return _chunks(source, piece)
    return piece.chunks() if isinstance(piece, Fresh) else (piece,)


def _chunks(source: Source, span: Span) -> Iterator[bytes]:
    offset, left = span
    while left:
        chunk = source.read(offset, min(left, _CHUNK))
        if not chunk:
            raise Truncated("the file became shorter while it was read")
        yield chunk
        offset += len(chunk)
        left -= len(chunk)
