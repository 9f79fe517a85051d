"""Every released object reaches every destination, whatever happens in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState
from deid.model import Outcome, State
from deid.store.deliveries import Deliveries, pause_after
from deid.store.inbox import Arrival, Inbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.store.queue import Queue
    from deid.store.vault import Vault


@pytest.fixture
def deliveries(vault: Vault) -> Deliveries:
    return Deliveries(vault.connection, vault.keys)


@pytest.fixture
def released(
    vault: Vault, queue: Queue, journey: int, tmp_path: Path, came_out_well: Callable[..., Outcome]
) -> list[int]:
    """Three objects that were released for two destinations."""
    arrivals = [Arrival(journey, tmp_path / f"{n}.dcm", f"1.2.{n}", b"%d" % n, "CT1", float(n)) for n in (1, 2, 3)]
    inbox = Inbox(vault.connection, vault.keys)
    for arrival in arrivals:
        inbox.receive(arrival)
    tickets = [ticket.number for ticket in queue.received(journey, 0, 9)]
    ends = [came_out_well(ticket, f"1.2.{n}") for n, ticket in enumerate(tickets, 1)]
    queue.record_ends(journey, ends, ("archive", "partner"))
    return tickets


def test_each_destination_gets_each_object(deliveries: Deliveries, released: list[int]) -> None:
    for destination in ("archive", "partner"):
        claimed = deliveries.claim(destination, 9, now=0, lease=60)
        assert [delivery.ticket for delivery in claimed] == released
        assert [delivery.path for delivery in claimed] == [f"P/S/E/{ticket}.dcm" for ticket in released]
    assert deliveries.claim("nobody", 9, now=0, lease=60) == []


def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(deliveries: Deliveries, released: list[int]) -> None:
    assert len(deliveries.claim("archive", 2, now=0, lease=60)) == 2
    assert [delivery.ticket for delivery in deliveries.claim("archive", 9, now=1, lease=60)] == released[2:]
    deliveries.extend("archive", released[:1], until=200)
    assert {delivery.ticket for delivery in deliveries.claim("archive", 9, now=62, lease=60)} == set(released[1:])
    assert {delivery.ticket for delivery in deliveries.claim("archive", 9, now=201, lease=60)} == set(released)


def test_what_failed_comes_again_after_a_growing_pause(deliveries: Deliveries, released: list[int]) -> None:
    now = 0.0
    for attempt in range(4):
        (delivery,) = deliveries.claim("archive", 1, now, lease=1)
        assert delivery.attempts == attempt
        deliveries.again("archive", delivery.ticket, "no answer", now)
        deliveries.sent("archive", released[1:])
        assert deliveries.claim("archive", 1, now + pause_after(attempt) - 0.1, lease=1) == []
        now += pause_after(attempt)
    assert pause_after(0) < pause_after(3) < pause_after(100) == pause_after(1000)


def test_what_will_never_be_taken_waits_for_a_person(deliveries: Deliveries, released: list[int]) -> None:
    deliveries.failed("archive", released[0], "no accepted presentation context")
    assert deliveries.tally("archive") == {"waiting": 2, "sent": 0, "failed": 1}
    assert deliveries.failures() == [(released[0], "archive", "no accepted presentation context")]
    assert len(deliveries.claim("archive", 9, now=1e12, lease=1)) == 2
    assert deliveries.retry(released[0]) == 1
    assert deliveries.retry(released[1]) == 0
    assert deliveries.tally("archive")["failed"] == 0


def test_files_are_needed_until_the_last_destination_has_the_object(
    deliveries: Deliveries, released: list[int], journey: int, vault: Vault, tmp_path: Path
) -> None:
    deliveries.sent("archive", released)
    assert deliveries.let_go(arrived_before=1e12, count=9) == []
    deliveries.sent("partner", released[:2])
    assert [each.ticket for each in deliveries.let_go(arrived_before=1e12, count=9)] == released[:2]
    (oldest,) = deliveries.let_go(arrived_before=1.5, count=9)
    assert (oldest.source.name, oldest.path) == ("1.dcm", f"P/S/E/{released[0]}.dcm")
    deliveries.gone([oldest.ticket])
    assert [each.ticket for each in deliveries.let_go(arrived_before=1e12, count=9)] == released[1:2]
    inbox = Inbox(vault.connection, vault.keys)
    again = Arrival(journey, tmp_path / "again.dcm", "1.2.1", b"1", "CT1", 9.0)
    assert inbox.receive(again)[1] is State.DUPLICATE  # known although its files are gone
    assert inbox.sources_here() == {"2.dcm", "3.dcm", "again.dcm"}
    assert [each.path for each in deliveries.let_go(1e12, 9)] == [f"P/S/E/{released[1]}.dcm", ""]


def test_a_restart_frees_what_was_claimed(deliveries: Deliveries, released: list[int]) -> None:
    deliveries.again("archive", released[1], "no answer", 0)  # it was tried before
    assert len(deliveries.claim("archive", 9, now=900, lease=1e6)) == 3
    deliveries.free_leases()
    assert [delivery.ticket for delivery in deliveries.claim("archive", 9, now=1, lease=1)] == released


def test_what_is_made_again_is_not_delivered_before(
    deliveries: Deliveries, released: list[int], queue: Queue, came_out_well: Callable[..., Outcome], journey: int
) -> None:
    queue.make_again(released[0])
    queue.make_again(released[0])  # another destination has missed it as well
    assert [delivery.ticket for delivery in deliveries.claim("archive", 9, now=0, lease=60)] == released[1:]
    queue.record_ends(journey, [came_out_well(released[0], "1.2.1")], ("archive", "partner"))
    assert [delivery.ticket for delivery in deliveries.claim("archive", 9, now=1, lease=60)] == released[:1]


def test_what_a_destination_was_sent_is_not_made_otherwise_for_another(
    deliveries: Deliveries, released: list[int], queue: Queue, journey: int
) -> None:
    """The profile may have changed since: there would be two versions under one SOP Instance UID."""
    deliveries.sent("archive", released[:2], ask_at=0.0)
    deliveries.sent("archive", released[:1])
    not_kept = "UPDATE deliveries SET state = 'waiting' WHERE ticket = ?"
    deliveries._connection.execute(not_kept, (released[1],))
    assert [bool(queue.make_again(ticket)) for ticket in released] == [True, True, False]
    assert not queue.make_again(released[0])  # another destination has missed it as well
    assert [ticket.number for ticket in queue.kept_back(journey)] == released[:2]
    assert [ticket.number for ticket in queue.received(journey, 0, 9)] == released[2:]
    assert deliveries.claim("partner", 9, now=1.0, lease=1.0) == []
    queue.retry(released[0])
    assert [ticket.number for ticket in queue.received(journey, 0, 9)] == [released[0], released[2]]


def test_nobody_waits_for_what_was_to_be_made_again_and_is_given_up(
    deliveries: Deliveries, released: list[int], queue: Queue, came_out_well: Callable[..., Outcome], journey: int
) -> None:
    """Its files went with a disk, and no backup has them: else its delivery would wait, and be counted, for ever."""
    lost = released[0]
    deliveries.sent("archive", [lost])
    assert "gone from the outbox" in queue.make_again(lost)
    queue.retry(lost)
    queue.record_ends(journey, [Outcome(lost, State.UNREADABLE, "its file is gone")])
    queue.discard(lost)
    assert deliveries.tally("partner") == {"waiting": 2, "sent": 0, "failed": 0}
    assert [each.ticket for each in deliveries.let_go(9.0, 9)] == [lost]
    deliveries.not_gone([lost])
    queue.retry(lost)
    queue.record_ends(journey, [came_out_well(lost, "1.2.1")], ("archive", "partner"))
    assert deliveries.tally("archive") == {"waiting": 2, "sent": 1, "failed": 0}
    assert deliveries.tally("partner") == {"waiting": 3, "sent": 0, "failed": 0}


def test_what_was_given_up_cannot_be_taken_up_without_its_file(
    deliveries: Deliveries, queue: Queue, journey: int, vault: Vault, tmp_path: Path
) -> None:
    arrival = Arrival(journey, tmp_path / "1.dcm", "1.2.1", b"1", "CT1", 1.0)
    ticket, _ = Inbox(vault.connection, vault.keys).receive(arrival)
    for _ in range(2):
        queue.record_ends(journey, [Outcome(ticket, State.HELD, "something")])
        queue.discard(ticket)
        queue.retry(ticket)
    queue.record_ends(journey, [Outcome(ticket, State.HELD, "something")])
    queue.discard(ticket)
    deliveries.gone([each.ticket for each in deliveries.let_go(1e12, 9)])
    with pytest.raises(BadState, match="its file was deleted"):
        queue.retry(ticket)


def test_a_clock_that_was_ahead_puts_nothing_off_for_long(deliveries: Deliveries, released: list[int]) -> None:
    a_year_ahead = 1000.0 + 365 * 86_400
    assert len(deliveries.claim("archive", 9, now=a_year_ahead, lease=3600)) == 3
    deliveries.again("archive", released[0], "no answer", a_year_ahead)
    assert {each.ticket for each in deliveries.claim("archive", 9, now=1000.0, lease=3600)} == set(released)
    assert deliveries.claim("archive", 9, now=990.0, lease=3600) == []  # what is claimed stays so when it is set back


def test_what_arrived_while_the_clock_was_ahead_does_not_stay_longer(
    deliveries: Deliveries, released: list[int]
) -> None:
    for destination in ("archive", "partner"):
        deliveries.sent(destination, released)
    deliveries.arrived_by(2.0)
    assert [each.ticket for each in deliveries.let_go(1.5, 9)] == released[:1]
    assert [each.ticket for each in deliveries.let_go(2.0, 9)] == released


def test_what_waits_for_an_unknown_destination_waits_for_a_person(deliveries: Deliveries, released: list[int]) -> None:
    deliveries.sent("partner", released[:1])
    assert deliveries.strand(["archive"], "gone") == 2
    assert deliveries.strand(["archive"], "gone") == 0
    assert deliveries.failures() == [(ticket, "partner", "gone") for ticket in released[1:]]
    assert deliveries.tally("archive") == {"waiting": 3, "sent": 0, "failed": 0}


def test_a_delivery_that_is_given_up_keeps_no_original_here(deliveries: Deliveries, released: list[int]) -> None:
    deliveries.sent("archive", released)
    deliveries.sent("partner", released[1:])
    deliveries.failed("partner", released[0], "never")
    assert released[0] not in [each.ticket for each in deliveries.let_go(9.0, 9)]
    assert deliveries.discard(released[0]) == 1
    assert deliveries.discard(released[0]) == 0
    assert released[0] in [each.ticket for each in deliveries.let_go(9.0, 9)]


def test_what_is_declined_often_and_for_long_waits_for_a_person(deliveries: Deliveries, released: list[int]) -> None:
    day = 86_400.0

    def decline(now: float) -> bool:
        return deliveries.declined("archive", released[0], "A700", now, blamed=True)

    assert not any(decline(float(n)) for n in range(30)), "often, and not for long"
    assert decline(day)
    assert deliveries.failures() == [(released[0], "archive", "A700")]
    deliveries.retry(released[0])
    assert not decline(2 * day)
    assert not any(decline(4 * day + n) for n in range(18)), "for long, and not often"
    assert decline(4 * day + 18)


def test_what_was_sent_begins_anew_and_a_clock_that_is_set_back_does_no_harm(
    deliveries: Deliveries, released: list[int]
) -> None:
    for n in range(19):
        assert not deliveries.declined("archive", released[0], "A700", 9e9 + n, blamed=True)
    assert not deliveries.declined("archive", released[0], "A700", 0.0, blamed=True)
    assert deliveries.declined("archive", released[0], "A700", 86_400.0, blamed=True)
    for n in range(19):
        deliveries.declined("partner", released[0], "A700", float(n), blamed=True)
    deliveries.sent("partner", released[:1])
    assert not deliveries.declined("partner", released[0], "A700", 9e9, blamed=True)


def test_an_outage_gives_up_nothing_before_two_weeks(deliveries: Deliveries, released: list[int]) -> None:
    day = 86_400.0
    outage, poison, alone = released

    def decline(ticket: int, now: float, *, blamed: bool) -> bool:
        return deliveries.declined("archive", ticket, "broken off", now, blamed=blamed)

    assert not any(decline(outage, n * day / 10, blamed=False) for n in range(139))
    assert not decline(outage, 15 * day, blamed=True), "the first time that it is to blame, when the others go again"
    assert not any(decline(outage, 15 * day + n, blamed=True) for n in range(18))
    assert decline(outage, 16 * day, blamed=True), "for a day"
    assert not any(decline(poison, day + n, blamed=n % 2 > 0) for n in range(60)), "often, and not for long"
    assert decline(poison, 2 * day + 1, blamed=True)
    assert not any(decline(alone, n * day / 10, blamed=False) for n in range(139))
    assert decline(alone, 14 * day, blamed=False), "where nothing else goes there"


def test_what_is_not_taken_again_and_again_goes_alone_after_the_others(
    deliveries: Deliveries, released: list[int]
) -> None:
    for suspect in released[:2]:
        for _ in range(2):
            assert not deliveries.declined("archive", suspect, "broken off", 0.0, blamed=False)
    claimed = [[delivery.ticket for delivery in deliveries.claim("archive", 9, now=100.0, lease=60)] for _ in range(4)]
    assert claimed == [released[2:], released[:1], released[1:2], []]
    assert len(deliveries.claim("partner", 9, now=100.0, lease=60)) == 3


def test_what_is_not_taken_again_and_again_has_its_turn_before_others(
    deliveries: Deliveries, released: list[int]
) -> None:
    for _ in range(2):
        deliveries.declined("archive", released[2], "broken off", 0.0, blamed=False)
    turns = (True, True, False)
    claimed = [deliveries.claim("archive", 9, now=100.0, lease=60, suspect=turn) for turn in turns]
    assert [[delivery.ticket for delivery in each] for each in claimed] == [released[2:], released[:2], []]
