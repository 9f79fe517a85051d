"""Whether an object that a peer has sent is safe elsewhere, so that the peer may delete its own."""

from __future__ import annotations

from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from deid.model import State
from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3

    from deid.attributes.keys import Keys


class Standing(StrEnum):
    """How far an object is, as its sender may know it."""

    SAFE = "safe"  # every destination has it, and keeps it where it is asked whether it does
    PENDING = "pending"  # on its way; nothing is lost, and nothing is promised yet
    NOT_SAFE = "not safe"  # held, unreadable, discarded or undeliverable: a person decides, and may give it up
    UNKNOWN = "unknown"  # this peer has not sent it, whoever else may have
    OTHER_CLASS = "other class"


class Standings:
    """Reads the ledger. Any thread may use it."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)
        self._in_turn = Lock()

    def of(self, peer: str, sop_class: str, instance: str) -> Standing:
        """By the original SOP Instance UID, of what this peer has sent itself."""
        with self._in_turn:
            return self._of(peer, sop_class, self._rows.instance(instance))

    def _of(self, peer: str, sop_class: str, instance: bytes) -> Standing:
        query = (
            "SELECT a.*, t.state FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket"
            " WHERE a.instance = ? AND a.peer = ?"
        )
        sent = self._connection.execute(query, (instance, peer)).fetchall()
        if not sent:
            return Standing.UNKNOWN
        if any(row["sop_class"] not in ("", sop_class) for row in sent):
            return Standing.OTHER_CLASS
        # What was sent again after a person had discarded it counts in its place.
        still = [row for row in sent if row["state"] != State.DISCARDED]
        found = {self._of_arrival(row) for row in still} or {Standing.NOT_SAFE}
        return next(each for each in (Standing.NOT_SAFE, Standing.PENDING, Standing.SAFE) if each in found)

    def _of_arrival(self, row: sqlite3.Row) -> Standing:
        if row["state"] not in (State.DUPLICATE, State.UNREADABLE):
            return self._of_ticket(row["ticket"], row["state"])
        # What the gateway has lost, and was sent again, stands as that.
        query = (
            "SELECT t.number, t.state FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE a.journey = ?"
            " AND a.instance = ? AND a.content = ? AND t.state NOT IN ('duplicate', 'discarded', 'unreadable')"
        )
        first = self._connection.execute(query, (row["journey"], row["instance"], row["content"])).fetchone()
        return self._of_ticket(*first) if first else Standing.NOT_SAFE

    def _of_ticket(self, ticket: int, state: str) -> Standing:
        if state == State.RECEIVED:
            return Standing.PENDING
        query = (
            "SELECT d.state, c.due IS NULL AS kept FROM deliveries AS d"
            " LEFT JOIN custody AS c USING (ticket, destination) WHERE d.ticket = ?"
        )
        deliveries = {tuple(row) for row in self._connection.execute(query, (ticket,))}
        if state != State.RELEASED or not deliveries or any(there == "failed" for there, _ in deliveries):
            return Standing.NOT_SAFE
        if self._connection.execute("SELECT 1 FROM given_up WHERE ticket = ?", (ticket,)).fetchone():
            return Standing.NOT_SAFE
        return Standing.SAFE if deliveries == {("sent", True)} else Standing.PENDING
