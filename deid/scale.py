"""The same work, many items at a time: in this process, or in a pool of spawned ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from deid.errors import Deferred
from deid.model import Outcome, State, Ticket
from deid.worker import work

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from deid.pipeline import Pipeline

Group = tuple[Ticket, ...]
Staging = Callable[[int], Path]
Item = TypeVar("Item")
End = TypeVar("End")
Item_contra = TypeVar("Item_contra", contravariant=True)
End_co = TypeVar("End_co", covariant=True)

_AHEAD: Final = 2  # groups that wait for each process, so that none idles while the ledger is written
_SENDING: Final = 10  # seconds; more than it takes, unless the parent was killed meanwhile
_SECONDS: Final = 600  # for one object: what takes longer hangs
_SECONDS_PER_MB: Final = 5  # for long multi-frames, which are searched scene by scene


_DIED: Final = "defect: the process that worked on this object died"
_OVERDUE: Final = (
    "the work on this object took too long and was given up; retry it when the machine has less to do, or discard it"
)


class Task(Protocol[Item_contra, End_co]):
    """What is done to each item. It travels to a process once, so what it makes there is made once."""

    def __call__(self, item: Item_contra, /) -> End_co:
        """Do it."""

    def seconds(self, item: Item_contra, /) -> float:
        """How long an item may take in a process of its own, which is killed then."""

    def lost(self, item: Item_contra, why: str, /) -> End_co:
        """What becomes of an item whose process died."""


def outcomes(
    pipeline: Pipeline, groups: Iterable[Group], staging: Staging, jobs: int, *, apart: bool = False
) -> Generator[list[Outcome]]:
    """The outcomes of each group, in the order of the groups, those of several together where they are there already.

    Raises Deferred when the world is not ready. Close it before the staging folder: then no process writes there any
    more. What is at work then is given up. With `apart`, even a single job has a process of its own: what crashes or
    hangs there does not end the run.
    """
    staged = (tuple((ticket, staging(ticket.number)) for ticket in group) for group in groups)
    return each(_DeIdentify(pipeline), staged, jobs, apart=apart)


def each(task: Task[Item, End], groups: Iterable[tuple[Item, ...]], jobs: int, *, apart: bool) -> Generator[list[End]]:
    """The ends of each group of items, in the order of the groups; close it to give up what is at work.

    Those of several groups come together where they are there already: whoever writes them down does so once.
    """
    if jobs == 1 and not apart:
        return ([task(item) for item in group] for group in groups)
    return _Processes(task, jobs).ends(groups)


@contextmanager
def apart(task: Task[Item, End]) -> Iterator[Callable[[Item], End]]:
    """Gives the end of one item at a time, to any thread, from one process that is started when it is first needed."""
    turn = Lock()
    with _Processes(task, 1) as processes:

        def end(item: Item) -> End:
            with turn:  # its process may have died of something else, and that shows when it is used again
                return processes.alone(item, tries=2)

        yield end


def kill_all() -> None:
    """End every process of every pool, whatever hangs there. No item is to blame for that: the caller ends as well."""
    _given_up.set()
    for process in multiprocessing.active_children():
        process.kill()


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

    def __call__(self, item: tuple[Ticket, Path]) -> Outcome:
        return work(self._pipeline, *item)

    def seconds(self, item: tuple[Ticket, Path]) -> float:
        return seconds_for(item[0].source)

    def lost(self, item: tuple[Ticket, Path], why: str) -> Outcome:
        return Outcome(item[0].number, State.HELD, why)


class _Processes(Generic[Item, End]):
    """A pool that survives the death of its processes."""

    def __init__(self, task: Task[Item, End], jobs: int) -> None:
        self._task = task
        self._jobs = jobs
        # Nothing is ever sent: processes end when the other end is closed.
        self._going_on, self._run = multiprocessing.Pipe(duplex=False)
        self._pool = self._new_pool(jobs)
        self._waiting: deque[tuple[tuple[Item, ...], Future[list[End]]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._run.close()  # what is at work was staged, and nobody waits for it any more
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._run.close()
        self._going_on.close()

    def ends(self, groups: Iterable[tuple[Item, ...]]) -> Generator[list[End]]:
        with self:
            for group in groups:
                self._waiting.append((group, self._submit(self._pool, group)))
                if len(self._waiting) >= self._jobs * _AHEAD:
                    yield self._next()
            while self._waiting:
                yield self._next()

    def alone(self, item: Item, tries: int = 1) -> End:
        """The end of an item while nothing else is at work; it is lost with the last process that dies over it."""
        for _ in range(tries):
            began = time.monotonic()
            try:
                return self._submit(self._pool, (item,)).result()[0]
            except BrokenProcessPool:
                overdue = time.monotonic() - began >= self._task.seconds(item)
                self._renew_pool(1)
                if overdue:
                    return self._task.lost(item, _OVERDUE)
        return self._task.lost(item, _DIED)

    def _next(self) -> list[End]:
        """The ends of the first group that waits, and of those behind it that have ended as well."""
        ends = self._first()
        while self._waiting and (future := self._waiting[0][1]).done() and not future.exception():
            self._waiting.popleft()
            ends = ends + future.result()
        return ends

    def _first(self) -> list[End]:
        group, future = self._waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool:
            # One of the objects killed its process (memory, a crash in a library): find it, hold it, and go on.
            self._renew_pool(1)
            done = [self.alone(item) for item in group]
            self._renew_pool(self._jobs)
            others = [other for other, _ in self._waiting]
            self._waiting = deque((other, self._submit(self._pool, other)) for other in others)
            return done

    def _renew_pool(self, jobs: int) -> None:
        if _given_up.is_set():
            raise Deferred("the program ends")
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._new_pool(jobs)

    def _new_pool(self, jobs: int) -> ProcessPoolExecutor:
        # Never fork: the parent may run threads, and holds the ledger's lock.
        return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (self._task, self._going_on))

    def _submit(self, pool: ProcessPoolExecutor, group: tuple[Item, ...]) -> Future[list[End]]:
        # Processes start here and inherit the mask: Ctrl-C and the end of a terminal are told to all of them, and the
        # parent decides when to stop.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            return pool.submit(_work_on, group)
        except BrokenProcessPool as broken:  # by an earlier group, whose turn comes first
            failed: Future[list[End]] = Future()
            failed.set_exception(broken)
            return failed
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_given_up: Final = Event()  # from when on the processes of this one are killed on purpose

_tasks: Final[list[Task[Any, Any]]] = []  # of a worker process: one, so that compiled rules are made once
_outside: Final = Lock()  # held while a worker process is at no item: it may be sending what it did


def _begin(task: Task[Any, Any], going_on: Connection) -> None:
    _outside.acquire()
    Thread(target=_end_with_run, args=(going_on,), daemon=True).start()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _tasks[:] = [task]


def _end_with_run(going_on: Connection) -> None:
    """A process of a pool would finish its group after the run has ended, or wait for ever if its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent:
        ended = wait((parent.sentinel, going_on))
        if parent.sentinel not in ended:
            _outside.acquire(timeout=_SENDING)  # the parent would wait for the rest of an outcome that is cut off
        os._exit(1)


def _work_on(group: tuple[Any, ...]) -> list[Any]:
    _outside.release()
    try:
        return [_in_time(_tasks[0], item) for item in group]
    finally:
        _outside.acquire()


def _in_time(task: Task[Item, End], item: Item) -> End:
    """The kernel ends this process when time is over: nothing of ours runs while native code hangs."""
    signal.setitimer(signal.ITIMER_REAL, task.seconds(item))
    try:
        return task(item)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
