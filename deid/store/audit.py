"""The audit trail: one JSON line per event, each chained to the one before with the audit key; it only grows.

The chain shows a line that was changed or taken out; the head file beside it shows lines taken off the end, and all of
them: it is there before the first line. Events hold no identifying values.
"""

from __future__ import annotations

import hmac
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deid.errors import BadState
from deid.store.seal import HASH_BYTES, keyed_hash
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from deid.attributes.keys import Keys

CHAIN = b',"chain":"'
START = b""  # what the first line is chained to


class Audit:
    """The trail in one file; whoever holds the key can prove that it is whole."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._head = path.with_name(path.name + ".head")
        self._key = keys.audit

    def begin(self) -> None:
        """Write the head of a trail without lines, unless there is one. Raises BadState when it cannot be written."""
        if not self._head.exists():
            self._write(self._head, 0, self._head_of(0, START))

    def record(self, event: str, **fields: str | int) -> None:
        """Add one line; it is on the disk when this returns. Raises BadState if the trail so far is not whole."""
        lines, chain, size = self._read()
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        body = json.dumps({"time": time, "event": event, "fields": fields}, separators=(",", ":")).encode("ascii")[:-1]
        chain = self._chain(chain, body)
        # What follows the last whole line was torn by a crash before it was promised to anybody: overwritten.
        self._write(self._path, size, body + CHAIN + chain + b'"}\n')
        self._write(self._head, 0, self._head_of(lines + 1, chain))

    def verify(self) -> int:
        """The number of lines. Raises BadState that names the first line which was changed or is missing."""
        return self._read()[0]

    def pseudonym(self, value: str) -> str:
        """What stands in the trail for a value that somebody looked up: the same for the same value."""
        return keyed_hash(self._key, b"value", value.encode("utf-8", "surrogatepass")).hex()[: 2 * HASH_BYTES]

    def _read(self) -> tuple[int, bytes, int]:
        """Number of whole lines, chain value of the last one, and where it ends in the file."""
        whole, end_of_line, _torn = _content(self._path).rpartition(b"\n")
        lines = whole.split(b"\n") if end_of_line else []
        before, chain = START, START
        for number, line in enumerate(lines, 1):
            body, _, end = line.rpartition(CHAIN)
            before, chain = chain, self._chain(chain, body)
            if not hmac.compare_digest(end, chain + b'"}'):
                raise BadState(f"line {number} of the audit trail was changed or is missing")
        # A crash between the two writes leaves the trail one line ahead of its head.
        heads = (self._head_of(len(lines), chain), self._head_of(len(lines) - 1, before))
        if _content(self._head) not in heads:
            raise BadState(f"line {len(lines) + 1} of the audit trail is missing, or {self._head.name} was changed")
        return len(lines), chain, len(whole + end_of_line)

    def _chain(self, previous: bytes, body: bytes) -> bytes:
        return keyed_hash(self._key, b"line", previous + b"\n" + body).hex().encode("ascii")

    def _head_of(self, lines: int, chain: bytes) -> bytes:
        """Does not occur in the trail itself, so that nobody can shorten both without the key."""
        return b"%016d %s\n" % (lines, keyed_hash(self._key, b"head", b"%d %s" % (lines, chain)).hex().encode("ascii"))

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
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadState(f"the audit trail cannot be read: {error.strerror}") from None
