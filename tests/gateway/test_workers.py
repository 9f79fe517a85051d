"""What workers claim, they work at once, and give back what they cannot end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from deid.errors import Deferred
from deid.forward.release import Release
from deid.gateway import workers as module
from deid.gateway.heartbeat import LEASE
from deid.gateway.workers import Workers
from deid.model import Outcome, State
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.model import Ticket

JOURNEY = 1


class Judge:
    """Has no objection."""

    def judge(self, outcome: Outcome, _ticket: Ticket, _group: dict[str, Ticket]) -> Outcome:
        return outcome


class Working:
    """Processes that have done at once what is begun, or when told so."""

    def __init__(self) -> None:
        self.started = False
        self.begun: list[list[int]] = []
        self.has_ended: Callable[[list[int]], bool] = lambda _numbers: True  # a group
        self.room = True
        self.jobs = 1
        self._at_work: list[list[int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._at_work.clear()

    def start(self) -> None:
        self.started = True

    def begin(self, group: tuple[tuple[Ticket, Path], ...]) -> None:
        self.begun.append([ticket.number for ticket, _ in group])
        self._at_work.append(self.begun[-1])

    def has_room(self) -> bool:
        return self.room

    def is_idle(self) -> bool:
        return len(self._at_work) < self.jobs

    def ended(self) -> list[Outcome]:
        ended = [group for group in self._at_work if self.has_ended(group)]
        self._at_work = [group for group in self._at_work if group not in ended]
        return [Outcome(number, State.HELD, "why") for group in ended for number in group]

    def rest(self) -> Iterator[list[Outcome]]:
        self.has_ended = lambda _numbers: True
        yield self.ended()


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "out", "plan")
        assert journey == JOURNEY
        queue.enrol(journey, [(tmp_path / f"in/{number}.dcm", (number,)) for number in range(3)])
        yield queue


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> Working:
    working = Working()
    monkeypatch.setattr(module, "as_they_come", lambda *_: working)
    return working


def many(folder: Path) -> list[tuple[Path, tuple[int, ...]]]:
    return [(folder / f"in/{number}.dcm", (number,)) for number in range(40)]


def workers(queue: Queue) -> Workers:
    folder: Any = SimpleNamespace(
        unpublished=lambda number: Path(str(number)), publish=list, discard=lambda _number: None
    )
    pipeline: Any = None
    auditor: Any = SimpleNamespace(tell_all=list)
    return Workers(
        route="research",
        journey=JOURNEY,
        queue=queue,
        folder=folder,
        release=Release(queue, JOURNEY, folder, Judge()),
        pipeline=pipeline,
        jobs=1,
        room=lambda: True,
        news=Event(),
        released=lambda: None,
        auditor=auditor,
        stop=Event(),
    )


def stops_when_it_waits(ours: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is nothing to do."""
    monkeypatch.setattr(ours.news, "wait", lambda _seconds: ours.stop.set())


def test_what_is_claimed_is_worked_on_and_written_down(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = workers(queue)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.started
    assert working.begun == [[1, 2, 3]]
    assert queue.tally(JOURNEY)[State.HELD] == 3
    assert not ours.release.at_work


def test_what_could_not_be_ended_is_claimed_again_at_once(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time the world is not ready while they work, the second time while the ends are written down."""
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    ours = workers(queue)

    def not_the_first_time(_numbers: list[int]) -> bool:
        if len(working.begun) == 1:
            raise Deferred("the disk is full")
        return True

    record_ends = queue.record_ends

    def not_the_second_time(*ends: Any) -> None:
        if len(working.begun) == 2:
            raise Deferred("the ledger cannot be written")
        record_ends(*ends)

    monkeypatch.setattr(working, "has_ended", not_the_first_time)
    monkeypatch.setattr(queue, "record_ends", not_the_second_time)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.begun == [[1, 2, 3]] * 3
    assert queue.tally(JOURNEY)[State.HELD] == 3
    assert not ours.release.at_work


def test_what_has_ended_is_written_down_while_something_else_takes_long(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And more is claimed: the first of three takes until they stop."""
    monkeypatch.setattr(module, "_GROUP", 1)
    working.has_ended = lambda numbers: numbers != [1]
    ours = workers(queue)
    before: list[int] = []

    def wait(_seconds: float) -> None:
        before.append(queue.tally(JOURNEY)[State.HELD])
        ours.stop.set()

    monkeypatch.setattr(ours.news, "wait", wait)
    ours.run()
    assert working.begun == [[1], [2], [3]]
    assert before == [2]
    assert queue.tally(JOURNEY)[State.HELD] == 3


def test_what_is_at_work_is_not_begun_again_although_its_lease_has_ended(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GROUP", 2)
    working.has_ended = lambda _numbers: False
    ours = workers(queue)
    looked = 0

    def wait(_seconds: float) -> None:
        nonlocal looked
        looked += 1
        if looked == 1:
            queue.free_leases()
        if looked == 4:
            assert queue.claim(JOURNEY, 9, time.time(), LEASE) == []  # all are leased again
            ours.stop.set()

    monkeypatch.setattr(ours.news, "wait", wait)
    ours.run()
    assert working.begun == [[1, 2], [3]]


def test_no_more_is_claimed_than_there_is_room_for(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    working.room = False
    ours = workers(queue)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.begun == []
    assert len(queue.claim(JOURNEY, 9, time.time(), LEASE)) == 3


@pytest.mark.parametrize(("jobs", "groups"), [(1, [[1, 2, 3]]), (2, [[1, 2], [3]]), (4, [[1], [2], [3]])])
def test_what_is_claimed_is_shared_out_among_the_processes(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch, jobs: int, groups: list[list[int]]
) -> None:
    ours = replace(workers(queue), jobs=jobs)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.begun == groups


def test_nothing_waits_to_be_written_down_with_an_object_that_may_take_long(
    queue: Queue, working: Working, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "1.dcm").open("wb") as file:
        file.truncate(9 << 20)
    ours = workers(queue)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.begun == [[1, 3], [2]]


@pytest.mark.parametrize(("large", "begun"), [(3, [[1], [2]]), (2, [[3], [1]])], ids=["nothing else", "something"])
def test_large_objects_leave_one_process_for_what_is_quick(
    queue: Queue, working: Working, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, begun: list[list[int]]
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(large):
        with (tmp_path / "in" / f"{number}.dcm").open("wb") as file:
            file.truncate(9 << 20)
    working.jobs = 2
    working.has_ended = lambda _numbers: False
    working.room = True
    ours = replace(workers(queue), jobs=2)
    monkeypatch.setattr(working, "rest", list)
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert working.begun == begun


@pytest.mark.usefixtures("working")
def test_no_more_than_was_promised_is_on_record_before_it_is_told(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enrol(JOURNEY, many(tmp_path))
    told: list[int] = []
    ours = replace(workers(queue), jobs=3)
    monkeypatch.setattr(ours.auditor, "tell_all", lambda events: told.append(len(list(events))))
    stops_when_it_waits(ours, monkeypatch)
    ours.run()
    assert told == [16, 16, 8], "16 at most, as README says"


def test_nothing_is_claimed_where_the_rest_of_the_disk_is_for_the_ledger(
    queue: Queue, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = replace(workers(queue), room=lambda: False)
    monkeypatch.setattr(ours.stop, "wait", lambda _seconds: ours.stop.set())
    ours.run()
    assert working.begun == []


def test_nobody_else_gets_what_they_have_claimed(queue: Queue) -> None:
    assert len(workers(queue)._claim()) == 3
    now = time.time()
    assert queue.claim(JOURNEY, 9, now, LEASE) == []
    assert len(queue.claim(JOURNEY, 9, now + LEASE + 1, LEASE)) == 3
