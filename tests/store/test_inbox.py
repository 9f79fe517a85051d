"""What arrives gets a ticket, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.model import Outcome, State
from deid.store.digest import Digest, FormerDigest
from deid.store.inbox import DIFFERENT, ELSEWHERE, Arrival, Inbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.store.queue import Queue
    from deid.store.vault import Vault


@pytest.fixture
def inbox(vault: Vault) -> Inbox:
    return Inbox(vault.connection, vault.keys)


def arrival(journey: int, folder: Path, name: str, instance: str = "1.2.3", content: bytes = b"one") -> Arrival:
    return Arrival(journey, folder / f"{name}.dcm", instance, content, "CT1", 1000.0)


def test_what_is_new_waits_for_work(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    assert inbox.receive(arrival(journey, tmp_path, "a"))[1] is State.RECEIVED
    assert inbox.receive(arrival(journey, tmp_path, "b", "1.2.4"))[1] is State.RECEIVED
    assert [ticket.source.name for ticket in queue.received(journey, 0, 9)] == ["a.dcm", "b.dcm"]


def test_what_is_brought_to_another_journey_waits_for_no_lease(
    inbox: Inbox, queue: Queue, journey: int, tmp_path: Path
) -> None:
    ticket, _ = inbox.receive(arrival(journey, tmp_path, "a"))
    other = queue.journey(tmp_path / "spool", tmp_path / "outbox", "plan")
    assert len(queue.claim(journey, 9, now=1000.0, lease=60.0)) == 1  # to be sorted
    assert inbox.bring(ticket, other) is State.RECEIVED
    assert [each.number for each in queue.claim(other, 9, now=1000.0, lease=60.0)] == [ticket]


def test_the_same_again_is_a_duplicate(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    states = [inbox.receive(arrival(journey, tmp_path, name))[1] for name in "abc"]
    assert states == [State.RECEIVED, State.DUPLICATE, State.DUPLICATE]
    assert queue.tally(journey)[State.DUPLICATE] == 2


def test_what_is_known_by_the_former_digest_goes_on_with_it(inbox: Inbox, journey: int, tmp_path: Path) -> None:
    def come(name: str, instance: str, content: bytes, digest: Digest | FormerDigest) -> State:
        digest.update(content)
        return inbox.receive(arrival(journey, tmp_path, name, instance, digest.end()))[1]

    assert come("a", "1.2.3", b"one", FormerDigest("1.2")) is State.RECEIVED  # by an earlier program
    assert come("b", "1.2.3", b"one", inbox.digest("1.2.3", "1.2")) is State.DUPLICATE
    assert come("c", "1.2.3", b"two", inbox.digest("1.2.3", "1.2")) is State.HELD
    assert come("d", "1.2.4", b"one", inbox.digest("1.2.4", "1.2")) is State.RECEIVED
    assert come("e", "1.2.4", b"one", inbox.digest("1.2.4", "1.2")) is State.DUPLICATE
    assert [type(inbox.digest(each, "1.2")) for each in ("1.2.3", "1.2.4")] == [FormerDigest, Digest]


def test_a_ledger_that_cannot_be_read_is_deferred(inbox: Inbox, vault: Vault) -> None:
    vault.connection.execute("ALTER TABLE arrivals RENAME TO gone")
    with pytest.raises(Deferred, match="cannot be read"):
        inbox.digest("1.2.3", "1.2")


def test_the_same_uid_with_other_content_is_held(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    inbox.receive(arrival(journey, tmp_path, "a"))
    assert inbox.receive(arrival(journey, tmp_path, "b", content=b"two"))[1] is State.HELD
    assert queue.reasons(journey) == ((DIFFERENT, 1),)
    # Sent once more, it is the one that is held already.
    assert inbox.receive(arrival(journey, tmp_path, "c", content=b"two"))[1] is State.DUPLICATE


def test_what_was_given_up_may_come_again(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    inbox.receive(arrival(journey, tmp_path, "a"))
    (ticket,) = queue.received(journey, 0, 9)
    queue.record_ends(journey, [Outcome(ticket.number, State.HELD, "something")])
    queue.discard(ticket.number)
    assert inbox.receive(arrival(journey, tmp_path, "b", content=b"two"))[1] is State.RECEIVED


def test_what_was_lost_may_come_again(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    """After a restored backup, say, in which files are missing: a duplicate would be acknowledged and deleted."""
    inbox.receive(arrival(journey, tmp_path, "a"))
    (ticket,) = queue.received(journey, 0, 9)
    queue.record_ends(journey, [Outcome(ticket.number, State.UNREADABLE, "the file cannot be opened")])
    assert inbox.receive(arrival(journey, tmp_path, "b"))[1] is State.RECEIVED
    assert inbox.receive(arrival(journey, tmp_path, "c"))[1] is State.DUPLICATE


def test_routes_do_not_know_of_each_other(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    other = queue.journey(tmp_path / "in", tmp_path / "elsewhere", "plan")
    assert inbox.receive(arrival(journey, tmp_path, "a"))[1] is State.RECEIVED
    assert inbox.receive(arrival(other, tmp_path, "b", content=b"two"))[1] is State.RECEIVED


def test_what_went_another_route_to_the_same_destination_waits_for_a_person(
    vault: Vault, queue: Queue, journey: int, tmp_path: Path
) -> None:
    other = queue.journey(tmp_path / "in", tmp_path / "elsewhere", "plan")
    inbox = Inbox(vault.connection, vault.keys, {journey: [other], other: [journey]})
    assert inbox.receive(arrival(journey, tmp_path, "a"))[1] is State.RECEIVED
    ticket, state = inbox.receive(arrival(other, tmp_path, "b"))
    assert (state, queue.reasons(other)) == (State.HELD, ((ELSEWHERE, 1),))
    # Each is told from what comes again on its own route first.
    assert inbox.receive(arrival(journey, tmp_path, "c"))[1] is State.DUPLICATE
    assert inbox.receive(arrival(other, tmp_path, "d"))[1] is State.DUPLICATE
    queue.retry(ticket)
    assert [each.number for each in queue.received(other, 0, 9)] == [ticket]


def test_what_went_where_this_one_ends_waits_for_a_person_whatever_routes_there_are_now(
    vault: Vault, queue: Queue, journey: int, tmp_path: Path, came_out_well: Callable[..., Outcome]
) -> None:
    former, there = (queue.journey(tmp_path / "in", tmp_path / name, "plan") for name in ("former", "there"))
    inbox = Inbox(vault.connection, vault.keys, destinations={journey: ["archive"], there: ["files"]})
    ticket, _ = inbox.receive(arrival(former, tmp_path, "a"))
    queue.record_ends(former, [came_out_well(ticket, "1.2.3")], ("archive",))
    assert inbox.receive(arrival(journey, tmp_path, "b"))[1] is State.HELD
    assert queue.reasons(journey) == ((ELSEWHERE, 1),)
    assert inbox.receive(arrival(former, tmp_path, "e", content=b"two"))[1] is State.HELD  # for another reason
    assert queue.reasons(former) == ((DIFFERENT, 1),)
    assert inbox.receive(arrival(there, tmp_path, "c"))[1] is State.RECEIVED
    assert inbox.receive(arrival(journey, tmp_path, "d", "1.2.4"))[1] is State.RECEIVED


def test_what_arrives_held_is_held_once(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    held = [replace(arrival(journey, tmp_path, name), held="no route") for name in "ab"]
    assert [inbox.receive(each)[1] for each in held] == [State.HELD, State.DUPLICATE]
    assert queue.reasons(journey) == (("no route", 1),)


def test_a_ticket_is_brought_to_another_journey_as_if_it_had_arrived_there(
    inbox: Inbox, queue: Queue, journey: int, tmp_path: Path
) -> None:
    other = queue.journey(tmp_path / "in", tmp_path / "elsewhere", "plan")
    tickets = [inbox.receive(arrival(journey, tmp_path, name, name))[0] for name in ("1.1", "1.2", "1.3")]
    queue.record_ends(journey, [Outcome(tickets[0], State.HELD, "no route")])  # it may have been sorted in vain
    queue.retry(tickets[0])
    inbox.receive(arrival(journey, tmp_path, "sent twice", "1.1"))
    inbox.receive(arrival(other, tmp_path, "same", "1.2"))
    inbox.receive(arrival(other, tmp_path, "different", "1.3", b"two"))
    assert [inbox.bring(each, other) for each in tickets] == [State.RECEIVED, State.DUPLICATE, State.HELD]
    assert queue.received(journey, 0, 9) == []
    brought = next(each for each in queue.received(other, 0, 9) if each.number == tickets[0])
    assert brought.source == tmp_path / "1.1.dcm"
    assert (queue.tally(journey)[State.DUPLICATE], queue.tally(other)[State.DUPLICATE]) == (0, 2)
    assert inbox.receive(arrival(other, tmp_path, "again", "1.1"))[1] is State.DUPLICATE
    assert inbox.receive(arrival(journey, tmp_path, "new", "1.1"))[1] is State.RECEIVED


def test_the_names_in_the_spool_that_somebody_needs(inbox: Inbox, journey: int, tmp_path: Path) -> None:
    inbox.receive(arrival(journey, tmp_path, "a"))
    inbox.receive(arrival(journey, tmp_path, "b", "1.2.4"))
    assert inbox.sources_here() == {"a.dcm", "b.dcm"}


def test_what_arrived_on_a_way_that_is_gone_is_held(inbox: Inbox, queue: Queue, journey: int, tmp_path: Path) -> None:
    gone = queue.journey(tmp_path / "gone", tmp_path / "nowhere", "plan")
    inbox.receive(arrival(journey, tmp_path, "a"))
    inbox.receive(arrival(gone, tmp_path, "b"))
    queue.enrol(queue.journey(tmp_path / "batch", tmp_path / "out", "plan"), [(tmp_path / "c.dcm", (1,))])
    assert queue.strand([journey], "no way") == 1
    assert queue.strand([journey], "no way") == 0
    (held,) = queue.kept_back()
    assert (held.source.name, held.state, held.reason) == ("b.dcm", State.HELD, "no way")
    queue.retry(held.number)
    assert [ticket.number for ticket in queue.received(gone, 0, 9)] == [held.number]
