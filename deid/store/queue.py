"""The queue: every ticket's state, one method per change, one transaction per method."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from deid.errors import BadState
from deid.model import State
from deid.store.crosswalk import Crosswalk
from deid.store.database import passing_transaction, transaction
from deid.store.ends import Ends
from deid.store.enrolment import GIVE_WAY, RECEIVE_AGAIN, ROWS, SEEN, Enrolment
from deid.store.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from deid.attributes.keys import Keys
    from deid.model import Chosen, Outcome, Replacement, Ticket
    from deid.store.rows import Journey, Record

_SLACK: Final = 60.0  # seconds that a clock may be set back without anything being done twice
_SENT_BEFORE: Final = (
    "what was made of it is gone from the outbox, and a destination was sent it before: retry it, which makes another"
    " version of it if the profile or the program has changed since, or discard it"
)


class Queue:
    """The tickets of all journeys. A ticket that is RECEIVED is not done yet, whatever crashed before."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)
        self._crosswalk = Crosswalk(connection, keys)
        self._enrolment = Enrolment(connection, self._rows)
        self._ends = Ends(connection, self._rows, self._crosswalk)

    # Journeys

    def journey(self, source: Path, target: Path, plan: str, chosen: Chosen | None = None) -> int:
        """The number of this journey, made when it is new. The same folders and plan are the same journey."""
        digest, folders = self._rows.folders(source, target, plan)
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO journeys (hash, folders, plan) SELECT ?1, ?2, ?3"
                " WHERE NOT EXISTS (SELECT 1 FROM journeys WHERE hash = ?1)",
                (digest, folders, plan),
            )
            if chosen:
                words = json.dumps(asdict(chosen))
                self._connection.execute("UPDATE journeys SET chosen = ? WHERE hash = ?", (words, digest))
            return int(self._connection.execute("SELECT number FROM journeys WHERE hash = ?", (digest,)).fetchone()[0])

    def journeys(self) -> list[Journey]:
        """All journeys, oldest first."""
        return [self._journey(row) for row in self._connection.execute("SELECT * FROM journeys ORDER BY number")]

    def tally(self, journey: int) -> dict[State, int]:
        """How many tickets are in each state; every state has its number, 0 included."""
        query = "SELECT state, count(*) FROM tickets WHERE journey = ? GROUP BY state"
        return dict.fromkeys(State, 0) | {State(state): n for state, n in self._connection.execute(query, (journey,))}

    def leaks(self, journey: int) -> int:
        """How many tickets are held because verification found an identifying value."""
        query = "SELECT count(*) FROM tickets WHERE journey = ? AND state = 'held' AND leak"
        return int(self._connection.execute(query, (journey,)).fetchone()[0])

    def reasons(self, journey: int) -> tuple[tuple[str, int], ...]:
        """Why tickets are held or unreadable, and how many for each reason, most frequent first."""
        query = (
            "SELECT reason, count(*) AS n FROM tickets WHERE journey = ? AND state IN ('held', 'unreadable')"
            " GROUP BY reason ORDER BY n DESC, reason"
        )
        return tuple((reason, n) for reason, n in self._connection.execute(query, (journey,)))

    # What a run does

    def enrol(self, journey: int, sources: Iterable[tuple[Path, tuple[int, ...]]]) -> None:
        """Take in a listing of files and what differs when they change: what is new, changed or unreadable is RECEIVED.

        What was released stays, also when its file has changed: then that has another ticket. A ticket whose file is
        gone is forgotten if it never was more than unreadable; else it stays, or is unreadable if it was to be made
        again. After a crash in between, list again.
        """
        self._enrolment.take_in(journey, sources)

    def received(self, journey: int, after: int, count: int) -> list[Ticket]:
        """The next RECEIVED tickets with a number above `after`, in order: for who has the ledger alone, or looks."""
        query = "SELECT * FROM tickets WHERE journey = ? AND state = 'received' AND number > ? ORDER BY number LIMIT ?"
        return [self._rows.ticket_of(row) for row in self._connection.execute(query, (journey, after, count))]

    def claim(self, journey: int, count: int, now: float, lease: float) -> list[Ticket]:
        """Up to `count` RECEIVED tickets, oldest first; nobody else gets them for `lease` seconds.

        Then they come back by themselves, whatever became of who claimed them. What is leased for longer than anything
        can be was claimed while the clock was ahead, and is nobody's now.
        """
        query = (
            "SELECT * FROM tickets WHERE journey = ? AND state = 'received' AND (leased_until <= ? OR leased_until > ?)"
            " ORDER BY number LIMIT ?"
        )
        with passing_transaction(self._connection):
            rows = self._connection.execute(query, (journey, now, now + lease + _SLACK, count)).fetchall()
            self._lease([row["number"] for row in rows], now + lease)
        return [self._rows.ticket_of(row) for row in rows]

    def extend(self, numbers: Collection[int], until: float) -> None:
        """Somebody is still at these tickets; or not any more, where `until` is now."""
        if numbers:
            with passing_transaction(self._connection):
                self._lease(numbers, until)

    def free_leases(self) -> None:
        """Nobody is at anything: for the start of the only process that works."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE tickets SET leased_until = 0 WHERE journey IN (SELECT number FROM journeys)"
                " AND state = 'received' AND leased_until <> 0"
            )

    def is_of_another(self, replacement: Replacement) -> bool:
        """Whether the crosswalk has another original for a replacement."""
        return self._crosswalk.is_of_another(replacement)

    def record_ends(self, journey: int, outcomes: Sequence[Outcome], destinations: Sequence[str] = ()) -> None:
        """End a group of RECEIVED tickets, and record the crosswalk of the released ones: all of it or nothing.

        What is released waits for each of the destinations from then on.
        Raises BadState when a ticket is not RECEIVED, or when its SOP Instance UID was already released by another.
        """
        try:
            with transaction(self._connection):
                for outcome in outcomes:
                    self._ends.record(journey, outcome)
                self._connection.executemany(
                    "INSERT OR IGNORE INTO deliveries (ticket, destination) VALUES (?, ?)",
                    [
                        (outcome.ticket, destination)
                        for outcome in outcomes
                        if outcome.state is State.RELEASED
                        for destination in destinations
                    ],
                )
        except BaseException:
            self._crosswalk.forget()  # its rows were rolled back as well
            raise

    def released(self, journey: int, original_instance: str) -> Ticket | None:
        """The ticket that has released this SOP Instance UID in this journey, unless its file has changed since."""
        query = "SELECT * FROM tickets WHERE journey = ? AND instance = ? AND state = 'released' AND NOT superseded"
        row = self._connection.execute(query, (journey, self._rows.instance(original_instance))).fetchone()
        return None if row is None else self._rows.ticket_of(row)

    def released_paths(self, journey: int) -> Iterator[tuple[int, str]]:
        """Number and path of every released ticket, page by page; `reopen` may be called in between."""
        query = "SELECT * FROM tickets WHERE journey = ? AND state = 'released' AND number > ? ORDER BY number LIMIT ?"
        after = 0
        while page := self._connection.execute(query, (journey, after, ROWS)).fetchall():
            yield from ((row["number"], self._rows.path_of(row)) for row in page)
            after = page[-1]["number"]

    def reopen(self, journey: int, numbers: Iterable[int]) -> None:
        """Receive released tickets again, whose published files have vanished, and the duplicates of them.

        Where the source is gone as well, a duplicate takes its place; without one, it stays released.
        """
        with transaction(self._connection):
            for number in numbers:
                self._expect(number, "reopened", State.RELEASED)
                self._connection.execute(GIVE_WAY, (number,))
                self._connection.execute(f"{RECEIVE_AGAIN} AND state = 'released' AND {SEEN}", (number,))
            self._enrolment.receive_lonely_duplicates(journey)

    def make_again(self, number: int) -> str:
        """Receive a released ticket again whose published file has vanished, and whose original is in the spool.

        Nothing happens to one that is received already: two destinations may miss the same file. Where a destination
        has been sent the object, that version stays, and no other one goes anywhere by itself: profile or program may
        have changed since, and there would be two under one SOP Instance UID. Sending the new one to all would not mend
        that: archives keep the first, and many say that they stored the second. Then it is held, and the reason given
        back.
        """
        sent = "SELECT 1 FROM deliveries WHERE ticket = ?1 AND state = 'sent'"
        sent += " UNION SELECT 1 FROM custody WHERE ticket = ?1"
        with transaction(self._connection):
            again = self._connection.execute(f"{RECEIVE_AGAIN} AND state = 'released'", (number,))
            if not again.rowcount or not self._connection.execute(sent, (number,)).fetchone():
                return ""
            hold = "UPDATE tickets SET state = 'held', reason = ? WHERE number = ?"
            self._connection.execute(hold, (_SENT_BEFORE, number))
            return _SENT_BEFORE

    def strand(self, journeys: Collection[int], reason: str) -> int:
        """Hold what has arrived for other journeys than these, and nobody works at; says how many tickets it was."""
        with transaction(self._connection):
            arrived = self._connection.execute(
                "SELECT DISTINCT a.journey FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket"
                " WHERE NOT a.gone AND t.state = 'received'"
            )
            left = [(reason, row["journey"]) for row in arrived if row["journey"] not in journeys]
            query = "UPDATE tickets SET state = 'held', reason = ? WHERE journey = ? AND state = 'received'"
            return self._connection.executemany(query, left).rowcount if left else 0

    # What a person does

    def kept_back(self, journey: int | None = None) -> list[Ticket]:
        """The tickets that are held or unreadable, of one journey or of all."""
        query = (
            "SELECT * FROM tickets WHERE state IN ('held', 'unreadable') AND (?1 IS NULL OR journey = ?1)"
            " ORDER BY number"
        )
        return [self._rows.ticket_of(row) for row in self._connection.execute(query, (journey,))]

    def show(self, number: int) -> Record:
        """Everything about one ticket."""
        row = self._expect(number, "shown", *State)
        journeys = self._connection.execute("SELECT * FROM journeys WHERE number = ?", (row["journey"],))
        changes = self._connection.execute("SELECT changes FROM changes WHERE number = ?", (row["changes"],)).fetchone()
        journey = self._journey(journeys.fetchone())
        return self._rows.record_of(row, journey, changes["changes"] if changes else "[]")

    def retry(self, number: int) -> None:
        """Receive a ticket again: the world or the program has changed. What a person accepted stays accepted."""
        with transaction(self._connection):
            self._expect(number, "retried", State.HELD, State.UNREADABLE, State.DISCARDED)
            if self._connection.execute("SELECT 1 FROM arrivals WHERE ticket = ? AND gone", (number,)).fetchone():
                raise BadState(f"ticket {number} cannot be retried: its file was deleted; let the object be sent again")
            self._connection.execute(RECEIVE_AGAIN, (number,))

    def release(self, number: int) -> None:
        """Accept what verification found in this held ticket, and receive it again; a changed file loses this."""
        with transaction(self._connection):
            row = self._expect(number, "released by a person", State.HELD)
            found = {attribute for attribute, _ in json.loads(row["findings"])}
            if not found:
                raise BadState(
                    f"ticket {number} is not held for findings of verification, so there is nothing to accept:"
                    " remove the reason why it is held and retry it, or discard it"
                )
            accepted = json.dumps(sorted(found | set(json.loads(row["accepted"]))))
            self._connection.execute(RECEIVE_AGAIN, (number,))
            self._connection.execute("UPDATE tickets SET accepted = ? WHERE number = ?", (accepted, number))

    def discard(self, number: int) -> None:
        """Give a ticket up that is held or unreadable."""
        with transaction(self._connection):
            self._expect(number, "discarded", State.HELD, State.UNREADABLE)
            # Of one that was to be made again: no destination waits for it any more, and nothing of it is kept for one.
            self._connection.execute("DELETE FROM deliveries WHERE ticket = ? AND state = 'waiting'", (number,))
            self._connection.execute("UPDATE tickets SET state = 'discarded', ended = 1 WHERE number = ?", (number,))

    # Rows

    def _lease(self, numbers: Iterable[int], until: float) -> None:
        query = "UPDATE tickets SET leased_until = ? WHERE number = ?"
        self._connection.executemany(query, [(until, number) for number in numbers])

    def _expect(self, number: int, done: str, *states: State) -> sqlite3.Row:
        """The row of a ticket in one of these states; else BadState says what cannot be `done` and why."""
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT * FROM tickets WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            raise BadState(f"there is no ticket {number}")
        if row["state"] not in states:
            raise BadState(f"ticket {number} is {row['state']}; only what is {' or '.join(states)} can be {done}")
        return row

    def _journey(self, row: sqlite3.Row) -> Journey:
        return self._rows.journey_of(row, self.tally(row["number"]))
