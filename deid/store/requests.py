"""What peers have asked us to commit to (PS3.4 Annex J): kept until they were told the result, whatever happens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.store.database import transaction
from deid.store.seal import Seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from deid.attributes.keys import Keys

_LATEST: Final = 3600.0  # seconds; no pause is longer
MOST: Final = 256  # requests of one peer that wait: no peer fills the disk with them
MOST_BYTES: Final = 64 << 20  # that they take together: 480,000 objects if all their UIDs are as long as can be


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; what it names identifies."""

    number: int
    peer: str  # AE title
    transaction: str
    objects: tuple[tuple[str, str], ...]  # SOP Class and original SOP Instance UID
    at: float  # seconds since 1970
    attempts: int  # to tell the result


class Requests:
    """Any thread may use it; no other one makes or claims requests meanwhile."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._seal = Seal(keys.ledger)
        self._in_turn = Lock()

    def add(self, peer: str, transaction_uid: str, objects: Sequence[tuple[str, str]], now: float) -> bool:
        """Keep a request; the same one again takes its place. False when this peer has too many that wait.

        It is on the disk when this returns. Raises Deferred when it cannot be.
        """
        digest = self._digest(peer, transaction_uid)
        sealed = self._seal.seal(json.dumps([transaction_uid, objects]).encode(), b"commitment" + digest)
        with self._in_turn, transaction(self._connection):
            query = "SELECT count(*), total(length(request)) FROM commitment_requests WHERE peer = ? AND hash <> ?"
            count, size = self._connection.execute(query, (peer, digest)).fetchone()
            if count >= MOST or size + len(sealed) > MOST_BYTES:
                return False
            self._connection.execute(
                "INSERT OR REPLACE INTO commitment_requests (peer, hash, request, asked, due) VALUES (?, ?, ?, ?, ?)",
                (peer, digest, sealed, now, now),
            )
        return True

    def claim(self, peers: Collection[str], now: float, lease: float) -> Asked | None:
        """A request of one of these peers that is due; nobody else gets it for `lease` seconds.

        What is due later than anything can be was put off while the clock was ahead, and is due now.
        """
        with self._in_turn:
            for peer in peers:
                query = (
                    "SELECT * FROM commitment_requests WHERE peer = ? AND (due <= ? OR due > ?) ORDER BY due LIMIT 1"
                )
                row = self._connection.execute(query, (peer, now, now + lease + _LATEST)).fetchone()
                if row is not None:
                    with transaction(self._connection):
                        self._set_due(row["number"], now + lease)
                    return self._asked(row)
        return None

    def later(self, asked: Asked, due: float) -> None:
        """There is no result yet."""
        with self._in_turn, transaction(self._connection):
            self._set_due(asked.number, due)

    def not_told(self, asked: Asked, due: float) -> None:
        """The peer could not be told: whatever it has asked for waits until then."""
        with self._in_turn, transaction(self._connection):
            query = "UPDATE commitment_requests SET attempts = attempts + 1 WHERE number = ?"
            self._connection.execute(query, (asked.number,))
            query = "UPDATE commitment_requests SET due = max(due, ?) WHERE peer = ?"
            self._connection.execute(query, (due, asked.peer))

    def done(self, asked: Asked) -> None:
        """The peer was told, or never will be. Where it was long ago, another request has the number by now."""
        digest = self._digest(asked.peer, asked.transaction)
        with self._in_turn, transaction(self._connection):
            query = "DELETE FROM commitment_requests WHERE number = ? AND hash = ?"
            self._connection.execute(query, (asked.number, digest))

    def expire(self, asked_before: float) -> dict[str, int]:
        """Forget what peers have asked for so long ago; says how many requests of which peer."""
        with self._in_turn:
            query = "SELECT peer FROM commitment_requests WHERE asked < ?"
            gone = [row["peer"] for row in self._connection.execute(query, (asked_before,))]
            if gone:
                with transaction(self._connection):
                    self._connection.execute("DELETE FROM commitment_requests WHERE asked < ?", (asked_before,))
        return {peer: gone.count(peer) for peer in gone}

    def free_leases(self) -> None:
        """Nobody is at anything: for the start of the only process that tells results."""
        with self._in_turn, transaction(self._connection):
            self._connection.execute("UPDATE commitment_requests SET due = 0")

    def waiting(self) -> int:
        """How many requests have no result that was told."""
        with self._in_turn:
            return int(self._connection.execute("SELECT count(*) FROM commitment_requests").fetchone()[0])

    def open(self) -> list[Asked]:
        """All that have no result that was told, oldest first."""
        with self._in_turn:
            rows = self._connection.execute("SELECT * FROM commitment_requests ORDER BY asked, number").fetchall()
        return [self._asked(row) for row in rows]

    def _digest(self, peer: str, transaction_uid: str) -> bytes:
        return self._seal.hash(b"commitment", f"{peer}\0{transaction_uid}".encode())

    def _set_due(self, number: int, due: float) -> None:
        self._connection.execute("UPDATE commitment_requests SET due = ? WHERE number = ?", (due, number))

    def _asked(self, row: sqlite3.Row) -> Asked:
        opened = json.loads(self._seal.open(row["request"], b"commitment" + row["hash"]))
        objects = tuple((sop_class, instance) for sop_class, instance in opened[1])
        return Asked(row["number"], row["peer"], opened[0], objects, row["asked"], row["attempts"])
