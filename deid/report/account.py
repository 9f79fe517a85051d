"""What the ledger tells of one batch, brought together: the balance, decisions, actions, images and series."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.model import State
from deid.pixels.scope import NO_PIXEL_DATA
from deid.profile.rule import Action
from deid.report.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.model import Change, Chosen, Pixels
    from deid.store.queue import Queue
    from deid.store.results import KeptBack, Results
    from deid.store.rows import Journey

_FILED_BY: Final = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
_WITHOUT: Final = frozenset({"without-patient-id", "without-study", "without-series"})
_MOST_ACTIONS: Final = 20_000  # told apart; files of ever new tags must not fill the memory
LARGE: Final = 0.2  # of the pixels of an object: more than labels, and perhaps what the object is needed for
_OTHERS: Final = ("other attributes", "", "")


@dataclass(slots=True)
class Group:
    """Tickets that were kept back for the same reason."""

    state: State
    reason: str
    attributes: tuple[str, ...]  # where verification found an identifying value
    numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Images:
    """How the pixels of the released objects were treated, in objects."""

    masked: int = 0
    nothing_found: int = 0  # searched
    unclaimed: dict[str, int] = field(default_factory=dict)  # not searched, and why; some are masked
    without_pixels: int = 0
    not_asked: int = 0  # the profile does not ask for the pixels
    largely: int = 0  # masked: more than a fifth of the pixels
    kept: int = 0  # with lines of technical text that were found and stay
    lines: int = 0  # of it, in all of them
    boxes: int = 0
    views: int = 0  # pictures that were searched
    engines: set[str] = field(default_factory=set)

    def add(self, pixels: Pixels | None) -> None:
        """Count an object."""
        if pixels is None:
            self.not_asked += 1
        elif pixels.because == NO_PIXEL_DATA:
            self.without_pixels += 1
        else:
            if pixels.searched:
                self.engines |= {pixels.engine} - {""}
            else:
                self.unclaimed[pixels.because] = self.unclaimed.get(pixels.because, 0) + 1
            self.masked += bool(pixels.masked)
            self.nothing_found += pixels.searched and not pixels.masked
            self.largely += pixels.share > LARGE
            self.kept += bool(pixels.kept)
            self.lines += pixels.kept
            self.boxes += sum(len(each.boxes) for each in pixels.masked)
            self.views += pixels.views


@dataclass(frozen=True, slots=True)
class Account:
    """One batch: a folder that was read, a folder that was written, and a profile."""

    number: int
    version: str  # of the program
    chosen: Chosen | None
    balance: dict[str, int]
    leaks: int
    missing: int  # released, but not in the output folder any more
    kept_back: tuple[Group, ...]  # most frequent first
    actions: tuple[tuple[str, str, str, int], ...]  # attribute, action, because, released objects
    images: Images
    series: tuple[Series, ...]


def account_of(queue: Queue, results: Results, journey: Journey) -> Account:
    """Read all that is known of a journey."""
    tally = journey.tally
    counted = (State.RELEASED, State.HELD, State.DUPLICATE, State.UNREADABLE, State.DISCARDED)
    actions, renamed = _actions(results.changes(journey.number))
    images, missing, found = Images(), 0, dict[str, Series]()
    for released in results.released(journey.number):
        missing += not os.path.exists(journey.target / released.path)  # noqa: PTH110 - what may not be looked at is no error here
        images.add(released.pixels)
        folder = released.path.rpartition("/")[0]
        series = found.get(folder)
        if series is None:
            series = found[folder] = _series(folder, renamed.get(released.changes, frozenset()))
        series.add(released.number, released.pixels)
    return Account(
        number=journey.number,
        version=journey.plan.rpartition(" ")[2],
        chosen=journey.chosen,
        balance={"received": sum(tally.values()) - tally[State.DICOMDIR]}
        | {state.value: tally[state] for state in counted}
        | {"waiting": tally[State.RECEIVED]},
        leaks=queue.leaks(journey.number),
        missing=missing,
        kept_back=_groups(results.kept_back(journey.number)),
        actions=actions,
        images=images,
        series=tuple(sorted(found.values(), key=lambda each: (-each.share, each.patient, each.study, each.uid))),
    )


def _actions(
    sets: Iterable[tuple[int, int, tuple[Change, ...]]],
) -> tuple[tuple[tuple[str, str, str, int], ...], dict[int, frozenset[str]]]:
    """How often what was done, most frequent first; and for each set which names of folders are new ones."""
    counted: Counter[tuple[str, str, str]] = Counter()
    renamed: dict[int, frozenset[str]] = {}
    for number, objects, changes in sets:
        new = set()
        for change in changes:
            done = (change.attribute, change.action, change.because)
            counted[done if done in counted or len(counted) < _MOST_ACTIONS else _OTHERS] += objects
            if change.attribute in _FILED_BY and change.action != Action.KEEP:
                new.add(change.attribute)
        renamed[number] = frozenset(new)
    return tuple((*done, objects) for done, objects in counted.most_common()), renamed


def _series(folder: str, renamed: frozenset[str]) -> Series:
    """A series by its folder. What the profile keeps is the original's, and no part of a report."""
    names = dict(zip(_FILED_BY, folder.split("/"), strict=False))
    new = [names.get(each, "") if each in renamed else "" for each in _FILED_BY]
    patient, study, uid = ("" if name in _WITHOUT else name for name in new)
    return Series(patient, study, uid)


def _groups(kept_back: Iterable[KeptBack]) -> tuple[Group, ...]:
    groups: dict[tuple[State, str, tuple[str, ...]], Group] = {}
    for ticket in kept_back:
        attributes = tuple(sorted({finding.attribute for finding in ticket.findings}))
        key = (ticket.state, ticket.reason, attributes)
        groups.setdefault(key, Group(*key)).numbers.append(ticket.number)
    return tuple(sorted(groups.values(), key=lambda group: (-len(group.numbers), group.reason)))
