"""What workers claim, they work at once, and give back what they cannot end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Iterable, Iterator

    from deid.model import Ticket

JOURNEY = 1


class Judge:
    """Has no objection."""

    def judge(self, outcome: Outcome, _ticket: Ticket, _group: dict[str, Ticket]) -> Outcome:
        return outcome


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "out", "plan")
        assert journey == JOURNEY
        queue.enrol(journey, [(tmp_path / f"in/{number}.dcm", (number,)) for number in range(3)])
        yield queue


def many(folder: Path) -> list[tuple[Path, tuple[int, ...]]]:
    return [(folder / f"in/{number}.dcm", (number,)) for number in range(40)]


def workers(queue: Queue) -> Workers:
    folder: Any = type("Folder", (), {"unpublished": None, "publish": lambda _self, objects: list(objects)})()
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
        arrived=Event(),
        released=lambda: None,
        auditor=auditor,
        stop=Event(),
    )


def test_what_could_not_be_ended_is_claimed_again_at_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time the world is not ready while they work, the second time while the ends are written down."""
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    ours = workers(queue)
    groups: list[list[int]] = []

    def outcomes(_pipeline: object, waiting: Iterable[tuple[Ticket, ...]], *_: object, **__: object) -> Iterator[Any]:
        for group in waiting:
            groups.append([ticket.number for ticket in group])
            if len(groups) == 1:
                raise Deferred("the disk is full")
            if len(groups) == 3:
                ours.stop.set()
            yield [Outcome(ticket.number, State.HELD, "why") for ticket in group]

    record_ends = queue.record_ends

    def not_the_first_time(*ends: Any) -> None:
        if len(groups) == 2:
            raise Deferred("the ledger cannot be written")
        record_ends(*ends)

    monkeypatch.setattr(module, "outcomes", outcomes)
    monkeypatch.setattr(queue, "record_ends", not_the_first_time)
    monkeypatch.setattr(ours.arrived, "wait", lambda _seconds: ours.stop.set())  # it should not have to
    ours.run()
    assert groups == [[1, 2, 3]] * 3
    assert queue.tally(JOURNEY)[State.HELD] == 3
    assert not ours.release.at_work


def test_what_is_at_work_is_not_begun_again_although_its_lease_has_ended(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = workers(queue)
    groups = ours._groups()
    monkeypatch.setattr(module, "_GROUP", 2)
    assert [ticket.number for ticket in next(groups)] == [1, 2]
    queue.free_leases()
    assert next(groups) == ()  # and these two are leased again
    assert [ticket.number for ticket in next(groups)] == [3]
    assert next(groups) == ()
    assert queue.claim(JOURNEY, 9, time.time(), LEASE) == []


def test_what_is_claimed_is_shared_out_among_the_processes(queue: Queue) -> None:
    groups = replace(workers(queue), jobs=2)._groups()
    assert [[ticket.number for ticket in next(groups)] for _ in range(2)] == [[1, 2], [3]]
    assert next(groups) == ()


def test_where_much_waits_each_process_gets_as_much_as_a_single_one(queue: Queue, tmp_path: Path) -> None:
    """Ends keep their order: behind an object that takes minutes there is no more to do than what was claimed."""
    queue.enrol(JOURNEY, many(tmp_path))
    groups = replace(workers(queue), jobs=2)._groups()
    assert [len(next(groups)) for _ in range(4)] == [16, 16, 4, 4]


def test_nothing_more_is_begun_when_they_stop(queue: Queue) -> None:
    ours = replace(workers(queue), jobs=3)
    groups = ours._groups()
    assert len(next(groups)) == 1
    ours.stop.set()
    assert list(groups) == []


def test_no_more_than_was_promised_is_on_record_before_it_is_told(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enrol(JOURNEY, many(tmp_path))
    told: list[int] = []
    ours = workers(queue)
    monkeypatch.setattr(ours.auditor, "tell_all", lambda events: told.append(len(list(events))))

    def outcomes(_pipeline: object, waiting: Iterator[tuple[Ticket, ...]], *_: object, **__: object) -> Iterator[Any]:
        ended = [ticket for _ in range(3) for ticket in next(waiting)]
        ours.stop.set()
        yield [Outcome(ticket.number, State.HELD, "why") for ticket in ended]

    monkeypatch.setattr(module, "outcomes", outcomes)
    ours.run()
    assert told == [16, 16, 8], "16 at most, as README says"


def test_nobody_else_gets_what_they_have_claimed(queue: Queue) -> None:
    next(workers(queue)._groups())
    now = time.time()
    assert queue.claim(JOURNEY, 9, now, LEASE) == []
    assert len(queue.claim(JOURNEY, 9, now + LEASE + 1, LEASE)) == 3
