"""What destinations have been sent and have not said yet that they keep (Storage Commitment, PS3.4 Annex J).

Rows are made together with "sent" and end together with the answer. As long as there is one, nothing of the object is
deleted here, and no sender is told that it is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.store.database import transaction
from deid.store.deliveries import pause_after
from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping

    from deid.attributes.keys import Keys

_MOST: Final = (
    4  # attempts that may come to nothing, of which each takes as long as a result may; then a person decides
)
_LATEST: Final = 8 * 86_400.0  # seconds; nothing is due later: a destination has a week to answer at most
_DUE: Final = "(c.due <= ? OR c.due > ?)"  # what is due later than that was put off while the clock was ahead
_NO_RESULT: Final = "the destination has not said in time whether it keeps the object"


@dataclass(frozen=True, slots=True)
class Owed:
    """One object that a destination has been sent."""

    ticket: int
    journey: int
    path: str  # below the outbox of its journey

    @property
    def instance(self) -> str:
        """Its new SOP Instance UID, by which the destination knows it."""
        return PurePosixPath(self.path).stem


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """One object that a destination has not said to keep, for people; nothing of it identifies."""

    ticket: int
    destination: str
    stands: str  # "not asked", "asked" or "sent again"
    due: float | None  # seconds since 1970: when it is asked, or, if it was, has to have answered
    attempts: int  # that came to nothing


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the objects of one result, by ticket."""

    kept: tuple[int, ...] = ()
    again: tuple[int, ...] = ()  # they are sent again, or asked for again
    given_up: tuple[int, ...] = ()  # a person decides


class Custody:
    """Any thread may use it."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)
        self._in_turn = Lock()

    def due(self, destination: str, count: int, now: float) -> list[Owed]:
        """Up to `count` objects about which the destination is to be asked now."""
        query = f"c.destination = ? AND {_DUE} AND c.request = '' AND d.state = 'sent' AND t.state = 'released'"
        with self._in_turn:
            return self._owed(f"{query} ORDER BY c.due, c.ticket LIMIT ?", destination, now, now + _LATEST, count)

    def ask(self, destination: str, tickets: Iterable[int], request: str, until: float) -> None:
        """The destination is asked with this Transaction UID, and has time until then to take the request."""
        with self._in_turn, transaction(self._connection):
            self._set(destination, tickets, request, until)

    def asked(self, request: str, until: float) -> None:
        """The destination has taken the request with this Transaction UID, and has time until then for its result."""
        with self._in_turn, transaction(self._connection):
            self._connection.execute("UPDATE custody SET due = ? WHERE request = ? AND request <> ''", (until, request))

    def ask_anew(self, destination: str, due_by: float) -> None:
        """Whose result had to be here by then is asked for at once: for the start of the only process that asks.

        It is no attempt that came to nothing: nobody was here to take a result.
        """
        query = "UPDATE custody SET request = '', due = 0 WHERE destination = ? AND request <> '' AND due <= ?"
        with self._in_turn, transaction(self._connection):
            self._connection.execute(query, (destination, due_by))

    def ask_later(self, destination: str, tickets: Iterable[int], due: float) -> None:
        """The destination could not be asked."""
        with self._in_turn, transaction(self._connection):
            self._set(destination, tickets, "", due)

    def awaits(self, request: str) -> bool:
        """Whether there is an object of this Transaction UID without a result."""
        query = "SELECT EXISTS (SELECT 1 FROM custody WHERE request = ? AND request <> '')"
        with self._in_turn:
            return bool(self._connection.execute(query, (request,)).fetchone()[0])

    def settle(
        self, destinations: Collection[str], request: str, kept: Collection[str], failed: Mapping[str, str], now: float
    ) -> Settled:
        """Take a result down, which one of these destinations has brought: new SOP Instance UIDs, and why not.

        What it does not name still waits for one.
        """
        with self._in_turn, transaction(self._connection):
            done: list[int] = []
            again: list[int] = []
            given_up: list[int] = []
            for destination in destinations:
                query = "c.destination = ? AND c.request = ? AND c.request <> ''"
                for owed in self._owed(query, destination, request):
                    if owed.instance in failed:
                        sent_again = self._send_again(destination, owed.ticket, failed[owed.instance], now)
                        (again if sent_again else given_up).append(owed.ticket)
                    elif owed.instance in kept:
                        self._end(destination, owed.ticket)
                        done.append(owed.ticket)
        return Settled(tuple(done), tuple(again), tuple(given_up))

    def refused(self, destination: str, tickets: Iterable[int], reason: str, due: float, request: str = "") -> Settled:
        """The destination does not answer for these: ask again when that is due, or give up.

        What has had its result meanwhile, over another association, does not stand under this Transaction UID any more.
        """
        query = "SELECT 1 FROM custody WHERE ticket = ? AND destination = ? AND request = ?"
        with self._in_turn, transaction(self._connection):
            still = [
                each for each in tickets if self._connection.execute(query, (each, destination, request)).fetchone()
            ]
            return self._ask_again(destination, still, reason, due)

    def overdue(self, destination: str, now: float) -> Settled:
        """What has had no result in time is asked for again, or given up."""
        query = f"c.destination = ? AND {_DUE} AND c.request <> '' AND d.state = 'sent'"
        with self._in_turn:
            late = [owed.ticket for owed in self._owed(query, destination, now, now + _LATEST)]
            if not late:
                return Settled()
            with transaction(self._connection):
                return self._ask_again(destination, late, _NO_RESULT, now)

    def keep_only(self, destinations: Collection[str]) -> int:
        """Others than these are not asked any more: what they have been sent counts as theirs; says how much it was."""
        with self._in_turn, transaction(self._connection):
            there = [row["destination"] for row in self._connection.execute("SELECT DISTINCT destination FROM custody")]
            left = [(name,) for name in there if name not in destinations]
            return (
                self._connection.executemany("DELETE FROM custody WHERE destination = ?", left).rowcount if left else 0
            )

    def tally(self, destination: str) -> int:
        """How many objects the destination has been sent and has not said that it keeps."""
        query = "SELECT count(*) FROM custody JOIN deliveries USING (ticket, destination) WHERE destination = ?"
        with self._in_turn:
            return int(self._connection.execute(f"{query} AND state = 'sent'", (destination,)).fetchone()[0])

    def uncommitted(self) -> list[Uncommitted]:
        """What destinations were sent and have not said to keep; what a person decides about is not among it."""
        query = (
            "SELECT c.*, d.state FROM custody AS c JOIN deliveries AS d USING (ticket, destination)"
            " WHERE d.state <> 'failed' ORDER BY c.destination, c.ticket"
        )
        with self._in_turn:
            return [_uncommitted(row) for row in self._connection.execute(query)]

    def _owed(self, condition: str, *values: object) -> list[Owed]:
        query = (
            "SELECT t.* FROM custody AS c JOIN deliveries AS d USING (ticket, destination)"  # noqa: S608 - no value
            f" JOIN tickets AS t ON t.number = c.ticket WHERE {condition}"
        )
        rows = self._connection.execute(query, values).fetchall()
        return [Owed(row["number"], row["journey"], self._rows.path_of(row)) for row in rows]

    def _set(self, destination: str, tickets: Iterable[int], request: str, due: float) -> None:
        self._connection.executemany(
            "UPDATE custody SET request = ?, due = ? WHERE ticket = ? AND destination = ?",
            [(request, due, ticket, destination) for ticket in tickets],
        )

    def _ask_again(self, destination: str, tickets: Iterable[int], reason: str, due: float) -> Settled:
        again, given_up = [], []
        for ticket in tickets:
            if self._attempt(destination, ticket) < _MOST:
                self._set(destination, [ticket], "", due)
                again.append(ticket)
            else:
                self._give_up(destination, ticket, reason)
                given_up.append(ticket)
        return Settled((), tuple(again), tuple(given_up))

    def _send_again(self, destination: str, ticket: int, reason: str, now: float) -> bool:
        """Send it again after a pause, and say True; or leave it to a person."""
        attempts = self._attempt(destination, ticket)
        if attempts >= _MOST:
            self._give_up(destination, ticket, reason)
            return False
        self._set(destination, [ticket], "", now)
        query = "UPDATE deliveries SET state = 'waiting', due = ?, reason = ? WHERE ticket = ? AND destination = ?"
        self._connection.execute(query, (now + pause_after(attempts - 1), reason, ticket, destination))
        return True

    def _attempt(self, destination: str, ticket: int) -> int:
        query = "UPDATE custody SET attempts = attempts + 1 WHERE ticket = ? AND destination = ? RETURNING attempts"
        return int(self._connection.execute(query, (ticket, destination)).fetchone()[0])

    def _give_up(self, destination: str, ticket: int, reason: str) -> None:
        self._end(destination, ticket)
        query = "UPDATE deliveries SET state = 'failed', reason = ? WHERE ticket = ? AND destination = ?"
        self._connection.execute(query, (reason, ticket, destination))

    def _end(self, destination: str, ticket: int) -> None:
        self._connection.execute("DELETE FROM custody WHERE ticket = ? AND destination = ?", (ticket, destination))


def _uncommitted(row: sqlite3.Row) -> Uncommitted:
    stands = "sent again" if row["state"] == "waiting" else "asked" if row["request"] else "not asked"
    due = None if stands == "sent again" else row["due"]
    return Uncommitted(row["ticket"], row["destination"], stands, due, row["attempts"])
