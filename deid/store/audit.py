"""The audit trail: one JSON line per event, each chained to the one before with the audit key; it only grows.

The chain shows a line that was changed or taken out; the head file beside it shows lines taken off the end, and all of
them: it is there before the first line. Events hold no identifying values.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from deid.errors import BadState
from deid.store.seal import HASH_BYTES, keyed_hash
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from deid.attributes.keys import Keys

CHAIN = b',"chain":"'
START = b""  # what the first line is chained to
_DIGITS: Final = 16  # of the number of lines in the head
_MOST_AT_ONCE: Final = 256  # lines that are written together


class Audit:
    """The trail in one file; whoever holds the key can prove that it is whole."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._head = path.with_name(path.name + ".head")
        self._key = keys.audit
        self._end = 0, START, 0  # lines, chain value of the last one, and where it ends, as we left them

    def begin(self) -> None:
        """Write the head of a trail without lines, unless there is one. Raises BadState when it cannot be written."""
        if not self._head.exists():
            self._write(self._head, 0, self._head_of(0, START))

    def record(self, event: str, **fields: str | int) -> None:
        """Add one line; it is on the disk when this returns. Raises BadState as `record_all`."""
        self.record_all([(event, fields)])

    def record_all(self, events: Iterable[tuple[str, Mapping[str, str | int]]]) -> None:
        """Add a line for each event, 256 at most; all are on the disk when this returns.

        Raises BadState if the trail so far is not whole. It is read when somebody else may have written meanwhile.
        """
        with self._alone():
            lines, chain, size = self._end if self._is_as_we_left_it() else self._read()
            added = b""
            for event, fields in events:
                time = datetime.now(UTC).isoformat(timespec="milliseconds")
                line = {"time": time, "event": event, "fields": fields}
                body = json.dumps(line, separators=(",", ":")).encode("ascii")[:-1]
                chain = self._chain(chain, body)
                added += body + CHAIN + chain + b'"}\n'
                lines += 1
            # What follows the last whole line was torn by a crash before it was promised to anybody: overwritten.
            self._write(self._path, size, added)
            self._write(self._head, 0, self._head_of(lines, chain))
            self._end = lines, chain, size + len(added)

    def verify(self) -> int:
        """The number of lines. Raises BadState that names the first line which was changed or is missing."""
        return self._read()[0]

    def pseudonym(self, value: str) -> str:
        """What stands in the trail for a value that somebody looked up: the same for the same value."""
        return keyed_hash(self._key, b"value", value.encode("utf-8", "surrogatepass")).hex()[: 2 * HASH_BYTES]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A person may decide while the gateway writes: one at a time."""
        try:
            descriptor = os.open(self._head, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            raise BadState(f"the first line of the audit trail is missing: {self._head.name} cannot be read") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _is_as_we_left_it(self) -> bool:
        lines, chain, size = self._end
        if not lines or self._path.stat().st_size != size:
            return False
        return hmac.compare_digest(_content(self._head), self._head_of(lines, chain))

    def _read(self) -> tuple[int, bytes, int]:
        """Number of whole lines, chain value of the last one, and where it ends in the file."""
        head = _content(self._head)
        told = int(head[:_DIGITS]) if head[:_DIGITS].isdigit() else -1  # lines, as the head says
        number, size, chain = 0, 0, START
        at_head = chain
        for line in _lines(self._path):
            body, _, end = line[:-1].rpartition(CHAIN)
            number, size, chain = number + 1, size + len(line), self._chain(chain, body)
            if not hmac.compare_digest(end, chain + b'"}'):
                raise BadState(f"line {number} of the audit trail was changed or is missing")
            if number == told:
                at_head = chain
        # A crash between the two writes leaves the trail one group ahead of its head.
        if not 0 <= number - told <= _MOST_AT_ONCE or not hmac.compare_digest(head, self._head_of(told, at_head)):
            raise BadState(f"line {number + 1} of the audit trail is missing, or {self._head.name} was changed")
        return number, chain, size

    def _chain(self, previous: bytes, body: bytes) -> bytes:
        return keyed_hash(self._key, b"line", previous + b"\n" + body).hex().encode("ascii")

    def _head_of(self, lines: int, chain: bytes) -> bytes:
        """Does not occur in the trail itself, so that nobody can shorten both without the key."""
        return b"%0*d %s\n" % (
            _DIGITS,
            lines,
            keyed_hash(self._key, b"head", b"%d %s" % (lines, chain)).hex().encode("ascii"),
        )

    def _write(self, path: Path, at: int, content: bytes) -> None:
        try:
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
                file.seek(at)
                file.write(content)
                file.truncate()
                os.fsync(file.fileno())
            if not at:
                sync_folder(path.parent)
        except OSError as error:
            raise BadState(f"the audit trail cannot be written: {error.strerror}") from None


def _content(path: Path) -> bytes:
    return b"".join(_lines(path))


def _lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file; none where there is no file."""
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadState(f"the audit trail cannot be read: {error.strerror}") from None
