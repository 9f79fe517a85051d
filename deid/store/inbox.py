"""What came over the network: each object gets its ticket, and the same SOP Instance UID again is told apart."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.model import State
from deid.store.database import transaction
from deid.store.digest import FormerDigest
from deid.store.rows import Rows
from deid.store.seal import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from deid.attributes.keys import Keys
    from deid.store.digest import Digest

DIFFERENT: Final = "another object with the same SOP Instance UID and different content was received before"
ELSEWHERE: Final = "it went another route to a destination of this one, which would get two versions of it"
_NONE: Final[Mapping[int, Collection[int]]] = MappingProxyType({})
_NOWHERE: Final[Mapping[int, Collection[str]]] = MappingProxyType({})


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
    held: str = ""  # why a person has to decide about it; "" where nobody has


class Inbox:
    """Makes tickets of arrivals. Any thread may use it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keys: Keys,
        beside: Mapping[int, Collection[int]] = _NONE,
        destinations: Mapping[int, Collection[str]] = _NOWHERE,
    ) -> None:
        """For a journey, `beside` has those that end where it ends, which is at `destinations`."""
        self._beside = beside
        self._destinations = destinations
        self._connection = connection
        self._rows = Rows(keys)
        self._in_turn = Lock()
        # The file in the spool is durable, and at the next start it gets the ticket that a power cut has taken away.
        connection.execute("PRAGMA synchronous = NORMAL")

    def digest(self, instance: str, transfer_syntax: str) -> Digest | FormerDigest:
        """Of an object that arrives: the kind by which those with its SOP Instance UID are known, if there are any.

        Raises Deferred when the ledger cannot be read.
        """
        query = "SELECT 1 FROM arrivals WHERE instance = ? AND length(content) = ? LIMIT 1"
        try:
            with self._in_turn:
                former = self._connection.execute(query, (self._rows.instance(instance), HASH_BYTES)).fetchone()
        except sqlite3.OperationalError as error:
            raise Deferred(f"the ledger cannot be read ({error.sqlite_errorname})") from None
        return FormerDigest(transfer_syntax) if former else self._rows.digest(transfer_syntax)

    def receive(self, arrival: Arrival) -> tuple[int, State]:
        """Its ticket and the state of that: RECEIVED, DUPLICATE, or HELD where the same UID was another object.

        Raises Deferred when the ledger cannot be written.
        """
        with self._in_turn, transaction(self._connection):
            return self._receive(arrival)

    def bring(self, ticket: int, journey: int) -> State:
        """Give a ticket to another journey, as if its object had arrived there; says how it stands there.

        Its duplicates go with it, and all files stay where they are. Raises Deferred when the ledger cannot be written.
        """
        with self._in_turn, transaction(self._connection):
            query = "SELECT journey, instance, content FROM arrivals WHERE ticket = ?"
            before, instance, content = self._connection.execute(query, (ticket,)).fetchone()
            state, reason = self._stands(journey, instance, content)
            query = (
                "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE a.journey = ?"
                " AND a.instance = ? AND a.content = ? AND (t.number = ? OR t.state = 'duplicate')"
            )
            for row in self._connection.execute(query, (before, instance, content, ticket)).fetchall():
                now, why = (state, reason) if row["number"] == ticket else (State.DUPLICATE, "")
                sealed = self._rows.source(self._rows.ticket_of(row).source, journey, row["source_hash"])
                self._connection.execute(
                    "UPDATE tickets SET journey = ?, source = ?, state = ?, reason = ?, instance = ?, leased_until = 0"
                    " WHERE number = ?",
                    (journey, sealed, now, why, instance, row["number"]),
                )
                self._connection.execute("UPDATE arrivals SET journey = ? WHERE ticket = ?", (journey, row["number"]))
            return state

    def sources_here(self) -> frozenset[str]:
        """The names of all files in the spool that a ticket knows."""
        query = (
            "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE NOT a.gone ORDER BY t.number"
        )
        return frozenset(self._rows.ticket_of(row).source.name for row in self._connection.execute(query))

    def count(self, journey: int) -> int:
        """How many objects of a journey have their files here."""
        query = "SELECT count(*) FROM arrivals WHERE NOT gone AND journey = ?"
        return int(self._connection.execute(query, (journey,)).fetchone()[0])

    def gone_of(self, names: Collection[str]) -> frozenset[str]:
        """Those of these names in the spool whose files were deleted before, as nobody needed them any more."""
        if not names:  # the usual: no need to open all that was ever received
            return frozenset()
        query = "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE a.gone"
        gone = (self._rows.ticket_of(row).source.name for row in self._connection.execute(query))
        return frozenset(name for name in gone if name in names)

    def _receive(self, arrival: Arrival) -> tuple[int, State]:
        rows = self._rows
        instance, content = rows.instance(arrival.instance), rows.content(arrival.content)
        state, reason = self._stands(arrival.journey, instance, content)
        if state is State.RECEIVED and arrival.held:
            state, reason = State.HELD, arrival.held
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
                    reason,
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

    def _stands(self, journey: int, instance: bytes, content: bytes) -> tuple[State, str]:
        """The state of an object that arrives in a journey, and why it is held."""
        known = self._known(journey, instance)
        if content in known:
            return State.DUPLICATE, ""
        if known:
            return State.HELD, DIFFERENT
        beside = any(self._known(other, instance) for other in self._beside.get(journey, ()))
        if beside or not self._went(journey, instance).isdisjoint(self._destinations.get(journey, ())):
            return State.HELD, ELSEWHERE
        return State.RECEIVED, ""

    def _known(self, journey: int, instance: bytes) -> set[bytes]:
        """What the objects of a SOP Instance UID hold.

        One that cannot be read is none that we have: perhaps its file was lost, and its sender sends it again.
        """
        query = (
            "SELECT a.content FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE a.journey = ?"
            " AND a.instance = ? AND t.state NOT IN ('duplicate', 'discarded', 'unreadable')"
        )
        return {bytes(row["content"]) for row in self._connection.execute(query, (journey, instance))}

    def _went(self, journey: int, instance: bytes) -> set[str]:
        """Where the objects of a SOP Instance UID went, or have to go, by other routes, which the settings once had."""
        query = (
            "SELECT d.destination FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket"
            " JOIN deliveries AS d USING (ticket) WHERE a.instance = ? AND a.journey <> ?"
            " AND (d.state = 'sent' OR t.state NOT IN ('discarded', 'unreadable'))"
        )
        return {row["destination"] for row in self._connection.execute(query, (instance, journey))}
