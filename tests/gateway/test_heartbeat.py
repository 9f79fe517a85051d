"""What is at work stays leased, and nothing else."""

from __future__ import annotations

import time
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING, Any

from deid.errors import Deferred
from deid.gateway import heartbeat
from deid.gateway.heartbeat import LEASE, Heartbeat
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_is_at_work_stays_leased_and_what_is_not_comes_back(tmp_path: Path) -> None:
    with Vault.open(tmp_path / "state", shared=True) as vault, closing(vault.another_connection()) as connection:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "out", "plan")
        queue.enrol(journey, [(tmp_path / f"in/{number}.dcm", (number,)) for number in range(4)])
        long_ago = time.time() - LEASE
        tickets = {ticket.number: ticket for ticket in queue.claim(journey, 9, long_ago, LEASE)}
        first, second, *others = tickets
        at_work = [{first: tickets[first]}, {second: tickets[second]}]  # of two routes
        Heartbeat(Queue(connection, vault.keys), at_work, Event()).beat()
        assert [ticket.number for ticket in queue.claim(journey, 9, time.time(), LEASE)] == others


def test_a_ledger_that_cannot_be_written_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(heartbeat, "_EVERY", 0.0)
    stop = Event()
    beats: list[list[int]] = []

    class Ledger:
        def extend(self, numbers: list[int], _until: float) -> None:
            beats.append(numbers)
            if len(beats) == 1:
                raise Deferred("the ledger cannot be written")
            stop.set()

    ledger: Any = Ledger()
    Heartbeat(ledger, [{7: None}], stop).run()
    assert beats == [[7], [7]]
    assert capsys.readouterr().err.count("leases not renewed") == 1
