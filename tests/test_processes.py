"""Ends come when they are there, or in order, and a process that dies takes one item with it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, cast

import pytest

from deid import processes as module
from deid.errors import Deferred
from deid.processes import Processes, kill_all
from deid.scale import apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.processes import Task

_PATIENCE = 60.0  # seconds, for what takes tenths


class Obeys:
    """A task that does what its item says: `name`, or `name path` where it needs one."""

    def __call__(self, item: str) -> str:
        what, _, path = item.partition(" ")
        match what:
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "full":
                raise Deferred("the disk is full")
            case "waits":  # until the path is there
                Path(f"{path} begun").touch()
                while not Path(path).exists():
                    time.sleep(0.01)
            case "counts":
                with Path(path).open("a") as file:
                    file.write("x")
            case "hangs":  # in native code, and lets no other thread run
                ctypes.PyDLL(None).sleep(60)
            case "sleeps":
                Path(path).touch()
                ctypes.PyDLL(None).sleep(60)
        return what

    def seconds(self, item: str) -> float:
        return 1 if item == "hangs" else 60

    def lost(self, item: str, why: str) -> str:
        return f"lost {item}: {why}"


class ByHand:
    """Processes of which a test says when they have ended: when what is begun, and else by `end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends_with: dict[str, str] | None = None) -> None:
        self.ends: dict[str, Future[list[str]]] = {}
        self._ends_with = ends_with or {}
        monkeypatch.setattr(Processes, "_submit", self._submit)

    def _submit(self, group: tuple[str, ...]) -> Future[list[str]]:
        self.ends[group[0]] = Future()
        for name in [name for name, other in self._ends_with.items() if other == group[0]]:
            self.end(name)
        return self.ends[group[0]]

    def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set_result([name])


NO_TASK = cast("Task[str, str]", None)


def all_of(processes: Processes[str, str], news: Event, count: int) -> list[str]:
    """So many ends, as they come; whoever is not told of one waits too long."""
    ends: list[str] = []
    while len(ends) < count:
        assert news.wait(_PATIENCE)
        news.clear()
        ends += chain.from_iterable(processes.ended())
    return ends


def test_what_is_quick_does_not_wait_for_what_is_slow(tmp_path: Path) -> None:
    news = Event()
    with Processes(Obeys(), 2, news.set) as processes:
        processes.begin((f"waits {tmp_path / 'there'}",))
        for name in ("a", "b", "c", "d", "e"):
            processes.begin((name,))
        assert sorted(all_of(processes, news, 5)) == ["a", "b", "c", "d", "e"]
        (tmp_path / "there").touch()
        assert all_of(processes, news, 1) == ["waits"]


def test_there_is_room_while_a_process_might_have_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = ByHand(monkeypatch)
    with Processes(NO_TASK, 2) as processes:
        for name, room in (("a", True), ("b", True), ("c", False), ("d", False)):
            processes.begin((name,))
            assert processes.has_room() is room
        by_hand.end("b", "c")
        assert processes.has_room()
        assert list(processes.ended()) == [["b", "c"]]
        assert list(processes.ended()) == []
        by_hand.end("a", "d")


def test_what_has_ended_well_comes_before_the_world_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = ByHand(monkeypatch)
    with Processes(NO_TASK, 2) as processes:
        for name in ("a", "b", "c"):
            processes.begin((name,))
        by_hand.ends["a"].set_exception(Deferred("the disk is full"))
        by_hand.end("b")
        ended = processes.ended()
        assert next(ended) == ["b"]
        with pytest.raises(Deferred):
            next(ended)


def test_at_the_end_what_is_at_work_is_finished_and_no_more_is_begun(tmp_path: Path) -> None:
    with Processes(Obeys(), 1) as processes:
        processes.begin((f"waits {tmp_path / 'there'}",))
        for _ in range(20):
            processes.begin((f"counts {tmp_path / 'done'}",))
        while not (tmp_path / "there begun").exists():
            time.sleep(0.01)
        rest = processes.rest()
        (tmp_path / "there").touch()
        ends = list(chain.from_iterable(rest))
    assert ends[0] == "waits"
    done = (tmp_path / "done").read_text() if (tmp_path / "done").exists() else ""
    assert len(done) == len(ends) - 1 < 5, "but for what was on its way to the process"


def test_in_order_what_has_ended_comes_together_and_nobody_waits_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = ByHand(monkeypatch, {"a": "a", "b": "b", "d": "d", "e": "e"})
    found = Processes(NO_TASK, 2).in_order((name,) for name in ("a", "b", "c", "d", "e"))
    assert next(found) == ["a", "b"]
    by_hand.ends["c"].set_exception(Deferred("the disk is full"))
    with pytest.raises(Deferred):
        next(found)


def test_in_order_others_go_on_behind_one_that_takes_long_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEHIND", 8)
    names = [str(number) for number in range(40)]
    by_hand = ByHand(monkeypatch, {name: name for name in names} | {"0": "15", "20": "30"})
    found = Processes(NO_TASK, 2).in_order((name,) for name in names)
    assert next(found) == names[:16]
    assert list(by_hand.ends) == names[:16]
    assert next(found)[-1] == "19"
    assert list(chain.from_iterable(found)) == names[20:]


def test_in_order_what_kills_a_process_is_found_and_the_rest_is_done(tmp_path: Path) -> None:
    """Also where the one that is killed has others behind it that ended before: these are not done again."""
    killer = f"waits {tmp_path / 'counted'}"
    groups = [(killer, "dies"), *((f"counts {tmp_path / str(number)}",) for number in range(6)), ("sets x",)]

    def given() -> Iterator[tuple[str, ...]]:
        for group in groups:
            if group[0].startswith("sets"):  # by now the others have ended, or are about to
                while not all((tmp_path / str(number)).exists() for number in range(5)):
                    time.sleep(0.01)
                (tmp_path / "counted").touch()
            yield group

    with closing(Processes(Obeys(), 2).in_order(given())) as found:
        ends = list(chain.from_iterable(found))
    assert ends == ["waits", "lost dies: defect: the process that worked on this object died", *["counts"] * 6, "sets"]
    assert [(tmp_path / str(number)).read_text() for number in range(3)] == ["x"] * 3


def test_what_was_at_work_beside_what_kills_is_done_again(tmp_path: Path) -> None:
    news = Event()
    with Processes(Obeys(), 2, news.set) as processes:
        processes.begin(("a", "dies", "b"))
        for number in range(5):
            processes.begin((f"counts {tmp_path / str(number)}",))
        ends = all_of(processes, news, 8)
    assert sorted(ends) == ["a", "b", *["counts"] * 5, "lost dies: defect: the process that worked on this object died"]
    assert all((tmp_path / str(number)).exists() for number in range(5))
    assert multiprocessing.active_children() == []


def test_what_hangs_is_killed_and_the_rest_goes_on() -> None:
    with closing(Processes(Obeys(), 1).in_order([("a", "hangs", "b"), ("c",)])) as found:
        ends = list(chain.from_iterable(found))
    assert ends[1].startswith("lost hangs: the work on this object took too long")
    assert ends[:1] + ends[2:] == ["a", "b", "c"]


def test_what_is_killed_on_purpose_is_no_fault_of_its_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_given_up", Event())
    with apart(Obeys()) as end, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(end, f"sleeps {tmp_path / 'begun'}")
        while not (tmp_path / "begun").exists():
            assert not waiting.done()
            time.sleep(0.01)
        kill_all()
        with pytest.raises(Deferred):
            waiting.result()
    assert multiprocessing.active_children() == []
