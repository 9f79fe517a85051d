"""Nothing is called safe that the gateway, or a person, could still delete before it is safe elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.model import Outcome, State
from deid.store.deliveries import Deliveries
from deid.store.inbox import Arrival, Inbox
from deid.store.standing import Standing, Standings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.store.queue import Queue
    from deid.store.vault import Vault

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


class Table:
    """A ledger, and the one object of these tests in it."""

    def __init__(self, vault: Vault, queue: Queue, journey: int, folder: Path, well: Callable[..., Outcome]) -> None:
        self.queue = queue
        self.deliveries = Deliveries(vault.connection, vault.keys)
        self._vault, self._journey, self._folder, self._well = vault, journey, folder, well
        self._inbox = Inbox(vault.connection, vault.keys)
        self._standings = Standings(vault.connection, vault.keys)
        self._names = 0

    def receive(self, peer: str = "CT1", content: bytes = b"one", sop_class: str = CT) -> int:
        self._names += 1
        source = self._folder / f"{self._names}.dcm"
        return self._inbox.receive(Arrival(self._journey, source, "1.2.3", content, peer, 1.0, sop_class))[0]

    def end(self, ticket: int, state: State = State.RELEASED, destinations: tuple[str, ...] = ("near", "far")) -> None:
        end = self._well(ticket, "1.2.3") if state is State.RELEASED else Outcome(ticket, state, "something")
        self.queue.record_ends(self._journey, [end], destinations)

    def owe(self, ticket: int) -> None:
        self._vault.connection.execute("INSERT INTO custody (ticket, destination, due) VALUES (?, 'far', 0)", (ticket,))

    def keep(self) -> None:
        self._vault.connection.execute("DELETE FROM custody")

    def of(self, peer: str = "CT1", sop_class: str = CT, instance: str = "1.2.3") -> Standing:
        return self._standings.of(peer, sop_class, instance)


@pytest.fixture
def table(vault: Vault, queue: Queue, journey: int, tmp_path: Path, came_out_well: Callable[..., Outcome]) -> Table:
    return Table(vault, queue, journey, tmp_path, came_out_well)


def test_an_object_on_its_way_is_safe_when_the_last_destination_has_it(table: Table) -> None:
    ticket = table.receive()
    assert table.of() is Standing.PENDING
    table.end(ticket)
    assert table.of() is Standing.PENDING
    table.deliveries.sent("near", [ticket])
    assert table.of() is Standing.PENDING
    table.deliveries.sent("far", [ticket])
    assert table.of() is Standing.SAFE
    table.owe(ticket)
    assert table.of() is Standing.PENDING
    table.keep()
    table.deliveries.gone([ticket])
    assert table.of() is Standing.SAFE


@pytest.mark.parametrize("end", [State.HELD, State.UNREADABLE])
def test_what_waits_for_a_person_is_not_safe(table: Table, end: State) -> None:
    ticket = table.receive()
    table.end(ticket, end)
    assert table.of() is Standing.NOT_SAFE
    table.queue.discard(ticket)
    assert table.of() is Standing.NOT_SAFE
    again = table.receive(content=b"two")
    assert table.of() is Standing.PENDING
    table.end(again, destinations=("near",))
    table.deliveries.sent("near", [again])
    assert table.of() is Standing.SAFE


def test_what_a_destination_refuses_is_not_safe(table: Table) -> None:
    ticket = table.receive()
    table.end(ticket)
    table.deliveries.sent("near", [ticket])
    table.deliveries.failed("far", ticket, "no")
    assert table.of() is Standing.NOT_SAFE
    table.deliveries.retry(ticket)
    assert table.of() is Standing.PENDING


def test_what_a_destination_never_gets_is_not_safe(table: Table) -> None:
    ticket = table.receive()
    table.end(ticket)
    table.deliveries.sent("near", [ticket])
    table.deliveries.failed("far", ticket, "no")
    table.deliveries.discard(ticket)
    assert table.of() is Standing.NOT_SAFE


def test_what_goes_nowhere_is_not_safe(table: Table) -> None:
    table.end(table.receive(), destinations=())
    assert table.of() is Standing.NOT_SAFE


def test_a_duplicate_stands_as_the_object_that_it_is_one_of(table: Table) -> None:
    first = table.receive()
    table.receive("CT2")
    assert table.of("CT2") is Standing.PENDING
    table.end(first, destinations=("near",))
    table.deliveries.sent("near", [first])
    assert table.of("CT2") is table.of("CT1") is Standing.SAFE


def test_a_duplicate_of_what_was_discarded_is_not_safe(table: Table) -> None:
    first = table.receive()
    table.receive("CT2")
    table.end(first, State.HELD)
    assert table.of("CT2") is Standing.NOT_SAFE
    table.queue.discard(first)
    assert table.of("CT2") is Standing.NOT_SAFE


def test_what_was_lost_and_was_sent_again_stands_as_that(table: Table) -> None:
    table.end(table.receive(), State.UNREADABLE)
    assert table.of() is Standing.NOT_SAFE
    again = table.receive()
    assert table.of() is Standing.PENDING
    table.end(again, destinations=("near",))
    table.deliveries.sent("near", [again])
    assert table.of() is Standing.SAFE
    table.receive(content=b"two")  # held
    assert table.of() is Standing.NOT_SAFE


def test_another_object_under_the_same_uid_makes_it_unsafe(table: Table) -> None:
    """Nobody knows which of the two the peer would delete."""
    first = table.receive()
    table.end(first, destinations=("near",))
    table.deliveries.sent("near", [first])
    table.receive(content=b"two")
    assert table.of() is Standing.NOT_SAFE


def test_nobody_learns_what_others_have_sent(table: Table) -> None:
    table.receive("CT1")
    assert table.of("CT2") is table.of("CT2", MR) is table.of("CT1", CT, "1.2.4") is Standing.UNKNOWN


def test_another_sop_class_is_told(table: Table) -> None:
    table.receive()
    assert table.of(sop_class=MR) is Standing.OTHER_CLASS
    table.receive("CT3", sop_class="")  # an earlier program did not write it down
    assert table.of("CT3", MR) is Standing.PENDING
