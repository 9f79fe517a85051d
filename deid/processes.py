"""Spawned processes that do the same work on many items, and survive what it does to them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from deid.errors import Deferred

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
End = TypeVar("End")
Item_contra = TypeVar("Item_contra", contravariant=True)
End_co = TypeVar("End_co", covariant=True)

_AHEAD: Final = 2  # groups for each process, so that none idles while what has ended is written down
_BEHIND: Final = 64  # groups for each process that may go on behind one that takes long: their ends wait for its
_SENDING: Final = 10  # seconds; more than it takes, unless the parent was killed meanwhile

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


def kill_all() -> None:
    """End every process of every pool, whatever hangs there. No item is to blame for that: the caller ends as well."""
    _given_up.set()
    for process in multiprocessing.active_children():
        process.kill()


@dataclass(slots=True, eq=False)
class _Begun(Generic[Item, End]):
    """A group of items that was given to the processes."""

    group: tuple[Item, ...]
    future: Future[list[End]]


class Processes(Generic[Item, End]):
    """A pool for one thread. What an item raises comes back with `ended`, `rest` and `in_order`, and ends them."""

    def __init__(self, task: Task[Item, End], jobs: int, ended: Callable[[], None] = lambda: None) -> None:
        """`ended` is called, by another thread, whenever there is something to get from the method of that name."""
        self._task = task
        self._jobs = jobs
        self._tell = ended
        self._at_work: deque[_Begun[Item, End]] = deque()  # and what has ended but was not taken yet
        self._pool = self._new_pool(jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._run.close()  # what is at work was staged, and nobody waits for it any more
        self._end_pool()

    def begin(self, group: tuple[Item, ...]) -> None:
        """Have a group worked on."""
        self._begin(group)

    def has_room(self) -> bool:
        """Whether a process might soon have nothing to do."""
        return sum(not begun.future.done() for begun in self._at_work) <= self._jobs * (_AHEAD - 1)

    def ended(self) -> Iterator[list[End]]:
        """The ends of the groups that have ended, in any order, and of several together."""
        if ends := [end for begun in self._take() for end in begun.future.result()]:
            yield ends
        self._make_good()

    def rest(self) -> Iterator[list[End]]:
        """The ends of what is at work, as they come; what no process has begun is left."""
        self._at_work = deque(begun for begun in self._at_work if not begun.future.cancel())
        while self._at_work:
            self._wait()
            yield from self.ended()

    def in_order(self, groups: Iterable[tuple[Item, ...]]) -> Generator[list[End]]:
        """The ends of each group in the order of the groups, those of several together where they are there already.

        Close it to give up what is at work. Groups behind one that takes long go on, so that no process idles.
        """
        with self:
            begun: deque[_Begun[Item, End]] = deque()
            for group in groups:
                begun.append(self._begin(group))
                while len(self._at_work) >= self._jobs * _AHEAD or len(begun) >= self._jobs * _BEHIND:
                    yield from self._leading(begun)
            while begun:
                yield from self._leading(begun)

    def alone(self, item: Item, tries: int = 1) -> End:
        """The end of an item while nothing else is at work; it is lost with the last process that dies over it."""
        for _ in range(tries):
            began = time.monotonic()
            try:
                return self._submit((item,)).result()[0]
            except BrokenProcessPool:
                overdue = time.monotonic() - began >= self._task.seconds(item)
                self._renew_pool(1)
                if overdue:
                    return self._task.lost(item, _OVERDUE)
        return self._task.lost(item, _DIED)

    def _begin(self, group: tuple[Item, ...]) -> _Begun[Item, End]:
        begun = _Begun(group, self._submit(group))
        self._at_work.append(begun)
        begun.future.add_done_callback(self._tell_of)
        return begun

    def _tell_of(self, _: Future[list[End]]) -> None:
        self._tell()

    def _leading(self, begun: deque[_Begun[Item, End]]) -> Iterator[list[End]]:
        """Wait until one more has ended, and give what has no other before it."""
        self._wait()
        self._take()
        ends: list[End] = []
        while begun and begun[0] not in self._at_work:
            ends += begun.popleft().future.result()
        if ends:
            yield ends
        self._make_good()

    def _wait(self) -> None:
        wait_for([begun.future for begun in self._at_work], return_when=FIRST_COMPLETED)

    def _take(self) -> list[_Begun[Item, End]]:
        """What has ended well since."""
        ended = [begun for begun in self._at_work if begun.future.done() and not begun.future.exception()]
        for begun in ended:
            self._at_work.remove(begun)
        return ended

    def _make_good(self) -> None:
        """Raise what an item raised. Where a process died, its objects are gone through one by one."""
        for begun in self._at_work:
            failure = begun.future.exception() if begun.future.done() else None
            if isinstance(failure, BrokenProcessPool):
                self._find_what_kills(begun)
                return
            if failure:
                raise failure

    def _find_what_kills(self, begun: _Begun[Item, End]) -> None:
        """One of the objects killed its process (memory, a crash in a library): find it, hold it, and go on.

        The first group that was at work need not be the one, and is done then; the next that is killed is the first.
        """
        self._renew_pool(1)
        done: Future[list[End]] = Future()
        done.set_result([self.alone(item) for item in begun.group])
        begun.future = done
        self._renew_pool(self._jobs)
        for other in self._at_work:
            if not other.future.done() or isinstance(other.future.exception(), BrokenProcessPool):
                other.future = self._submit(other.group)
                other.future.add_done_callback(self._tell_of)
        self._tell()

    def _renew_pool(self, jobs: int) -> None:
        if _given_up.is_set():
            raise Deferred("the program ends")
        self._run.close()  # one that was just starting when the others ended is known to nobody else
        self._end_pool()
        self._pool = self._new_pool(jobs)

    def _end_pool(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._run.close()
        self._going_on.close()

    def _new_pool(self, jobs: int) -> ProcessPoolExecutor:
        # Nothing is ever sent: processes end when the other end is closed.
        self._going_on, self._run = multiprocessing.Pipe(duplex=False)
        # Never fork: the parent may run threads, and holds the ledger's lock.
        return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (self._task, self._going_on))

    def _submit(self, group: tuple[Item, ...]) -> Future[list[End]]:
        # Processes start here and inherit the mask: Ctrl-C and the end of a terminal are told to all of them, and the
        # parent decides when to stop.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            return self._pool.submit(_work_on, group)
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
