"""A journey whose folders were moved: it stays the same one, and what was on its way goes on where it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.store.database import transaction
from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from deid.attributes.keys import Keys

_ROWS: Final = 500


def relocate(connection: sqlite3.Connection, keys: Keys, journey: int, source: Path, target: Path) -> int:
    """Have a journey of a gateway there, and the files of its tickets that nobody has deleted; says how many they are.

    Each stays in a folder of the name that it was in, which need not be that of its journey, beside `source`.
    Nothing happens where there is another journey already. Raises Deferred when the ledger cannot be written.
    """
    rows, count, after = Rows(keys), 0, 0
    with transaction(connection):
        (plan,) = connection.execute("SELECT plan FROM journeys WHERE number = ?", (journey,)).fetchone()
        digest, folders = rows.folders(source, target, plan)
        moved = connection.execute(
            "UPDATE journeys SET hash = ?1, folders = ?2 WHERE number = ?3"
            " AND NOT EXISTS (SELECT 1 FROM journeys WHERE hash = ?1)",
            (digest, folders, journey),
        )
        query = (
            "SELECT t.* FROM arrivals AS a JOIN tickets AS t ON t.number = a.ticket WHERE NOT a.gone"
            " AND t.journey = ? AND t.number > ? ORDER BY t.number LIMIT ?"
        )
        while moved.rowcount and (page := connection.execute(query, (journey, after, _ROWS)).fetchall()):
            for row in page:
                there = source.parent.joinpath(*rows.ticket_of(row).source.parts[-2:])
                found = rows.source_hash(there)
                connection.execute(
                    "UPDATE tickets SET source_hash = ?, source = ? WHERE number = ?",
                    (found, rows.source(there, journey, found), row["number"]),
                )
            after = page[-1]["number"]
            count += len(page)
    return count
