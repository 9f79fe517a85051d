"""The journey from a folder to a folder: DICOM in, de-identified DICOM out, every object accounted for, resumable."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.errors import BadState, Deferred
from deid.forward.again import Again
from deid.forward.folder import Folder
from deid.forward.release import Release
from deid.model import State, Summary, Ticket
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.receive.folder import files_below
from deid.scale import outcomes
from deid.store.queue import Queue
from deid.store.vault import Vault
from deid.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.profile.plan import Plan

GROUP: Final = 128
"""Tickets per sync and ledger entry: one sync of the file system for many files, little to do again after a crash."""


def run(  # noqa: PLR0913 - what a data manager says on the command line
    source: Path,
    target: Path,
    state: Path,
    key: Path | None,
    plan: Plan,
    jobs: int,
    progress: Callable[[int, int], None],
    stopped: Callable[[Summary], None],
    *,
    dicomdir: bool = False,
) -> Summary:
    """De-identify every file below `source` into `target`. Run again, it resumes and repeats nothing.

    Raises BadState when the folders cannot be used together, Deferred when the world is not ready (disk full). When it
    or Ctrl-C ends the run early, `stopped` is told how far it came.
    """
    began = time.monotonic()
    source, target, state = source.resolve(), target.resolve(), state.resolve()
    _check_folders(source, target, state, key)
    if dicomdir:
        from deid.forward import media  # noqa: PLC0415 - pydicom is not needed otherwise

        media.check(target)
    with Vault.open(state, key) as vault, closing(Folder(target)) as folder:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(source, target, f"{plan.digest} {__version__}", plan.chosen)
        limits = Limits()
        pipeline = Pipeline(plan, vault.keys, limits, vault.work)
        release = Release(queue, journey, folder, Again(queue, journey, folder, limits, vault.work))
        groups = _groups(queue, journey, release, GROUP if jobs == 1 else GROUP // 4)
        try:
            queue.enrol(journey, files_below(source))
            queue.reopen(journey, [number for number, path in queue.released_paths(journey) if not folder.holds(path)])
            tally = queue.tally(journey)
            total = sum(tally.values())
            done = total - tally[State.RECEIVED]
            decodes = plan.pixels is not None
            with closing(outcomes(pipeline, groups, folder.unpublished, jobs, apart=decodes)) as worked:
                for ended in worked:
                    for at in range(0, len(ended), GROUP):
                        group = ended[at : at + GROUP]
                        release.end(group)
                        done += len(group)
                        progress(done, total)
            if dicomdir:
                paths = (path for _, path in queue.released_paths(journey) if folder.holds(path))
                media.write_file_set(folder, (target / path for path in paths))
        except (Deferred, KeyboardInterrupt):
            stopped(_summary(queue, journey, time.monotonic() - began))
            raise
        return _summary(queue, journey, time.monotonic() - began)


def _check_folders(source: Path, target: Path, state: Path, key: Path | None) -> None:
    for one, other, what in (
        (source, target, "the input and the output"),
        (source, state, "the input and the state folder"),
        (target, state, "the output and the state folder"),
    ):
        if one.is_relative_to(other) or other.is_relative_to(one):
            raise BadState(f"{what} must be apart: neither may lie within the other")
    for folder, what in ((source, "the input"), (target, "the output")):
        if key and key.resolve().is_relative_to(folder):
            raise BadState(f"the key and {what} must be apart: whoever has both can go back to the patients")


def _groups(queue: Queue, journey: int, release: Release, size: int) -> Iterator[tuple[Ticket, ...]]:
    """Waiting tickets in their order."""
    after = 0
    while tickets := queue.received(journey, after, size):
        after = tickets[-1].number
        release.begin(tickets)
        yield tuple(tickets)


def _summary(queue: Queue, journey: int, seconds: float) -> Summary:
    tally = queue.tally(journey)
    return Summary(
        received=sum(tally.values()) - tally[State.DICOMDIR],
        released=tally[State.RELEASED],
        held=tally[State.HELD],
        duplicate=tally[State.DUPLICATE],
        unreadable=tally[State.UNREADABLE],
        discarded=tally[State.DISCARDED],
        waiting=tally[State.RECEIVED],
        leaks=queue.leaks(journey),
        dicomdir=tally[State.DICOMDIR],
        beside=_beside(queue, journey),
        seconds=round(seconds, 3),
        reasons=queue.reasons(journey),
    )


def _beside(queue: Queue, journey: int) -> int:
    """An object of an earlier profile would be taken for one of this."""
    journeys = queue.journeys()
    target = next(each.target for each in journeys if each.number == journey)
    others = (each for each in journeys if each.number != journey and each.target == target)
    return sum(each.tally[State.RELEASED] for each in others)
