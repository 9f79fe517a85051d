"""What became of the tickets of a journey, for a report; only read, page by page, and nothing of it is a source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.model import Change, Finding, State
from deid.store.enrolment import ROWS
from deid.store.rows import Rows, pixels_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from deid.attributes.keys import Keys
    from deid.model import Pixels


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A ticket that is held or unreadable."""

    number: int
    state: State
    reason: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """A published object."""

    number: int
    path: str  # below the journey's target
    changes: int  # the set of changes it shares with others, see `changes`
    pixels: Pixels | None


class Results:
    """Reads the ledger."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)

    def kept_back(self, journey: int) -> Iterator[KeptBack]:
        """Every ticket that is held or unreadable, in order."""
        for row in self._pages(journey, "state IN ('held', 'unreadable')"):
            findings = tuple(Finding(*finding) for finding in json.loads(row["findings"]))
            yield KeptBack(row["number"], State(row["state"]), row["reason"], findings)

    def released(self, journey: int) -> Iterator[Released]:
        """Every released ticket, in order."""
        for row in self._pages(journey, "state = 'released'"):
            yield self._released(row)

    def released_as(self, number: int) -> tuple[int, Released]:
        """The journey of one released ticket, and what it was released as."""
        row = self._connection.execute("SELECT * FROM tickets WHERE number = ?", (number,)).fetchone()
        return row["journey"], self._released(row)

    def changes(self, journey: int) -> Iterator[tuple[int, int, tuple[Change, ...]]]:
        """Each set of changes: its number, how many released objects it was done to, and what was done."""
        query = (
            "SELECT changes.number, n, changes.changes FROM changes JOIN (SELECT changes, count(*) AS n FROM tickets"
            " WHERE journey = ? AND state = 'released' GROUP BY changes) AS done ON done.changes = changes.number"
            " ORDER BY changes.number"
        )
        for number, objects, changes in self._connection.execute(query, (journey,)):
            yield number, objects, tuple(Change(*change) for change in json.loads(changes))

    def _released(self, row: sqlite3.Row) -> Released:
        return Released(row["number"], self._rows.path_of(row), row["changes"] or 0, pixels_of(row))

    def _pages(self, journey: int, condition: str) -> Iterator[sqlite3.Row]:
        query = f"SELECT * FROM tickets WHERE journey = ? AND number > ? AND {condition} ORDER BY number LIMIT ?"  # noqa: S608 - no value
        after = 0
        while page := self._connection.execute(query, (journey, after, ROWS)).fetchall():
            yield from page
            after = page[-1]["number"]
