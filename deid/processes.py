"""The work of one thread on many items, done by several processes. What kills or hangs one costs its own item only."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from multiprocessing.connection import wait
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final, Generic, Self

from deid.errors import Deferred
from deid.process import Died, Done, End, Item, Process

if TYPE_CHECKING:
    from deid.process import Task

_AHEAD: Final = 2  # groups for each process, so that none idles while what has ended is written down
_BEHIND: Final = 16  # groups for each process that may go on behind one that takes long: their ends wait for its
_BEFORE: Final = 64  # groups that go before one that is to be alone
_TRIES: Final = 3  # processes one after the other that die before they have begun anything

_DIED: Final = "defect: the process that worked on this object died"
_OVERDUE: Final = (
    "the work on this object took too long and was given up; retry it when the machine has less to do, or discard it"
)


@dataclass(slots=True, eq=False)
class _Group(Generic[Item, End]):
    """Items that a process is given at a time, and whose ends come together."""

    items: tuple[Item, ...]
    alone: bool = False  # a process has died over it, perhaps as there was no memory beside the others
    ends: list[End] | None = None
    failure: Exception | None = None  # what one of them raised

    @property
    def has_ended(self) -> bool:
        return self.failure is not None or self.ends is not None


class Processes(Generic[Item, End]):
    """Begin groups, and get their ends. A thread of its own gives them to the processes and hears what becomes of them.

    What an item raises, and what befalls that thread, is raised where ends are asked for.
    """

    def __init__(self, task: Task[Item, End], jobs: int, tell: Callable[[], None] = lambda: None) -> None:
        """`tell` is called, by that thread, whenever there is something to get from `ended`.

        Nothing happens before it is entered.
        """
        self._task = task
        self._jobs = jobs
        self._tell = tell
        self._processes: list[Process[Item, End]] = []  # of that thread, while it runs
        self._changed = Condition()  # of all below, which is of both
        self._at_once = False
        self._open: list[_Group[Item, End]] = []  # what was begun and not taken, in its order
        self._waiting: deque[_Group[Item, End]] = deque()
        self._suspects: deque[_Group[Item, End]] = deque()  # that wait to be alone
        self._passed = 0  # groups that were begun while those waited
        self._given: dict[Process[Item, End], _Group[Item, End]] = {}
        self._defect: BaseException | None = None  # that ended that thread
        self._over = False
        self._died_early = 0

    def __enter__(self) -> Self:
        self._woken, self._wake = multiprocessing.Pipe(duplex=False)
        self._listening = Thread(target=self._listen, daemon=True)
        self._listening.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._changed:
            self._over = True
        self._wake.send_bytes(b"")
        try:
            self._listening.join()
        finally:
            for process in self._processes if kind else ():  # what they do was staged, and nobody waits for it any more
                process.kill()
        for process in self._processes:
            process.end()
        self._wake.close()
        self._woken.close()
        with self._changed:  # for other threads that wait for the end of something
            self._defect = self._defect or Deferred("the work is over")
            self._changed.notify_all()

    def start(self) -> None:
        """Have all processes there before there is work, which else waits for them."""
        with self._changed:
            self._at_once = True
        self._wake.send_bytes(b"")

    def begin(self, items: tuple[Item, ...]) -> None:
        """Have a group worked on."""
        self._begin(items)

    def has_room(self) -> bool:
        """Whether a process might soon have nothing to do."""
        with self._changed:
            return self._at_work() <= self._jobs * (_AHEAD - 1)

    def is_idle(self) -> bool:
        """Whether one of them has nothing to do."""
        with self._changed:
            return self._at_work() < self._jobs

    def ended(self) -> list[End]:
        """The ends of the groups that have ended, in any order. Raises what an item raised, where there are none."""
        with self._changed:
            return self._take([group for group in self._open if group.has_ended])

    def rest(self) -> Iterator[list[End]]:
        """The ends of what is at work, as they come; what no process has begun is left."""
        with self._changed:
            self._waiting.clear()
            self._suspects.clear()
            self._open = [group for group in self._open if group.has_ended or group in self._given.values()]
        while self._open:
            with self._changed:
                self._changed.wait_for(lambda: self._defect or any(group.has_ended for group in self._open))
            yield self.ended()

    def in_order(self, groups: Iterable[tuple[Item, ...]]) -> Generator[list[End]]:
        """The ends of each group in the order of the groups, those of several together where they are there already.

        Close it to give up what is at work. Groups behind one that takes long go on, so that no process idles.
        """
        with self:
            for items in groups:
                self._begin(items)
                if ends := self._leading(self._has_room_behind):
                    yield ends
            while self._open:
                yield self._leading(lambda: self._open[0].has_ended)

    def end_of(self, item: Item) -> End:
        """The end of one item."""
        group = self._begin((item,))
        with self._changed:
            self._changed.wait_for(lambda: self._defect or group.has_ended)
            self._open.remove(group)
            return self._take([group])[0]

    def _begin(self, items: tuple[Item, ...]) -> _Group[Item, End]:
        group: _Group[Item, End] = _Group(items)
        with self._changed:
            self._open.append(group)
            self._waiting.append(group)
        self._wake.send_bytes(b"")
        return group

    def _at_work(self) -> int:
        """Groups that processes have or may have at once."""
        return sum(not group.has_ended and group not in self._suspects for group in self._open)

    def _has_room_behind(self) -> bool:
        """Whether more may go on behind a group that takes long."""
        waits = len(self._open) >= self._jobs * _BEHIND and not self._open[0].has_ended
        return self._at_work() < self._jobs * _AHEAD and not waits

    def _leading(self, come: Callable[[], bool]) -> list[End]:
        """Wait for something, or for a failure; then the ends of what has no other before it."""
        with self._changed:
            self._changed.wait_for(lambda: self._defect or come() or any(group.failure for group in self._open))
            leading = list(takewhile(lambda group: group.has_ended and not group.failure, self._open))
            return self._take(leading or [group for group in self._open if group.failure])

    def _take(self, ended: list[_Group[Item, End]]) -> list[End]:
        """The ends of groups that have ended well. Raises where only others have."""
        if self._defect:
            raise self._defect
        well = [group for group in ended if not group.failure]
        failures = [group.failure for group in ended if group.failure]
        if failures and not well:
            raise failures[0]
        self._open = [group for group in self._open if group not in well]
        return [end for group in well for end in group.ends or ()]

    def _listen(self) -> None:
        try:
            while not self._over:
                self._give()
                told = wait([self._woken, *(process.pipe for process in self._processes)])
                if self._woken in told:
                    self._woken.recv_bytes()
                for process in [process for process in self._processes if process.pipe in told]:
                    self._hear(process)
        except BaseException as defect:  # noqa: BLE001 - of the thread whose work this is
            with self._changed:
                self._defect = defect
                self._changed.notify_all()
            self._tell()

    def _give(self) -> None:
        """Give something to every process, and start those that are wanted."""
        while True:
            with self._changed:
                idle = next((process for process in self._processes if process not in self._given), None)
                group = self._next() if idle else None
                if idle and group:
                    self._given[idle] = group
                wanted = len(self._given) + len(self._waiting) + len(self._suspects)
                wanted = self._jobs if self._at_once else min(self._jobs, wanted)
            if idle and group:
                idle.give(group.items)
            elif len(self._processes) < wanted:
                try:
                    self._processes.append(Process(self._task))
                except Deferred as reason:
                    if not self._processes:
                        self._put_off(reason)
                    return
            else:
                return

    def _next(self) -> _Group[Item, End] | None:
        """What may begin now.

        A suspect begins where nothing else is at work, and nothing else begins before it has ended. Where there is
        always something to do, it goes beside that at last: what takes long then holds up nobody.
        """
        if any(group.alone for group in self._given.values()):
            return None
        if self._suspects and (self._passed >= _BEFORE or not (self._waiting or self._given)):
            self._passed = 0
            return self._suspects.popleft()
        if not self._waiting:
            return None
        self._passed += bool(self._suspects)
        return self._waiting.popleft()

    def _put_off(self, reason: Deferred) -> None:
        """Nothing of what waits can be done now."""
        with self._changed:
            for group in (*self._waiting, *self._suspects):
                group.failure = reason
            self._waiting.clear()
            self._suspects.clear()
            self._died_early = 0
            self._at_once = False
            self._changed.notify_all()
        self._tell()

    def _hear(self, process: Process[Item, End]) -> None:
        said = process.hear()
        if isinstance(said, Died):
            self._processes.remove(process)
        with self._changed:
            group = self._given.pop(process, None)
            self._died_early = self._died_early + 1 if isinstance(said, Died) and not said.begun else 0
            if group and isinstance(said, Died):
                self._split(group, said)
            elif group and isinstance(said, Done):
                group.ends, group.failure = list(said.ends), said.failure
            self._changed.notify_all()
            news = any(group.has_ended for group in self._open)
        if news:
            self._tell()
        if self._died_early >= _TRIES and not any(process.has_answered for process in self._processes):
            self._put_off(Deferred("the processes for the work die before they begin any: is there memory for them?"))

    def _split(self, group: _Group[Item, End], died: Died) -> None:
        """One of the items has killed its process (memory, a crash in a library) or took too long: the others go on."""
        if not died.begun:
            (self._suspects if group.alone else self._waiting).appendleft(group)
            return
        place = died.begun - 1
        before, behind = (_Group[Item, End](items) for items in (group.items[:place], group.items[place + 1 :]))
        at = self._open.index(group)
        self._open[at : at + 1] = [each for each in (before, group, behind) if each.items]
        self._waiting.extendleft(each for each in (behind, before) if each.items)
        group.items = group.items[place : place + 1]
        if died.overdue or group.alone:
            group.ends = [self._task.lost(group.items[0], _OVERDUE if died.overdue else _DIED)]
        else:
            group.alone = True
            self._suspects.append(group)
