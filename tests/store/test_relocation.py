from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.store import relocation
from deid.store.inbox import Arrival, Inbox
from deid.store.relocation import relocate
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.store.queue import Queue


@pytest.fixture
def vault(state: Path) -> Iterator[Vault]:
    with Vault.open(state, shared=True) as vault:
        yield vault


def arrived(vault: Vault, journey: int, *paths: Path) -> list[int]:
    inbox = Inbox(vault.connection, vault.keys)
    arrivals = [Arrival(journey, path, f"1.2.{journey}.{path.stem}", b"content", "CT1", 0.0) for path in paths]
    return [inbox.receive(arrival)[0] for arrival in arrivals]


def test_a_journey_and_its_tickets_are_there_and_no_other(
    vault: Vault, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relocation, "_ROWS", 2)
    old, new, other = (tmp_path / name for name in ("old", "new", "other"))
    research = queue.journey(old / "spool/research", old / "outbox/research", "route research")
    beside = queue.journey(other / "spool/research", other / "outbox/research", "another")
    names = [f"{number}.dcm" for number in range(5)]
    tickets = arrived(vault, research, *(old / "spool/research" / name for name in names), old / "spool/.none/9.dcm")
    arrived(vault, beside, other / "spool/research/1.dcm")
    (gone,) = arrived(vault, research, old / "spool/research/7.dcm")
    vault.connection.execute("UPDATE arrivals SET gone = 1 WHERE ticket = ?", (gone,))
    assert relocate(vault.connection, vault.keys, research, new / "spool/research", new / "outbox/research") == 6
    assert {ticket.number: ticket.source for ticket in queue.received(research, 0, 99)} == dict(
        zip(tickets, [*(new / "spool/research" / name for name in names), new / "spool/.none/9.dcm"], strict=True)
    ) | {gone: old / "spool/research/7.dcm"}
    assert [ticket.source for ticket in queue.received(beside, 0, 99)] == [other / "spool/research/1.dcm"]
    assert [(each.source.parents[1], each.target.parents[1]) for each in queue.journeys()] == [
        (new, new),
        (other, other),
    ]
    assert queue.journey(new / "spool/research", new / "outbox/research", "route research") == research


def test_where_another_journey_is_nothing_happens(vault: Vault, queue: Queue, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    first, second = (queue.journey(folder / "spool/a", folder / "outbox/a", "route a") for folder in (old, new))
    arrived(vault, first, old / "spool/a/1.dcm")
    assert relocate(vault.connection, vault.keys, first, new / "spool/a", new / "outbox/a") == 0
    assert [each.source.parents[1] for each in queue.journeys()] == [old, new]
    assert [ticket.source for ticket in queue.received(first, 0, 9)] == [old / "spool/a/1.dcm"]
    assert second != first
