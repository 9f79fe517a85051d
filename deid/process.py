"""A spawned process that does the same to many items, and how it is spoken with."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from deid.errors import Deferred

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
End = TypeVar("End")
Item_contra = TypeVar("Item_contra", contravariant=True)
End_co = TypeVar("End_co", covariant=True)

_SPAWN: Final = multiprocessing.get_context("spawn")  # never fork: the parent runs threads, and holds a lock
_MOST: Final = 1 << 16  # bytes that a pipe holds: groups have far fewer items

_given_up: Final = Event()  # from when on the processes of this one are killed on purpose


class Task(Protocol[Item_contra, End_co]):
    """What is done to each item. It travels to a process once, so what it makes there is made once."""

    def __call__(self, item: Item_contra, /) -> End_co:
        """Do it."""

    def seconds(self, item: Item_contra, /) -> float:
        """How long an item may take in a process of its own, which is killed then."""

    def lost(self, item: Item_contra, why: str, /) -> End_co:
        """What becomes of an item whose process died."""


@dataclass(frozen=True, slots=True)
class Done(Generic[End]):
    """The ends of items, up to one that raised something."""

    ends: Sequence[End]
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Died:
    """The process is gone: over the last of so many items that it had begun, if any. That may have taken too long."""

    begun: int
    overdue: bool


class Process(Generic[Item, End]):
    """One process, from its start on. What it is given at a time has its answer before it is given more."""

    def __init__(self, task: Task[Item, End]) -> None:
        """Start it. Raises Deferred where none can be started, and after `kill_all`."""
        if _given_up.is_set():
            raise Deferred("the program ends")
        self.has_answered = False
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        ends: list[Connection] = []
        try:
            ends += multiprocessing.Pipe()
            ends += multiprocessing.Pipe(duplex=False)  # a byte for each item that was begun
            self.pipe, theirs, self._begun, begins = ends
            self._process = _SPAWN.Process(target=_serve, args=(task, theirs, begins), daemon=True)
            # It inherits the mask: Ctrl-C and the end of a terminal are told to all processes, and the parent decides
            # when to stop. What multiprocessing starts before the first one would unblock them again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
            self._process.start()
        except OSError as error:
            for end in ends:
                end.close()
            raise Deferred(f"no process can be started for the work ({error.strerror}): is there memory?") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        begins.close()
        if _given_up.is_set():  # since it was looked at
            self.kill()

    def give(self, items: tuple[Item, ...]) -> None:
        """Have it work on these."""
        with suppress(OSError):  # it has died, and that will be heard
            self.pipe.send(items)

    def hear(self) -> Done[End] | Died:
        """What it answers, as soon as there is something in its `pipe`. Raises Deferred after `kill_all`."""
        try:
            done: Done[End] = self.pipe.recv()
        except Exception:  # noqa: BLE001 - what nobody understands is no answer either
            if _given_up.is_set():
                raise Deferred("the program ends") from None
            self._process.kill()
            self._process.join()
            died = Died(len(os.read(self._begun.fileno(), _MOST)), self._process.exitcode == -signal.SIGALRM)
            self.end()
            return died
        if done.ends or done.failure:
            os.read(self._begun.fileno(), _MOST)
        self.has_answered = True
        return done

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    def end(self) -> None:
        """Listen no more, and wait until it is gone."""
        self.pipe.close()
        self._begun.close()
        self._process.join()
        with suppress(ValueError):  # another thread that starts a process may have heard of its end in place of us
            self._process.close()


def kill_all() -> None:
    """End every process that was started here, whatever hangs there: no item is to blame, for the caller ends, too."""
    _given_up.set()
    for process in multiprocessing.active_children():
        with suppress(ValueError):  # somebody has just seen it end
            process.kill()


def _serve(task: Task[Any, Any], pipe: Connection, begun: Connection) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    with suppress(EOFError, OSError):  # nobody listens any more
        while True:
            pipe.send(_work_on(task, pipe.recv(), begun))


def _end_with_parent() -> None:
    """Whoever is at work would not see that nobody is there any more."""
    if parent := multiprocessing.parent_process():
        wait((parent.sentinel,))
        os._exit(1)


def _work_on(task: Task[Item, End], items: tuple[Item, ...], begun: Connection) -> Done[End]:
    ends: list[End] = []
    try:
        for item in items:
            os.write(begun.fileno(), b".")
            ends.append(_in_time(task, item))
    except Exception as failure:  # noqa: BLE001 - raised where the ends are waited for
        return Done(ends, failure)
    return Done(ends)


def _in_time(task: Task[Item, End], item: Item) -> End:
    """The kernel ends this process when time is over: nothing of ours runs while native code hangs."""
    signal.setitimer(signal.ITIMER_REAL, task.seconds(item))
    try:
        return task(item)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
