"""The records that travel between rooms: frozen, plain, picklable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class State(StrEnum):
    """Where a ticket stands. Everything but RECEIVED is an end; HELD waits for a person."""

    RECEIVED = "received"
    RELEASED = "released"
    HELD = "held"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    DISCARDED = "discarded"
    DICOMDIR = "dicomdir"  # an index of files, no object: never copied, and not counted as received


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile that a batch follows, as a report tells it."""

    profile: str  # the name of a shipped one; "" for a file of the user's own
    options: tuple[str, ...]
    rules: int  # exceptions that the profile makes
    claims: bool  # whether the output says that Patient Identity was removed (0012,0062)


class Change(NamedTuple):
    """One thing done to an attribute: which one, what, and by whose authority. Holds no value.

    An object has many, and tuples travel between processes several times faster than other records.
    """

    attribute: str  # "ReferencedStudySequence.ReferencedSOPInstanceUID", or "(0009,0010)" where there is no keyword
    action: str
    because: str


@dataclass(frozen=True, slots=True)
class Finding:
    """An identifying value that was seen in the bytes about to be published: where, never what."""

    attribute: str  # where it survives
    of: str  # the attribute of the original it belongs to


class Replacement(NamedTuple):
    """One row of the crosswalk. `original` identifies; it leaves memory only encrypted."""

    kind: str  # "uid", "patient", "accession", "study"
    original: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Masked:
    """What was masked in the frames `first` to `after` (exclusive): boxes of column, row, width and height."""

    first: int
    after: int
    boxes: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Whether the pixels of an object were searched for text, why or why not, and what was masked; never the text."""

    searched: bool
    because: str
    engine: str = ""
    views: int = 0  # pictures that were searched
    masked: tuple[Masked, ...] = ()
    share: float = 0.0  # of the pixels of all frames that were masked
    kept: int = 0  # lines of technical text that stay, where the profile says `mask: phi`


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one object: its new identity and all that was done to get there."""

    sop_class: str
    original_instance: str  # SOP Instance UID of the source; identifies
    path: str  # PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm, new values, "/" between
    changes: tuple[Change, ...]
    replacements: tuple[Replacement, ...]
    pixels: Pixels | None = None  # None where the profile does not ask for them


@dataclass(frozen=True, slots=True)
class Ticket:
    """One received object and its state."""

    number: int
    source: Path
    state: State = State.RECEIVED
    reason: str = ""
    accepted: frozenset[str] = frozenset()  # attributes whose verification findings a person has accepted


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a ticket ends: the state, why, and what was made of the object if it was released."""

    ticket: int
    state: State
    reason: str = ""
    leak: bool = False
    result: Result | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a batch: received = released + held + duplicate + unreadable + discarded + waiting."""

    received: int
    released: int
    held: int
    duplicate: int
    unreadable: int
    discarded: int
    waiting: int  # still RECEIVED: interrupted, or the world was not ready (disk full)
    leaks: int  # held because verification found an identifying value
    dicomdir: int  # media directories found: never copied, not counted as received
    beside: int  # released into the same output folder from another input, or by another profile or program
    seconds: float
    reasons: tuple[tuple[str, int], ...]  # why objects were held or unreadable, most frequent first
