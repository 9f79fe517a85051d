"""Where released objects have to go: one row for each object and destination, one transaction per change of state.

A delivery that is claimed comes back by itself when its lease ends, whatever became of who claimed it. So an object may
be sent twice, and is never lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.model import State
from deid.store.database import passing_transaction, transaction
from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from deid.attributes.keys import Keys

_FIRST_PAUSE: Final = 5.0  # seconds after the first failure; twice as long after each further one
_LONGEST_PAUSE: Final = 900.0
_MOST_DECLINED: Final = 20  # times
_WHILE_OTHERS_GO: Final = 86_400.0  # seconds: an archive may be full over a night
_WHILE_NONE_GOES: Final = 14 * 86_400.0  # seconds: it may be broken over holidays, and break off at all that comes
_SUSPECT: Final = 2  # times it was not taken: from then on it goes alone, and after the others
_SLACK: Final = 60.0  # seconds that a clock may be set back without anything being sent twice


@dataclass(frozen=True, slots=True)
class Delivery:
    """One object for one destination, claimed by one sender."""

    ticket: int
    journey: int
    path: str  # below the outbox of its journey
    attempts: int


@dataclass(frozen=True, slots=True)
class Finished:
    """An object whose files nobody needs any more."""

    ticket: int
    journey: int
    source: Path
    path: str  # "" for a duplicate, of which nothing was made


def pause_after(attempts: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts, 16))


class Deliveries:
    """The outgoing side of the queue."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)

    def claim(self, destination: str, count: int, now: float, lease: float, *, suspect: bool = False) -> list[Delivery]:
        """Up to `count` deliveries that are due, oldest first; nobody else gets them for `lease` seconds.

        What the destination did not take again and again comes alone and when nothing else is due, but before all
        others where it is the turn of a `suspect`. What is due later than anything can be was put off while the clock
        was ahead, and is due now.
        """
        query = (
            "SELECT d.attempts, t.* FROM deliveries AS d JOIN tickets AS t ON t.number = d.ticket"
            " WHERE d.destination = ?1 AND d.state = 'waiting' AND (d.due <= ?2 OR d.due > ?3) AND t.state = 'released'"
            " AND {} EXISTS (SELECT 1 FROM declined AS n WHERE n.ticket = d.ticket AND n.destination = ?1"
            " AND n.times >= ?4) ORDER BY d.due, d.ticket LIMIT ?5"
        )
        due = (destination, now, now + max(lease, _LONGEST_PAUSE) + _SLACK, _SUSPECT)
        ways = [("NOT", count), ("", 1)]
        with passing_transaction(self._connection):  # a power cut ends all leases
            found = (
                self._connection.execute(query.format(way), (*due, most)).fetchall()
                for way, most in (reversed(ways) if suspect else ways)
            )
            rows: list[sqlite3.Row] = next(filter(None, found), [])
            self._set_due(destination, [row["number"] for row in rows], now + lease)
        return [Delivery(row["number"], row["journey"], self._rows.path_of(row), row["attempts"]) for row in rows]

    def extend(self, destination: str, tickets: Collection[int], until: float) -> None:
        """The sender is still at it; or not any more, where `until` is now."""
        if tickets:
            with passing_transaction(self._connection):
                self._set_due(destination, tickets, until)

    def sent(self, destination: str, tickets: Iterable[int], ask_at: float | None = None) -> None:
        """The destination has them. `ask_at` is when it is to be asked whether it keeps them, if it is asked at all."""
        with transaction(self._connection):
            if ask_at is not None:
                self._connection.executemany(
                    "INSERT INTO custody (ticket, destination, due) VALUES (?1, ?2, ?3)"
                    " ON CONFLICT DO UPDATE SET request = '', due = ?3",
                    [(ticket, destination, ask_at) for ticket in tickets],
                )
            rows = [(ticket, destination) for ticket in tickets]
            self._connection.executemany(
                "UPDATE deliveries SET state = 'sent', reason = '' WHERE ticket = ? AND destination = ?", rows
            )
            self._connection.executemany("DELETE FROM declined WHERE ticket = ? AND destination = ?", rows)

    def again(self, destination: str, ticket: int, reason: str, now: float) -> None:
        """It could not be sent now: try again after a pause, which grows with each failure."""
        with transaction(self._connection):
            query = "SELECT attempts FROM deliveries WHERE ticket = ? AND destination = ?"
            (attempts,) = self._connection.execute(query, (ticket, destination)).fetchone()
            self._connection.execute(
                "UPDATE deliveries SET attempts = ?, due = ?, reason = ? WHERE ticket = ? AND destination = ?",
                (attempts + 1, now + pause_after(attempts), reason, ticket, destination),
            )

    def declined(self, destination: str, ticket: int, reason: str, now: float, *, blamed: bool) -> bool:
        """The destination was there and did not take this one now, or broke off at it.

        It is to be `blamed` where another one was taken since the last time; otherwise all of them may have the same
        trouble. It is tried again as above; often enough, and for long enough, a person decides. Says whether that is
        so.
        """
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO declined (ticket, destination, times, since, blamed, blamed_since)"
                " VALUES (?1, ?2, 1, ?3, ?4, ?3) ON CONFLICT DO UPDATE SET times = times + 1, since = min(since, ?3),"
                " blamed = blamed + ?4, blamed_since = iif(blamed, min(blamed_since, ?3), ?3)",
                (ticket, destination, now, blamed),
            )
            query = "SELECT times, since, blamed, blamed_since FROM declined WHERE ticket = ? AND destination = ?"
            times, since, blames, blamed_since = self._connection.execute(query, (ticket, destination)).fetchone()
        # Once others go, what it was not taken in an outage counts no more.
        often, since, least = (blames, blamed_since, _WHILE_OTHERS_GO) if blamed else (times, since, _WHILE_NONE_GOES)
        if often >= _MOST_DECLINED and now - since >= least:
            self.failed(destination, ticket, reason)
            return True
        self.again(destination, ticket, reason, now)
        return False

    def failed(self, destination: str, ticket: int, reason: str) -> None:
        """The destination will never take it: a person decides."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE deliveries SET state = 'failed', attempts = attempts + 1, reason = ?"
                " WHERE ticket = ? AND destination = ?",
                (reason, ticket, destination),
            )

    def retry(self, ticket: int) -> int:
        """Send again what failed for good; says to how many destinations."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM declined WHERE ticket = ?", (ticket,))
            query = "UPDATE deliveries SET state = 'waiting', due = 0, attempts = 0, reason = '' WHERE ticket = ?"
            return self._connection.execute(f"{query} AND state = 'failed'", (ticket,)).rowcount

    def discard(self, ticket: int) -> int:
        """Give up what failed for good; says how many destinations will not get the object."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR IGNORE INTO given_up (ticket, destination)"
                " SELECT ticket, destination FROM deliveries WHERE ticket = ? AND state = 'failed'",
                (ticket,),
            )
            query = "DELETE FROM deliveries WHERE ticket = ? AND state = 'failed'"
            return self._connection.execute(query, (ticket,)).rowcount

    def failures(self) -> list[tuple[int, str, str]]:
        """Ticket, destination and reason of what failed for good."""
        query = "SELECT ticket, destination, reason FROM deliveries WHERE state = 'failed' ORDER BY ticket, destination"
        return [(row["ticket"], row["destination"], row["reason"]) for row in self._connection.execute(query)]

    def of(self, ticket: int) -> list[tuple[str, str, str]]:
        """Destination, state and reason of each delivery of one object."""
        query = "SELECT destination, state, reason FROM deliveries WHERE ticket = ? ORDER BY destination"
        return [tuple(row) for row in self._connection.execute(query, (ticket,))]

    def free_leases(self) -> None:
        """Nobody is at anything, and each is tried now: for the start of the only process that sends."""
        with transaction(self._connection):
            self._connection.execute("UPDATE deliveries SET due = 0 WHERE state = 'waiting'")

    def tally(self, destination: str) -> dict[str, int]:
        """How many deliveries are waiting, sent and failed."""
        query = "SELECT state, count(*) FROM deliveries WHERE destination = ? GROUP BY state"
        found = self._connection.execute(query, (destination,)).fetchall()
        return {"waiting": 0, "sent": 0, "failed": 0} | dict(found)

    def destinations(self) -> set[str]:
        """Where objects went or have to go, whether or not the settings still know it."""
        return {row["destination"] for row in self._connection.execute("SELECT DISTINCT destination FROM deliveries")}

    def strand(self, destinations: Collection[str], reason: str) -> int:
        """What waits for others than these destinations waits for a person; says how many deliveries it was."""
        with transaction(self._connection):
            waiting = self._connection.execute("SELECT DISTINCT destination FROM deliveries WHERE state = 'waiting'")
            left = [(reason, row["destination"]) for row in waiting if row["destination"] not in destinations]
            query = "UPDATE deliveries SET state = 'failed', reason = ? WHERE destination = ? AND state = 'waiting'"
            return self._connection.executemany(query, left).rowcount if left else 0

    def arrived_by(self, now: float) -> None:
        """Take what has arrived later for having arrived now: the clock was ahead, and it would stay for too long."""
        with transaction(self._connection):
            self._connection.execute("UPDATE arrivals SET arrived = ?1 WHERE arrived > ?1 AND NOT gone", (now,))

    def let_go(self, arrived_before: float, count: int) -> list[Finished]:
        """Objects that every destination has, duplicates, and what a person has discarded: oldest first.

        Not before a destination that is asked whether it keeps them has said so. What was discarded is gone from now
        on: nobody may retry it while its file is deleted.
        """
        with transaction(self._connection):
            rows = self._connection.execute(
                "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE NOT a.gone"
                " AND a.arrived <= ? AND t.state IN ('released', 'duplicate', 'discarded') AND NOT EXISTS"
                " (SELECT 1 FROM deliveries AS d LEFT JOIN custody AS c USING (ticket, destination)"
                " WHERE d.ticket = a.ticket AND (d.state <> 'sent' OR c.due IS NOT NULL))"
                " ORDER BY a.arrived LIMIT ?",
                (arrived_before, count),
            ).fetchall()
            self._set_gone([row["number"] for row in rows if row["state"] == State.DISCARDED], gone=True)
        return [
            Finished(
                row["number"],
                row["journey"],
                self._rows.ticket_of(row).source,
                self._rows.path_of(row) if row["path"] else "",
            )
            for row in rows
        ]

    def gone(self, tickets: Iterable[int]) -> None:
        """The files of these objects were deleted."""
        with transaction(self._connection):
            self._set_gone(tickets, gone=True)

    def not_gone(self, tickets: Iterable[int]) -> None:
        """The files of these objects could not be deleted."""
        with transaction(self._connection):
            self._set_gone(tickets, gone=False)

    def _set_gone(self, tickets: Iterable[int], *, gone: bool) -> None:
        query = "UPDATE arrivals SET gone = ? WHERE ticket = ?"
        self._connection.executemany(query, [(gone, ticket) for ticket in tickets])

    def _set_due(self, destination: str, tickets: Iterable[int], due: float) -> None:
        self._connection.executemany(
            "UPDATE deliveries SET due = ? WHERE ticket = ? AND destination = ? AND state = 'waiting'",
            [(due, ticket, destination) for ticket in tickets],
        )
