"""The same work, many items at a time: in this process, or in a pool of spawned ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from deid.model import Outcome, State, Ticket
from deid.processes import Processes
from deid.worker import work

if TYPE_CHECKING:
    from deid.pipeline import Pipeline
    from deid.process import Task

Group = tuple[Ticket, ...]
Staged = tuple[Ticket, Path]
Staging = Callable[[int], Path]
Item = TypeVar("Item")
End = TypeVar("End")

_SECONDS: Final = 600  # for one object: what takes longer hangs
_SECONDS_PER_MB: Final = 5  # for long multi-frames, which are searched scene by scene


def outcomes(
    pipeline: Pipeline, groups: Iterable[Group], staging: Staging, jobs: int, *, apart: bool = False
) -> Generator[list[Outcome]]:
    """The outcomes of each group, in the order of the groups, those of several together where they are there already.

    Raises Deferred when the world is not ready. Close it before the staging folder: then no process writes there any
    more. What is at work then is given up. With `apart`, even a single job has a process of its own: what crashes or
    hangs there does not end the run.
    """
    return each(_DeIdentify(pipeline), (staged(group, staging) for group in groups), jobs, apart=apart)


def as_they_come(pipeline: Pipeline, jobs: int, tell: Callable[[], None]) -> Processes[Staged, Outcome]:
    """The same for groups that are `staged`, in any order: whoever waits for the first of them has a door to answer."""
    return Processes(_DeIdentify(pipeline), jobs, tell)


def staged(group: Group, staging: Staging) -> tuple[Staged, ...]:
    """The tickets, each with the file to make of it."""
    return tuple((ticket, staging(ticket.number)) for ticket in group)


def each(task: Task[Item, End], groups: Iterable[tuple[Item, ...]], jobs: int, *, apart: bool) -> Generator[list[End]]:
    """The ends of each group of items, in the order of the groups; close it to give up what is at work.

    Those of several groups come together where they are there already: whoever writes them down does so once.
    """
    if jobs == 1 and not apart:
        return ([task(item) for item in group] for group in groups)
    return Processes(task, jobs).in_order(groups)


@contextmanager
def apart(task: Task[Item, End]) -> Iterator[Callable[[Item], End]]:
    """Gives the end of one item at a time, to any thread, from one process that is started when it is first needed."""
    turn = Lock()
    with Processes(task, 1) as processes:

        def end(item: Item) -> End:
            with turn:
                return processes.end_of(item)

        yield end


def seconds_for(source: Path) -> float:
    """How long it may take to de-identify a file."""
    try:
        size = source.stat().st_size
    except OSError:  # the work will say so
        size = 0
    return _SECONDS + _SECONDS_PER_MB * size / (1 << 20)


class _DeIdentify:
    """The straight path of a ticket and the file to stage it in."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __call__(self, item: Staged) -> Outcome:
        return work(self._pipeline, *item)

    def seconds(self, item: Staged) -> float:
        return seconds_for(item[0].source)

    def lost(self, item: Staged, why: str) -> Outcome:
        return Outcome(item[0].number, State.HELD, why)
