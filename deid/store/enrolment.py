"""The tickets of a folder's files: what a listing means for those that are there, and for those that are not."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from deid.model import State
from deid.store.database import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from deid.store.rows import Rows

ROWS = 4096  # per transaction or page, so that memory does not grow with the number of files

RECEIVE_AGAIN = (
    "UPDATE tickets SET state = 'received', reason = '', leak = 0, findings = '[]', instance = NULL, path = NULL,"
    " changes = NULL, pixels = '', leased_until = 0 WHERE number = ?"
)
# There is a source to make the object from: the last listing has seen it, and it has not changed since.
SEEN = "enrolment = (SELECT enrolment FROM journeys WHERE number = tickets.journey) AND NOT superseded"
# The ticket that had released the SOP Instance UID of these duplicates was itself received again.
DUPLICATES_OF_NOTHING = (
    "SELECT number FROM tickets WHERE journey = ? AND state = 'duplicate' AND NOT EXISTS"  # noqa: S608 - no value
    " (SELECT 1 FROM tickets AS first WHERE first.journey = tickets.journey AND first.instance = tickets.instance"
    " AND first.state = 'released' AND NOT first.superseded) AND " + SEEN
)
# Neither its source nor its published file is there, but another file with the same data set is.
GIVE_WAY = (
    "UPDATE tickets AS gone SET state = 'duplicate', path = NULL WHERE number = ? AND EXISTS"  # noqa: S608 - no value
    " (SELECT 1 FROM tickets WHERE journey = gone.journey AND instance = gone.instance AND state = 'duplicate' AND "
    + SEEN
    + ")"
)
CHANGED = "its file has changed since; what was released stays"
GONE = "the source is gone"


class Enrolment:
    """Takes listings in. Only the queue calls it."""

    def __init__(self, connection: sqlite3.Connection, rows: Rows) -> None:
        self._connection = connection
        self._rows = rows

    def take_in(self, journey: int, sources: Iterable[tuple[Path, tuple[int, ...]]]) -> None:
        """One listing, in as many transactions as its length needs."""
        with transaction(self._connection):
            self._connection.execute("UPDATE journeys SET enrolment = enrolment + 1 WHERE number = ?", (journey,))
            query = "SELECT enrolment FROM journeys WHERE number = ?"
            (enrolment,) = self._connection.execute(query, (journey,)).fetchone()
        listing = iter(sources)
        while chunk := list(islice(listing, ROWS)):
            with transaction(self._connection):
                for file in chunk:
                    self._enrol(journey, enrolment, *file)
        with transaction(self._connection):
            gone = (journey, enrolment)
            query = "DELETE FROM tickets WHERE journey = ? AND state IN ('received', 'unreadable') AND enrolment < ?"
            self._connection.execute(query + " AND NOT ended", gone)
            query = "UPDATE tickets SET state = 'unreadable', reason = ? WHERE journey = ? AND state = 'received'"
            self._connection.execute(query + " AND enrolment < ?", (GONE, *gone))
            self.receive_lonely_duplicates(journey)

    def receive_lonely_duplicates(self, journey: int) -> None:
        """Duplicates of what is not released any more, within the transaction of the caller."""
        lonely = self._connection.execute(DUPLICATES_OF_NOTHING, (journey,)).fetchall()
        self._connection.executemany(RECEIVE_AGAIN, lonely)

    def _enrol(self, journey: int, enrolment: int, source: Path, status: tuple[int, ...]) -> None:
        digest = self._rows.source_hash(source)
        fingerprint = self._rows.fingerprint(digest, status)
        query = (
            "SELECT number, fingerprint, state FROM tickets WHERE journey = ? AND source_hash = ? AND NOT superseded"
        )
        known = self._connection.execute(query, (journey, digest)).fetchone()
        changed = known is not None and known["fingerprint"] != fingerprint
        if changed and known["state"] == State.RELEASED:
            supersede = "UPDATE tickets SET superseded = 1, reason = ? WHERE number = ?"
            self._connection.execute(supersede, (CHANGED, known["number"]))
            known = None
        if known is None:
            self._connection.execute(
                "INSERT INTO tickets (journey, enrolment, source_hash, source, fingerprint) VALUES (?, ?, ?, ?, ?)",
                (journey, enrolment, digest, self._rows.source(source, journey, digest), fingerprint),
            )
            return
        number = known["number"]
        self._connection.execute("UPDATE tickets SET enrolment = ? WHERE number = ?", (enrolment, number))
        if changed or known["state"] == State.UNREADABLE:  # perhaps it can be read by now
            self._connection.execute(RECEIVE_AGAIN, (number,))
        if changed:
            self._connection.execute(
                "UPDATE tickets SET fingerprint = ?, accepted = '[]' WHERE number = ?", (fingerprint, number)
            )
