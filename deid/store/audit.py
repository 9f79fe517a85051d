"""The audit trail: one JSON line per event, each chained to the one before with the audit key; it only grows.

The chain shows a line that was changed or taken out; the head file beside it shows lines taken off the end, and all of
them: it is there before the first line. Events hold no identifying values.

A line is written at once and synced with others: the death of the process takes none away, a power cut those that no
`sync` has followed.
"""

from __future__ import annotations

import errno
import fcntl
import hmac
import json
import os
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.errors import BadState, Deferred
from deid.store.seal import HASH_BYTES, keyed_hash
from deid.store.sync import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from deid.attributes.keys import Keys

CHAIN = b',"chain":"'
START = b""  # what the first line is chained to
_DIGITS: Final = 16  # of the number of lines in the head
_MOST_AHEAD: Final = 1 << 16  # lines of the trail that its head does not know yet
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}
_PROMISED: Final = "the audit trail is shorter than what was read of it before"


class Position(NamedTuple):
    """A place between two lines: how many are before it, the chain value of the last of them, and where it ends."""

    lines: int = 0
    chain: bytes = START
    size: int = 0


class Line(NamedTuple):
    """One event as it stands in the trail."""

    time: str
    event: str
    fields: Mapping[str, str | int]


class Audit:
    """The trail in one file; whoever holds the key can prove that it is whole."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._head = path.with_name(path.name + ".head")
        self._key = keys.audit
        self._end = Position()  # as we left it
        self._synced = 0  # lines
        self._known = b""  # the head, as we have written or checked it
        self._at_head = Position()  # what it tells; somebody else's may tell more, and less than our end

    def begin(self) -> None:
        """Write the head of a trail without lines, unless there is one. Raises BadState when it cannot be written."""
        if not self._head.exists():
            self._write(self._head, 0, self._head_of(Position()))
            sync_file(self._head)
            sync_folder(self._head.parent)

    def record(self, event: str, **fields: str | int) -> None:
        """Add one line; it is on the disk when this returns. Raises BadState and Deferred as `append`."""
        self.append([(event, fields)])
        self.sync()

    def append(self, events: Iterable[tuple[str, Mapping[str, str | int]]]) -> None:
        """Add a line for each event; no end of this process takes them away any more, and a power cut not after `sync`.

        Raises BadState if the trail so far is not whole, and Deferred when there is no room on the disk. It is read on
        when somebody else has written meanwhile.
        """
        with self._alone() as head:
            lines, chain, size = self._end if self._is_as_we_left_it(head) else self._read(self._at_head)
            added = b""
            for event, fields in events:
                time = datetime.now(UTC).isoformat(timespec="milliseconds")
                line = {"time": time, "event": event, "fields": fields}
                body = json.dumps(line, separators=(",", ":")).encode("ascii")[:-1]
                chain = self._chain(chain, body)
                added += body + CHAIN + chain + b'"}\n'
                lines += 1
            # What follows the last whole line was torn by a crash before it was promised to anybody: overwritten.
            try:
                self._write(self._path, size, added)
            except Deferred:
                with _named("written"), suppress(FileNotFoundError):
                    os.truncate(self._path, size)  # whole lines that fitted would stand there again when there is room
                raise
            self._end = Position(lines, chain, size + len(added))

    def sync(self) -> None:
        """See to it that what was appended is on the disk, and that the head knows it. Raises as `append`."""
        end = self._end
        if end.lines == self._synced:
            return
        with _named("written"):
            sync_file(self._path)  # nobody has to wait for it who appends
            with self._alone():
                if self._told() < end.lines:
                    head = self._head_of(end)
                    self._write(self._head, 0, head)
                    self._known, self._at_head = head, end
                else:  # somebody else's: it speaks for our lines only if they are still there
                    self._read(self._at_head)
            sync_file(self._head)
            if not self._synced:
                sync_folder(self._path.parent)
        self._synced = end.lines

    def lines(self) -> int:
        """How many the head knows. Raises BadState when there is no head."""
        return self._told()

    def after(self, start: Position, count: int) -> tuple[list[Line], Position]:
        """Up to so many lines after a position, as far as the head knows them, and the position after these.

        Raises BadState where the trail was changed, or does not reach to the position.
        """
        with self._alone():
            told = self._told()
            if told < start.lines or self._size() < start.size:
                raise BadState(_PROMISED)
            lines: list[Line] = []
            number, chain, size = start
            for line in _lines(self._path, size):
                if number == told or len(lines) == count:
                    break
                number, size, chain = number + 1, size + len(line), self._checked(line, chain, number + 1)
                said = json.loads(line)
                lines.append(Line(said["time"], said["event"], said["fields"]))
            return lines, Position(number, chain, size)

    def verify(self) -> int:
        """The number of lines. Raises BadState that names the first line which was changed or is missing."""
        return self._read(Position()).lines

    def pseudonym(self, value: str) -> str:
        """What stands in the trail for a value that somebody looked up: the same for the same value."""
        return keyed_hash(self._key, b"value", value.encode("utf-8", "surrogatepass")).hex()[: 2 * HASH_BYTES]

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """A person may decide while the gateway writes: one at a time. Gives a descriptor of the head."""
        try:
            descriptor = os.open(self._head, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            raise BadState(f"the first line of the audit trail is missing: {self._head.name} cannot be read") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_as_we_left_it(self, head: int) -> bool:
        """Without reading what was read already: an event is told while others wait."""
        if not self._known or os.pread(head, 2 * len(self._known), 0) != self._known:
            return False
        return self._size() == self._end.size

    def _read(self, start: Position) -> Position:
        """Where the trail ends; what comes after `start` is checked, and the head, unless we have written it."""
        head = _content(self._head)
        told = int(head[:_DIGITS]) if head[:_DIGITS].isdigit() else -1  # lines, as the head says
        if self._size() < self._end.size:
            raise BadState(_PROMISED)
        number, chain, size = start
        at_head = start if told == number else None
        for line in _lines(self._path, size):
            number, size, chain = number + 1, size + len(line), self._checked(line, chain, number + 1)
            if number == told:
                at_head = Position(number, chain, size)
            if number == self._end.lines and chain != self._end.chain:
                raise BadState(_PROMISED)
        if number < self._end.lines:
            raise BadState(_PROMISED)
        known = bool(self._known) and head == self._known
        if at_head is not None and not known:
            known = hmac.compare_digest(head, self._head_of(at_head))
        # A crash before the head is written leaves the trail ahead of it.
        if not known or not 0 <= number - told <= _MOST_AHEAD:
            raise BadState(f"line {number + 1} of the audit trail is missing, or {self._head.name} was changed")
        self._known, self._at_head = head, at_head or self._at_head
        return Position(number, chain, size)

    def _checked(self, line: bytes, chain: bytes, number: int) -> bytes:
        """The chain value of a line that follows another's."""
        body, _, end = line[:-1].rpartition(CHAIN)
        chain = self._chain(chain, body)
        if not hmac.compare_digest(end, chain + b'"}'):
            raise BadState(f"line {number} of the audit trail was changed or is missing")
        return chain

    def _told(self) -> int:
        head = _content(self._head)[:_DIGITS]
        if not head.isdigit():
            raise BadState(f"{self._head.name} of the audit trail is missing, or was changed")
        return int(head)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _chain(self, previous: bytes, body: bytes) -> bytes:
        return keyed_hash(self._key, b"line", previous + b"\n" + body).hex().encode("ascii")

    def _head_of(self, at: Position) -> bytes:
        """Does not occur in the trail itself, so that nobody can shorten both without the key."""
        mac = keyed_hash(self._key, b"head", b"%d %s" % (at.lines, at.chain)).hex().encode("ascii")
        return b"%0*d %s\n" % (_DIGITS, at.lines, mac)

    @staticmethod
    def _write(path: Path, at: int, content: bytes) -> None:
        with _named("written"):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                written = 0
                while written < len(content):
                    written += os.pwrite(descriptor, content[written:], at + written)
                os.ftruncate(descriptor, at + written)
            finally:
                os.close(descriptor)


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = Deferred if error.errno in _NO_ROOM else BadState
        raise kind(f"the audit trail cannot be {what}: {error.strerror}") from None


def _content(path: Path) -> bytes:
    return b"".join(_lines(path, 0))


def _lines(path: Path, start: int) -> Iterator[bytes]:
    """The whole lines of a file from a place on; none where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadState(f"the audit trail cannot be read: {error.strerror}") from None
