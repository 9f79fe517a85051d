"""The end of a ticket: what became of its object, and what was done to it, as the ledger keeps it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING

from deid.errors import BadState
from deid.model import State

if TYPE_CHECKING:
    from deid.model import Change, Outcome
    from deid.store.crosswalk import Crosswalk
    from deid.store.rows import Rows


class Ends:
    """Records them. Only the queue calls it."""

    def __init__(self, connection: sqlite3.Connection, rows: Rows, crosswalk: Crosswalk) -> None:
        self._connection = connection
        self._rows = rows
        self._crosswalk = crosswalk

    def record(self, journey: int, outcome: Outcome) -> None:
        """One end, within the transaction of the caller. Raises BadState when the ticket cannot end so."""
        instance = path = changes = None
        pixels = ""
        if outcome.result is not None:
            instance = self._rows.instance(outcome.result.original_instance)
            changes = self._changes(outcome.result.changes)
            pixels = json.dumps(asdict(outcome.result.pixels)) if outcome.result.pixels else ""
            if outcome.state is State.RELEASED:
                path = self._rows.path(outcome.result.path, outcome.ticket)
                self._crosswalk.record(outcome.result.replacements)
                # The same object from a file that has changed and holds it again, or from another one.
                query = "DELETE FROM tickets WHERE journey = ? AND instance = ? AND state = 'released' AND superseded"
                self._connection.execute(query, (journey, instance))
        findings = json.dumps([(finding.attribute, finding.of) for finding in outcome.findings])
        end = (outcome.state, outcome.reason, outcome.leak, findings, instance, path, changes, pixels)
        try:
            closed = self._connection.execute(
                "UPDATE tickets SET state = ?, reason = ?, leak = ?, findings = ?, instance = ?, path = ?, changes = ?,"
                " pixels = ?, ended = ended OR ?1 <> 'unreadable'"
                " WHERE number = ? AND journey = ? AND state = 'received'",
                (*end, outcome.ticket, journey),
            )
        except sqlite3.IntegrityError:
            raise BadState(
                f"ticket {outcome.ticket} cannot be {outcome.state}: it has no result, or another ticket of this"
                " journey has released its SOP Instance UID"
            ) from None
        if closed.rowcount != 1:
            raise BadState(f"ticket {outcome.ticket} is not a received ticket of journey {journey}")

    def _changes(self, changes: tuple[Change, ...]) -> int:
        """The row of this set of changes; the objects of a series share one."""
        text = json.dumps(changes)
        digest = self._rows.changes_hash(text)
        query = "SELECT number FROM changes WHERE hash = ?"
        known = self._connection.execute(query, (digest,)).fetchone()
        if known is None:
            new = self._connection.execute("INSERT INTO changes (hash, changes) VALUES (?, ?)", (digest, text))
            return int(new.lastrowid or 0)
        return int(known[0])
