"""Ends come when they are there, or in order, and a process that dies takes one item with it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Event, active_count
from typing import TYPE_CHECKING, Any

import pytest

from deid import process, processes
from deid.errors import Deferred
from deid.process import kill_all
from deid.processes import Processes
from deid.scale import apart

if TYPE_CHECKING:
    from collections.abc import Iterator


DIED = "defect: the process that worked on this object died"
_PATIENCE = 60.0  # seconds, for what takes tenths


class Obeys:
    """A task that does what its item says: `name`, or `name path` where it needs one."""

    def __call__(self, item: str) -> str:  # noqa: C901 - a word each
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
            case "beside":  # what waits; alone, it is well
                if not Path(path).exists():
                    Path(f"{path} died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            case "odd":
                raise OddError("a", "b")
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


def until_there(path: Path) -> None:
    by = time.monotonic() + _PATIENCE
    while not path.exists():
        assert time.monotonic() < by
        time.sleep(0.01)


def all_of(working: Processes[str, str], news: Event, count: int) -> list[str]:
    """So many ends, as they come; whoever is not told of one waits too long."""
    ends: list[str] = []
    while len(ends) < count:
        assert news.wait(_PATIENCE)
        news.clear()
        ends += working.ended()
    return ends


def test_what_is_quick_does_not_wait_for_what_is_slow(tmp_path: Path) -> None:
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        working.begin((f"waits {tmp_path / 'there'}",))
        for name in ("a", "b", "c", "d", "e"):
            working.begin((name,))
        assert sorted(all_of(working, news, 5)) == ["a", "b", "c", "d", "e"]
        (tmp_path / "there").touch()
        assert all_of(working, news, 1) == ["waits"]


def test_there_is_room_while_a_process_might_have_nothing_to_do(tmp_path: Path) -> None:
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        for name, room in (("a", True), ("b", True), ("c", False), ("d", False)):
            working.begin((f"waits {tmp_path / name}",))
            assert working.has_room() is room
        assert working.ended() == []
        (tmp_path / "a").touch()
        (tmp_path / "b").touch()
        assert all_of(working, news, 2) == ["waits", "waits"]
        assert working.has_room()
        (tmp_path / "c").touch()
        (tmp_path / "d").touch()
        assert list(chain.from_iterable(working.rest())) == ["waits", "waits"]


def test_what_has_ended_well_comes_before_the_world_is_not_ready() -> None:
    told: list[bool] = []
    with Processes(Obeys(), 1, lambda: told.append(True)) as working:
        for item in ("full", "a", "b"):
            working.begin((item,))
        by = time.monotonic() + _PATIENCE
        while len(told) < 3 and time.monotonic() < by:
            time.sleep(0.01)
        assert working.ended() == ["a", "b"]
        with pytest.raises(Deferred):
            working.ended()


def test_at_the_end_what_is_at_work_is_finished_and_no_more_is_begun(tmp_path: Path) -> None:
    with Processes(Obeys(), 1) as working:
        working.begin((f"waits {tmp_path / 'there'}",))
        for _ in range(20):
            working.begin((f"counts {tmp_path / 'done'}",))
        until_there(tmp_path / "there begun")
        rest = working.rest()
        (tmp_path / "there").touch()
        ends = list(chain.from_iterable(rest))
    assert ends[0] == "waits"
    done = (tmp_path / "done").read_text() if (tmp_path / "done").exists() else ""
    assert len(done) == len(ends) - 1 < 5, "but for what was on its way to the process"


def test_in_order_what_has_ended_comes_together_and_nobody_waits_for_more(tmp_path: Path) -> None:
    groups = [("a",), ("b",), (f"waits {tmp_path / 'there'}", "full"), (f"counts {tmp_path / 'counted'}",), ("c",)]
    with closing(Processes(Obeys(), 2).in_order(iter(groups))) as found:
        ends = next(found)
        while len(ends) < 2:
            ends += next(found)
        assert ends == ["a", "b"]
        until_there(tmp_path / "counted")
        (tmp_path / "there").touch()
        with pytest.raises(Deferred):
            next(found)


def test_in_order_others_go_on_behind_one_that_takes_long_but_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_BEHIND", 8)
    begun = 0

    def groups() -> Iterator[tuple[str]]:
        nonlocal begun
        yield (f"waits {tmp_path / 'there'}",)
        for _ in range(40):
            begun += 1
            yield (f"counts {tmp_path / 'counted'}",)

    with closing(Processes(Obeys(), 2).in_order(groups())) as found, ThreadPoolExecutor(1) as thread:
        first = thread.submit(next, found)
        while not (tmp_path / "counted").exists() or len((tmp_path / "counted").read_text()) < 15:
            time.sleep(0.01)
        assert not first.done()
        assert begun == 15, "and no more, or the memory would be full of ends"
        (tmp_path / "there").touch()
        assert [*first.result(), *chain.from_iterable(found)] == ["waits", *["counts"] * 40]


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
    assert ends == ["waits", f"lost dies: {DIED}", *["counts"] * 6, "sets"]
    assert [(tmp_path / str(number)).read_text() for number in range(3)] == ["x"] * 3


def test_what_was_at_work_beside_what_kills_is_done_again(tmp_path: Path) -> None:
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        working.begin(("a", "dies", "b"))
        for number in range(5):
            working.begin((f"counts {tmp_path / str(number)}",))
        ends = all_of(working, news, 8)
    assert sorted(ends) == ["a", "b", *["counts"] * 5, f"lost dies: {DIED}"]
    assert all((tmp_path / str(number)).exists() for number in range(5))
    assert multiprocessing.active_children() == []


def test_what_hangs_is_killed_and_the_rest_goes_on() -> None:
    with closing(Processes(Obeys(), 1).in_order([("a", "hangs", "b"), ("c",)])) as found:
        ends = list(chain.from_iterable(found))
    assert ends[1].startswith("lost hangs: the work on this object took too long")
    assert ends[:1] + ends[2:] == ["a", "b", "c"]


def test_what_hangs_or_kills_leaves_the_others_alone(tmp_path: Path) -> None:
    """What they do is not broken off, and not done again."""
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        working.begin((f"counts {tmp_path / 'counted'}", f"waits {tmp_path / 'there'}"))
        working.begin(("hangs", "dies", "a"))
        assert [end.split(":")[0] for end in all_of(working, news, 2)] == ["lost hangs", "a"]
        (tmp_path / "there").touch()
        assert all_of(working, news, 3) == ["counts", "waits", f"lost dies: {DIED}"]
    assert (tmp_path / "counted").read_text() == "x"


def test_what_killed_a_process_is_tried_again_with_nothing_beside_it(tmp_path: Path) -> None:
    """For want of memory, perhaps. Others go before it, and what is at work is not broken off."""
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        working.begin((f"waits {tmp_path / 'there'}",))
        until_there(tmp_path / "there begun")
        working.begin(("a", f"beside {tmp_path / 'there'}", "b"))
        assert all_of(working, news, 2) == ["a", "b"]
        working.begin(("c",))
        assert all_of(working, news, 1) == ["c"]
        working.begin(("d",))
        assert all_of(working, news, 1) == ["d"]
        assert not news.wait(0.5), "it is not tried beside the first"
        (tmp_path / "there").touch()
        assert all_of(working, news, 2) == ["waits", "beside"]


def test_where_there_is_always_something_to_do_it_goes_beside_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that takes long would hold up all others."""
    monkeypatch.setattr(processes, "_BEFORE", 2)
    news = Event()
    with Processes(Obeys(), 2, news.set) as working:
        working.begin((f"waits {tmp_path / 'there'}",))
        until_there(tmp_path / "there begun")
        for item in ("dies", "a", "b", "c"):
            working.begin((item,))
        assert sorted(all_of(working, news, 4)) == ["a", "b", "c", f"lost dies: {DIED}"]
        (tmp_path / "there").touch()
        assert all_of(working, news, 1) == ["waits"]


def test_where_no_process_can_be_started_the_next_time_may_be_better(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with apart(Obeys()) as end:
        for target, name in ((process._SPAWN.Process, "start"), (resource_tracker, "ensure_running")):
            with monkeypatch.context() as patched:
                patched.setattr(target, name, fails)
                with pytest.raises(Deferred, match="Resource temporarily unavailable"):
                    end("a")
        assert end("b") == "b"


def test_where_only_some_processes_can_be_started_these_do_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    start = process._SPAWN.Process.start

    def once(self: Any) -> None:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(self)
        start(self)

    monkeypatch.setattr(process._SPAWN.Process, "start", once)
    names = [str(number) for number in range(20)]
    with closing(Processes(Obeys(), 4).in_order((name,) for name in names)) as found:
        assert list(chain.from_iterable(found)) == names


def test_whoever_waits_when_all_is_over_is_told(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with Processes(Obeys(), 1) as working:
            waiting = thread.submit(working.end_of, f"waits {tmp_path / 'there'}")
            until_there(tmp_path / "there begun")
            (tmp_path / "there").touch()
        # It may have ended just before.
        assert isinstance(waiting.exception(_PATIENCE), Deferred | None)


def test_no_items_are_nothing_to_do() -> None:
    with closing(Processes(Obeys(), 1).in_order([(), ("a",)])) as found:
        assert list(chain.from_iterable(found)) == ["a"]


class OddError(Exception):
    """It cannot be made again from what it says."""

    def __init__(self, _one: str, _other: str) -> None:
        super().__init__("odd")


def test_an_answer_that_nobody_understands_costs_its_item_only() -> None:
    with closing(Processes(Obeys(), 1).in_order([("a", "odd", "b")])) as found:
        assert list(chain.from_iterable(found)) == ["a", f"lost odd: {DIED}", "b"]


def test_what_is_never_asked_for_begins_nothing() -> None:
    threads = active_count()
    for _ in range(3):
        Processes(Obeys(), 1).in_order([("a",)]).close()
    assert active_count() == threads


def test_all_processes_may_be_there_before_there_is_work() -> None:
    with Processes(Obeys(), 3) as working:
        working.start()
        by = time.monotonic() + _PATIENCE
        while len(multiprocessing.active_children()) < 3 and time.monotonic() < by:
            time.sleep(0.01)
        assert len(multiprocessing.active_children()) == 3
    assert multiprocessing.active_children() == []


def test_a_process_that_died_while_it_had_nothing_to_do_is_replaced() -> None:
    news = Event()
    with Processes(Obeys(), 1, news.set) as working:
        working.begin(("a",))
        assert all_of(working, news, 1) == ["a"]
        (idle,) = multiprocessing.active_children()
        idle.kill()
        working.begin(("b",))
        assert all_of(working, news, 1) == ["b"]


class DiesWhenItArrives(Obeys):
    """A task with which no process gets as far as its first item."""

    def __setstate__(self, _: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (), {"something": True}


def test_where_no_process_can_begin_no_item_is_to_blame() -> None:
    news = Event()
    with Processes(DiesWhenItArrives(), 2, news.set) as working:
        working.start()
        working.begin(("a", "b"))
        with pytest.raises(Deferred, match="die before they begin any"):
            all_of(working, news, 2)


def test_a_task_that_cannot_travel_is_a_defect_of_whoever_gives_it() -> None:
    news = Event()
    with Processes(lambda item: item, 1, news.set) as working:  # type: ignore[arg-type] # on purpose
        working.begin(("a",))
        assert news.wait(_PATIENCE)
        with pytest.raises(AttributeError, match="pickle"):
            working.ended()


def test_what_is_killed_on_purpose_is_no_fault_of_its_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_given_up", Event())
    with apart(Obeys()) as end, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(end, f"sleeps {tmp_path / 'begun'}")
        while not (tmp_path / "begun").exists():
            assert not waiting.done()
            time.sleep(0.01)
        kill_all()
        with pytest.raises(Deferred):
            waiting.result()
    assert multiprocessing.active_children() == []
