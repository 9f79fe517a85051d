"""Under which new Patient ID and Study Instance UID an object was released, where both are new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from deid.store.rows import Rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from deid.attributes.keys import Keys

_REPLACED: Final = (["StudyInstanceUID", "U"], ["PatientID", "pseudonym"])
"""What was done to each object, whatever its profile says by now; what was not replaced would name the patient."""


class NewIdentities:
    """Reads the ledger, for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._rows = Rows(keys)

    def of(self, tickets: Collection[int]) -> dict[int, tuple[str, str]]:
        """Patient ID and Study Instance UID by ticket; tickets of which they may not be told are missing."""
        query = (
            "SELECT t.*, c.changes AS done FROM tickets AS t JOIN changes AS c ON c.number = t.changes"
            " WHERE t.path IS NOT NULL AND t.number IN (SELECT value FROM json_each(?))"
        )
        found: dict[int, tuple[str, str]] = {}
        for row in self._connection.execute(query, (json.dumps(sorted(tickets)),)):
            done = [change[:2] for change in json.loads(row["done"])]
            if all(each in done for each in _REPLACED):
                patient, study, *_ = self._rows.path_of(row).split("/")
                found[row["number"]] = patient, study
        return found
