"""The journey from a folder to a folder: DICOM in, de-identified DICOM out, every object accounted for, resumable."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.errors import BadState, Deferred, DeidError
from deid.forward.folder import Folder
from deid.model import Outcome, State, Summary, Ticket
from deid.part10.source import Limits, same_data_set
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
    *,
    dicomdir: bool = False,
) -> Summary:
    """De-identify every file below `source` into `target`. Run again, it resumes and repeats nothing.

    Raises BadState when the folders cannot be used together, Deferred when the world is not ready (disk full).
    """
    began = time.monotonic()
    source, target, state = source.resolve(), target.resolve(), state.resolve()
    _check_folders(source, target, state)
    if dicomdir:
        from deid.forward import media  # noqa: PLC0415 - pydicom is not needed otherwise

        media.check(target)
    with Vault.open(state, key) as vault, closing(Folder(target)) as folder:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(source, target, f"{plan.digest} {__version__}")
        vanished = [number for number, path in queue.released_paths(journey) if not (target / path).exists()]
        queue.reopen(journey, vanished)
        queue.enrol(journey, files_below(source))
        batch = _Batch(queue, journey, folder, Limits(), vault.work)
        tally = queue.tally(journey)
        total = sum(tally.values())
        done = total - tally[State.RECEIVED]
        pipeline = Pipeline(plan, vault.keys, batch.limits, batch.work)
        claimed: dict[int, Ticket] = {}
        groups = batch.groups(claimed, GROUP if jobs == 1 else GROUP // 4)
        with closing(outcomes(pipeline, groups, folder.unpublished, jobs)) as worked:
            for group in worked:
                batch.close(group, claimed)
                done += len(group)
                progress(done, total)
        if dicomdir:
            media.write_file_set(folder, (target / path for _, path in queue.released_paths(journey)))
        return _summary(queue, journey, time.monotonic() - began)


def _check_folders(source: Path, target: Path, state: Path) -> None:
    for one, other, what in (
        (source, target, "the input and the output"),
        (source, state, "the input and the state folder"),
        (target, state, "the output and the state folder"),
    ):
        if one == other or one in other.parents or other in one.parents:
            raise BadState(f"{what} must be apart: neither may lie within the other")


@dataclass(frozen=True, slots=True)
class _Batch:
    queue: Queue
    journey: int
    folder: Folder
    limits: Limits
    work: Path

    def groups(self, claimed: dict[int, Ticket], size: int) -> Iterator[tuple[Ticket, ...]]:
        """Waiting tickets in their order; `claimed` remembers those that are at work."""
        after = 0
        while tickets := self.queue.claim(self.journey, after, size):
            after = tickets[-1].number
            claimed.update((ticket.number, ticket) for ticket in tickets)
            yield tuple(tickets)

    def close(self, group: list[Outcome], claimed: dict[int, Ticket]) -> None:
        """Publish what a group made and record how its tickets ended: files first, then the ledger."""
        first: dict[str, Ticket] = {}
        ended: list[Outcome] = []
        for outcome in group:
            ticket = claimed.pop(outcome.ticket)
            end = self._settle(outcome, ticket, first)
            if end.state is State.RELEASED and end.result:
                first[end.result.original_instance] = ticket
            elif outcome.result:
                self.folder.discard(ticket.number)
            ended.append(end)
        self.folder.publish(
            (end.ticket, end.result.path) for end in ended if end.result and end.state is State.RELEASED
        )
        self.queue.close(self.journey, ended)

    def _settle(self, outcome: Outcome, ticket: Ticket, first: dict[str, Ticket]) -> Outcome:
        """The same SOP Instance UID again: a duplicate if the data set is the same, held if it is not."""
        if outcome.result is None:
            return outcome
        uid = outcome.result.original_instance
        known = self.queue.released(self.journey, uid)
        earlier = first.get(uid) or (known and known[0])
        if earlier:
            try:
                same = same_data_set(earlier.source, ticket.source, self.limits, self.work)
            except Deferred:
                raise
            except DeidError:
                reason = "its SOP Instance UID was released before, and that file cannot be compared any more"
                return replace(outcome, state=State.HELD, reason=reason, result=None)
            if same:
                return replace(outcome, state=State.DUPLICATE)
            reason = "another object with the same SOP Instance UID and different content was released before"
            return replace(outcome, state=State.HELD, reason=reason, result=None)
        if self.folder.holds_another(ticket.number, outcome.result.path):
            reason = "the output folder holds a different file under the name of this object"
            return replace(outcome, state=State.HELD, reason=reason, result=None)
        return outcome


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
        seconds=round(seconds, 3),
        reasons=queue.reasons(journey),
    )
