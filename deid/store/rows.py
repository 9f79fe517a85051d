"""What a row of the queue means: records of the model out of it, sealed and hashed values into it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.model import Change, Chosen, Finding, Masked, Pixels, State, Ticket
from deid.store.digest import FORMER_BYTES, Digest
from deid.store.seal import Seal

if TYPE_CHECKING:
    import sqlite3

    from deid.attributes.keys import Keys

_KEYED: Final = b"\1"  # makes what tells two objects apart longer where it is not of the former digest


@dataclass(frozen=True, slots=True)
class Journey:
    """One input folder on its way to one output folder under one plan, and how far it is."""

    number: int
    source: Path
    target: Path
    plan: str
    tally: dict[State, int]
    chosen: Chosen | None  # None where an earlier program did not record it


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known about a ticket, for the person who decides."""

    ticket: Ticket
    journey: Journey
    leak: bool
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    path: str  # below the journey's target; empty unless released
    pixels: Pixels | None


class Rows:
    """Reads and writes the columns that identify. A sealed value opens only in the row it was made for."""

    def __init__(self, keys: Keys) -> None:
        self._seal = Seal(keys.ledger)

    def folders(self, source: Path, target: Path, plan: str) -> tuple[bytes, bytes]:
        """The hash that finds a journey, and its folders sealed."""
        folders = b"\0".join(os.fsencode(folder.resolve()) for folder in (source, target))
        digest = self._seal.hash(b"journey", folders + b"\0" + plan.encode())
        return digest, self._seal.seal(folders, b"journey" + digest)

    def source_hash(self, source: Path) -> bytes:
        """What finds the ticket of a file."""
        return self._seal.hash(b"source", os.fsencode(source))

    def source(self, source: Path, journey: int, source_hash: bytes) -> bytes:
        """A file's path sealed."""
        return self._seal.seal(os.fsencode(source), _source_row(journey, source_hash))

    def fingerprint(self, source_hash: bytes, status: tuple[int, ...]) -> bytes:
        """What tells whether a file has changed since."""
        return self._seal.hash(b"fingerprint", source_hash + b" ".join(b"%d" % number for number in status))

    def instance(self, original_instance: str) -> bytes:
        """What finds the tickets of an original SOP Instance UID."""
        return self._seal.hash(b"instance", original_instance.encode("utf-8", "surrogatepass"))

    def digest(self, transfer_syntax: str) -> Digest:
        """Of an object that arrives."""
        return Digest(self._seal.digest_key, transfer_syntax)

    def content(self, digest: bytes) -> bytes:
        """What tells whether an object that arrives is the one that has arrived before."""
        hashed = self._seal.hash(b"content", digest)
        return hashed if len(digest) == FORMER_BYTES else hashed + _KEYED

    def path(self, path: str, number: int) -> bytes:
        """A released ticket's path sealed."""
        return self._seal.seal(path.encode(), b"path%d" % number)

    def changes_hash(self, changes: str) -> bytes:
        """What finds a set of changes that was written before."""
        return self._seal.hash(b"changes", changes.encode())

    def ticket_of(self, row: sqlite3.Row) -> Ticket:
        """The ticket in a row of `tickets`."""
        source = self._seal.open(row["source"], _source_row(row["journey"], row["source_hash"]))
        accepted = frozenset(json.loads(row["accepted"]))
        return Ticket(row["number"], Path(os.fsdecode(source)), State(row["state"]), row["reason"], accepted)

    def path_of(self, row: sqlite3.Row) -> str:
        """The path in a row of `tickets`; empty unless released."""
        return "" if row["path"] is None else self._seal.open(row["path"], b"path%d" % row["number"]).decode()

    def journey_of(self, row: sqlite3.Row, tally: dict[State, int]) -> Journey:
        """The journey in a row of `journeys`."""
        folders = self._seal.open(row["folders"], b"journey" + row["hash"]).split(b"\0")
        source, target = (Path(os.fsdecode(folder)) for folder in folders)
        return Journey(row["number"], source, target, row["plan"], tally, _chosen(row["chosen"]))

    def record_of(self, row: sqlite3.Row, journey: Journey, changes: str) -> Record:
        """All there is in a row of `tickets`, with its journey and the JSON of its changes."""
        return Record(
            ticket=self.ticket_of(row),
            journey=journey,
            leak=bool(row["leak"]),
            findings=tuple(Finding(*finding) for finding in json.loads(row["findings"])),
            changes=tuple(Change(*change) for change in json.loads(changes)),
            path=self.path_of(row),
            pixels=pixels_of(row),
        )


def _chosen(text: str) -> Chosen | None:
    if not text:
        return None
    found = json.loads(text)
    return Chosen(**found | {"options": tuple(found["options"])})


def pixels_of(row: sqlite3.Row) -> Pixels | None:
    """What was searched and masked, in a row of `tickets`; None where nothing was asked for."""
    if not row["pixels"]:
        return None
    found = json.loads(row["pixels"])
    masked = tuple(Masked(each["first"], each["after"], tuple(map(tuple, each["boxes"]))) for each in found["masked"])
    return Pixels(**found | {"masked": masked})


def _source_row(journey: int, source_hash: bytes) -> bytes:
    return b"source%d:" % journey + source_hash
