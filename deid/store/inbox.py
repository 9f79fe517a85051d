"""What came over the network: each object gets its ticket, and the same SOP Instance UID again is told apart."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.model import State
from deid.store.database import transaction
from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from deid.attributes.keys import Keys

DIFFERENT: Final = "another object with the same SOP Instance UID and different content was received before"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One object that is durable in the spool and has no ticket yet."""

    journey: int
    source: Path
    instance: str  # original SOP Instance UID; identifies
    content: bytes  # digest of transfer syntax and data set
    peer: str  # AE title
    at: float  # seconds since 1970
    sop_class: str = ""  # where the object says it


class Inbox:
    """Makes tickets of arrivals. Any thread may use it."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)
        self._in_turn = Lock()
        # The file in the spool is durable, and at the next start it gets the ticket that a power cut has taken away.
        connection.execute("PRAGMA synchronous = NORMAL")

    def receive(self, arrival: Arrival) -> tuple[int, State]:
        """Its ticket and the state of that: RECEIVED, DUPLICATE, or HELD where the same UID was another object.

        Raises Deferred when the ledger cannot be written.
        """
        with self._in_turn, transaction(self._connection):
            return self._receive(arrival)

    def sources_here(self) -> frozenset[str]:
        """The names of all files in the spool that a ticket knows."""
        query = (
            "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE NOT a.gone ORDER BY t.number"
        )
        return frozenset(self._rows.ticket_of(row).source.name for row in self._connection.execute(query))

    def _receive(self, arrival: Arrival) -> tuple[int, State]:
        rows = self._rows
        instance, content = rows.instance(arrival.instance), rows.content(arrival.content)
        query = (
            "SELECT a.content FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE a.journey = ?"
            " AND a.instance = ? AND t.state NOT IN ('duplicate', 'discarded')"
        )
        known = {bytes(row["content"]) for row in self._connection.execute(query, (arrival.journey, instance))}
        state = State.RECEIVED if not known else State.DUPLICATE if content in known else State.HELD
        digest = rows.source_hash(arrival.source)
        ticket = (
            self._connection.execute(
                "INSERT INTO tickets (journey, enrolment, source_hash, source, fingerprint, state, reason, instance)"
                " VALUES (?, 0, ?, ?, x'', ?, ?, ?)",
                (
                    arrival.journey,
                    digest,
                    rows.source(arrival.source, arrival.journey, digest),
                    state,
                    DIFFERENT if state is State.HELD else "",
                    instance,
                ),
            ).lastrowid
            or 0
        )
        self._connection.execute(
            "INSERT INTO arrivals (ticket, journey, instance, content, peer, arrived, sop_class)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (ticket, arrival.journey, instance, content, arrival.peer, arrival.at, arrival.sop_class),
        )
        return ticket, state
