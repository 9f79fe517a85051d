"""Outcomes come in the order of the groups, and a process that dies takes one object with it, not the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from deid import scale
from deid.errors import Deferred
from deid.model import Result, State, Ticket
from deid.scale import apart, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pipeline import Pipeline


class Obeys:
    """A pipeline that does what the name of its source says."""

    def deidentify(self, source: Path, unpublished: Path, accepted: frozenset[str]) -> Result:  # noqa: ARG002 - as it is called
        match source.name:
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "full":
                raise Deferred("the disk is full")
            case "breaks":
                raise ValueError
            case "lasts":
                time.sleep(20)
                unpublished.touch()
        return Result("1.2", source.name, str(os.getpid()), (), ())


PIPELINE = cast("Pipeline", Obeys())


def groups(*names: str) -> list[tuple[Ticket, ...]]:
    """Each word is a group, its parts between commas are tickets."""
    numbers = iter(range(1, 1000))
    return [tuple(Ticket(next(numbers), Path(name)) for name in word.split(",")) for word in names]


def ends(jobs: int, *names: str) -> list[State]:
    with closing(outcomes(PIPELINE, groups(*names), lambda number: Path(f"/nowhere/{number}"), jobs)) as found:
        return [end.state for group in found for end in group]


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_keep_the_order_of_groups_and_tickets(jobs: int) -> None:
    names = [f"{number},b,c" for number in range(10)]
    found = outcomes(PIPELINE, groups(*names), lambda number: Path(f"/nowhere/{number}"), jobs)
    assert [end.ticket for group in found for end in group] == list(range(1, 31))


def test_one_job_works_here_and_two_elsewhere() -> None:
    def processes(jobs: int) -> set[str]:
        found = outcomes(PIPELINE, groups("a", "b"), lambda _: Path("/nowhere/1"), jobs)
        return {end.result.path for group in found for end in group if end.result}

    assert processes(1) == {str(os.getpid())}
    assert str(os.getpid()) not in processes(2)


def test_a_process_that_dies_holds_its_object_and_the_rest_goes_on() -> None:
    good, held = State.RELEASED, State.HELD
    names = ("a,b", "c,dies,breaks", "d", "e", "f", "dies", "g", "h", "dies,i")
    expected = [good, good, good, held, held, good, good, good, held, good, good, held, good]
    assert ends(2, *names) == expected


def test_a_group_may_come_after_its_processes_have_died() -> None:
    def late() -> Iterator[tuple[Ticket, ...]]:
        first, second = groups("dies", "a")
        yield first
        while multiprocessing.active_children():
            time.sleep(0.01)
        yield second

    found = outcomes(PIPELINE, late(), lambda number: Path(f"/nowhere/{number}"), 2)
    assert [end.state for group in found for end in group] == [State.HELD, State.RELEASED]


def test_the_reason_tells_that_the_process_died() -> None:
    (group,) = outcomes(PIPELINE, groups("dies"), lambda _: Path("/nowhere/1"), 2)
    assert [end.reason for end in group] == ["defect: the process that worked on this object died"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_stops_everything(jobs: int) -> None:
    with pytest.raises(Deferred, match="the disk is full"):
        ends(jobs, "a", "full", "b", "c")


def test_groups_are_claimed_a_few_ahead_and_no_more() -> None:
    taken = 0

    def endless() -> Iterator[tuple[Ticket, ...]]:
        nonlocal taken
        while True:
            taken += 1
            yield (Ticket(taken, Path("a")),)

    with closing(outcomes(PIPELINE, endless(), lambda _: Path("/nowhere/1"), 1, apart=True)) as found:
        next(found)
    assert taken <= 2


@pytest.mark.parametrize("names", [("a", "lasts", "lasts"), ("a", "dies,lasts", "a")], ids=["together", "alone"])
def test_what_is_at_work_when_the_run_ends_is_given_up(tmp_path: Path, names: tuple[str, ...]) -> None:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    found = outcomes(PIPELINE, groups(*names), lambda number: tmp_path / str(number), 2)
    next(found)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)  # the process that is alone needs a moment to start
        with pytest.raises(KeyboardInterrupt):
            next(found)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert multiprocessing.active_children() == []
    assert list(tmp_path.iterdir()) == []


def test_one_item_at_a_time_is_done_apart_for_all_threads_in_one_process() -> None:
    with apart(scale._DeIdentify(PIPELINE)) as end, ThreadPoolExecutor(4) as threads:
        tickets = [Ticket(number, Path("dies" if number == 3 else "a")) for number in range(8)]
        ends = list(threads.map(end, [(ticket, ticket.source) for ticket in tickets]))
        # The one that dies may have had the last turn, and a process is started when it is needed.
        end((Ticket(8, Path("a")), Path("a")))
        assert len(multiprocessing.active_children()) == 1
    assert [end.ticket for end in ends] == list(range(8))
    assert [end.ticket for end in ends if end.state is State.HELD] == [3]
    assert len({end.result.path for end in ends[:3] + ends[4:] if end.result} - {str(os.getpid())}) <= 2
    assert multiprocessing.active_children() == []


def test_a_single_job_that_may_crash_has_a_process_of_its_own() -> None:
    found = outcomes(PIPELINE, groups("a,dies,b", "c"), lambda number: Path(f"/nowhere/{number}"), 1, apart=True)
    states = [end.state for group in found for end in group]
    assert states == [State.RELEASED, State.HELD, State.RELEASED, State.RELEASED]


def test_a_large_object_may_take_longer(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.touch()
    with large.open("wb") as file:
        file.truncate(100 << 20)
    task = scale._DeIdentify(PIPELINE)
    seconds = [task.seconds((Ticket(1, path), path)) for path in (tmp_path / "gone", small, large)]
    assert seconds[0] == seconds[1] < seconds[2]
