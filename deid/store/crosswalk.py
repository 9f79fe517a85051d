"""The crosswalk: which original became which replacement, encrypted; written by every run, read by people only."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

from deid.errors import BadState
from deid.model import Replacement
from deid.store.seal import Seal
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from deid.attributes.keys import Keys

REMEMBERED = 1 << 16  # a study's own UIDs and identifiers come again with each of its objects
FILES = {"uid": "uid_mapping.csv", "patient": "patid_mapping.csv"}


class Crosswalk:
    """A pair is written once. One original may have several replacements: plans differ in prefix and digits."""

    def __init__(self, connection: sqlite3.Connection, keys: Keys) -> None:
        self._connection = connection
        self._seal = Seal(keys.crosswalk)
        self._written: set[Replacement] = set()

    def record(self, replacements: Iterable[Replacement]) -> None:
        """Write what is new, inside the transaction of the caller, who calls `forget` if it is rolled back."""
        for replacement in replacements:
            if replacement not in self._written:
                self._insert(replacement)
                if len(self._written) >= REMEMBERED:
                    self._written.clear()
                self._written.add(replacement)

    def is_of_another(self, replacement: Replacement) -> bool:
        """Whether another original has become the same: with few digits, chance may give two patients one number."""
        query = "SELECT 1 FROM crosswalk WHERE replacement_hash = ? AND kind = ? AND original_hash <> ? LIMIT 1"
        hashes = self._hash(replacement.replacement), replacement.kind, self._hash(replacement.original)
        return self._connection.execute(query, hashes).fetchone() is not None

    def forget(self) -> None:
        """Take nothing for written."""
        self._written.clear()

    def rows(self) -> Iterator[Replacement]:
        """All pairs, in the order of recording."""
        for row in self._connection.execute("SELECT kind, original_hash, replacement_hash, pair FROM crosswalk"):
            yield self._open(*row)

    def lookup(self, value: str) -> list[Replacement]:
        """The pairs in which `value` is the original or the replacement."""
        digest = self._hash(value)
        rows = self._connection.execute(
            "SELECT kind, original_hash, replacement_hash, pair FROM crosswalk"
            " WHERE original_hash = ?1 OR replacement_hash = ?1 ORDER BY number",
            (digest,),
        )
        return [self._open(*row) for row in rows]

    def export(self, folder: Path) -> None:
        """Write uid_mapping.csv and patid_mapping.csv with the columns id_old and id_new; they identify everybody.

        Raises BadState when one is there already, OSError when they cannot be written.
        """
        for name in FILES.values():
            if os.path.lexists(folder / name):
                raise BadState(f"{folder / name} is there already: move it away, or name another folder")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pairs: dict[str, list[tuple[str, str]]] = {kind: [] for kind in FILES}
        for row in self.rows():
            if row.kind in FILES:
                pairs[row.kind].append((row.original, row.replacement))
        for kind, name in FILES.items():
            _write(folder / name, sorted(pairs[kind]))

    def _insert(self, replacement: Replacement) -> None:
        original_hash, replacement_hash = self._hash(replacement.original), self._hash(replacement.replacement)
        pair = _encode(replacement.original) + b"\0" + _encode(replacement.replacement)
        sealed = self._seal.seal(pair, _row(replacement.kind, original_hash, replacement_hash))
        self._connection.execute(
            "INSERT OR IGNORE INTO crosswalk (kind, original_hash, replacement_hash, pair) VALUES (?, ?, ?, ?)",
            (replacement.kind, original_hash, replacement_hash, sealed),
        )

    def _open(self, kind: str, original_hash: bytes, replacement_hash: bytes, pair: bytes) -> Replacement:
        opened = self._seal.open(pair, _row(kind, original_hash, replacement_hash))
        original, _, replacement = opened.rpartition(b"\0")  # the replacement is our own and holds no NUL
        return Replacement(kind, _decode(original), _decode(replacement))

    def _hash(self, value: str) -> bytes:
        return self._seal.hash(b"value", _encode(value))


def _encode(value: str) -> bytes:
    """A lone surrogate stands for a byte outside the character set that was declared; it must stop nothing."""
    return value.encode("utf-8", "surrogatepass")


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def _row(kind: str, original_hash: bytes, replacement_hash: bytes) -> bytes:
    return original_hash + replacement_hash + kind.encode()


def _write(path: Path, pairs: list[tuple[str, str]]) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)  # of an export that was killed
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id_old", "id_new"))
            writer.writerows(pairs)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
