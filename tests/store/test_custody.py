"""Nothing of an object goes before a destination that is asked has said that it keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.store.custody import Custody, Settled, Uncommitted
from deid.store.deliveries import Deliveries
from deid.store.inbox import Arrival, Inbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.model import Outcome
    from deid.store.queue import Queue
    from deid.store.vault import Vault

WHY = "the destination does not keep the object (failure reason 0110)"


@pytest.fixture
def deliveries(vault: Vault) -> Deliveries:
    return Deliveries(vault.connection, vault.keys)


@pytest.fixture
def custody(vault: Vault) -> Custody:
    return Custody(vault.connection, vault.keys)


@pytest.fixture
def sent(
    vault: Vault, queue: Queue, journey: int, tmp_path: Path, came_out_well: Callable[..., Outcome],
    deliveries: Deliveries,
) -> list[int]:  # fmt: skip
    """Three objects that the archive has been sent; it is asked from second 2 on."""
    inbox = Inbox(vault.connection, vault.keys)
    for n in (1, 2, 3):
        inbox.receive(Arrival(journey, tmp_path / f"{n}.dcm", f"1.2.{n}", b"%d" % n, "CT1", 1.0))
    tickets = [ticket.number for ticket in queue.received(journey, 0, 9)]
    queue.record_ends(journey, [came_out_well(each, f"1.2.{each}") for each in tickets], ("archive",))
    deliveries.sent("archive", tickets, ask_at=2.0)
    return tickets


def finished(deliveries: Deliveries) -> list[int]:
    return [each.ticket for each in deliveries.let_go(1e9, 9)]


def test_what_a_destination_keeps_may_go(custody: Custody, deliveries: Deliveries, sent: list[int]) -> None:
    assert custody.due("archive", 9, now=1.9) == []
    owed = custody.due("archive", 9, now=2.0)
    assert [each.ticket for each in owed] == sent
    assert [each.instance for each in owed] == [str(ticket) for ticket in sent]  # the stem of its path
    custody.ask("archive", sent, "2.25.1", until=60.0)
    assert custody.due("archive", 9, now=61.0) == []
    assert custody.awaits("2.25.1")
    assert finished(deliveries) == []
    kept = {each.instance for each in owed[:2]}
    assert custody.settle(["near", "archive"], "2.25.1", kept, {}, now=3.0) == Settled(kept=tuple(sent[:2]))
    assert finished(deliveries) == sent[:2]
    assert custody.awaits("2.25.1")
    assert custody.tally("archive") == 1
    assert custody.settle(["archive"], "2.25.1", {owed[2].instance}, {}, now=3.0).kept == (sent[2],)
    assert not custody.awaits("2.25.1")
    assert finished(deliveries) == sent


def test_a_result_counts_from_whom_was_asked_and_for_what(custody: Custody, sent: list[int]) -> None:
    custody.ask("archive", sent[:1], "2.25.1", until=60.0)
    every = {str(ticket) for ticket in sent}
    assert custody.settle(["near"], "2.25.1", every, {}, now=3.0) == Settled()
    assert custody.settle(["archive"], "2.25.2", every, {}, now=3.0) == Settled()
    assert custody.settle(["archive"], "", every, {}, now=3.0) == Settled()
    assert custody.settle(["archive"], "2.25.1", every, {}, now=3.0).kept == (sent[0],)
    assert custody.settle(["archive"], "2.25.1", every, {}, now=3.0) == Settled()  # told twice


def test_what_is_not_kept_is_sent_again_and_then_left_to_a_person(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    (ticket, *_), now = sent, 2.0
    for attempt in range(4):
        custody.ask("archive", [ticket], f"2.25.{attempt}", until=now + 60)
        settled = custody.settle(["archive"], f"2.25.{attempt}", set(), {str(ticket): WHY}, now)
        if attempt == 3:
            assert settled == Settled(given_up=(ticket,))
            break
        assert settled == Settled(again=(ticket,))
        assert ticket not in [each.ticket for each in custody.due("archive", 9, now)]
        assert deliveries.claim("archive", 9, now, lease=1) == []
        now += 100.0
        assert [each.ticket for each in deliveries.claim("archive", 9, now, lease=1)] == [ticket]
        deliveries.sent("archive", [ticket], ask_at=now)
        assert ticket in [each.ticket for each in custody.due("archive", 9, now)]
    assert deliveries.failures() == [(ticket, "archive", WHY)]
    assert ticket not in finished(deliveries)
    assert deliveries.retry(ticket) == 1
    deliveries.sent("archive", [ticket], ask_at=now)
    custody.ask("archive", [ticket], "2.25.9", until=now + 60)
    assert custody.settle(["archive"], "2.25.9", set(), {str(ticket): WHY}, now) == Settled(again=(ticket,))


def test_what_has_no_result_is_asked_for_again_and_not_sent(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    now = 2.0
    for _ in range(3):
        custody.ask("archive", sent, "2.25.1", until=now + 60)
        assert custody.overdue("archive", now + 59) == Settled()
        now += 60
        assert custody.overdue("archive", now) == Settled(again=tuple(sent))
        assert deliveries.claim("archive", 9, now, lease=1) == []
        assert len(custody.due("archive", 9, now)) == 3
    custody.ask("archive", sent, "2.25.1", until=now + 60)
    assert custody.overdue("archive", now + 60) == Settled(given_up=tuple(sent))
    assert [reason for _, _, reason in deliveries.failures()] == [
        "the destination has not said in time whether it keeps the object"
    ] * 3


def test_a_destination_that_cannot_be_asked_has_all_the_time(custody: Custody, sent: list[int]) -> None:
    for _ in range(9):
        custody.ask("archive", sent, "2.25.1", until=60.0)
        custody.ask_later("archive", sent, due=2.0)
        assert len(custody.due("archive", 9, now=2.0)) == 3


def test_who_was_asked_when_the_power_went_is_asked_again_at_once(custody: Custody, sent: list[int]) -> None:
    custody.ask("archive", sent[:2], "2.25.1", until=3.0)
    custody.asked("2.25.1", until=60.0)
    custody.ask("archive", sent[2:], "2.25.2", until=3.0)  # and nobody knows whether it has taken that
    custody.ask_anew("near", due_by=99.0)
    assert custody.due("archive", 9, now=4.0) == []
    custody.ask_anew("archive", due_by=4.0)
    assert custody.awaits("2.25.1")
    assert [each.ticket for each in custody.due("archive", 9, now=4.0)] == sent[2:]
    custody.ask_anew("archive", due_by=float("inf"))
    assert [each.ticket for each in custody.due("archive", 9, now=4.0)] == sent
    assert {each.attempts for each in custody.uncommitted()} == {0}


def test_a_result_that_is_here_before_the_answer_to_its_request_stays(custody: Custody, sent: list[int]) -> None:
    custody.ask("archive", sent, "2.25.1", until=3.0)
    kept, lost = str(sent[0]), str(sent[1])
    custody.settle(["archive"], "2.25.1", {kept}, {lost: WHY}, now=3.0)
    custody.asked("2.25.1", until=60.0)
    assert [(each.ticket, each.stands, each.due) for each in custody.uncommitted()] == [
        (sent[1], "sent again", None),
        (sent[2], "asked", 60.0),
    ]


def test_one_that_does_not_want_to_be_asked_is_left_to_a_person(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    for _ in range(3):
        assert custody.refused("archive", sent, "no", due=9.0) == Settled(again=tuple(sent))
        assert custody.due("archive", 9, now=8.0) == []
    assert custody.refused("archive", sent, "no", due=9.0) == Settled(given_up=tuple(sent))
    assert deliveries.failures() == [(ticket, "archive", "no") for ticket in sent]


def test_what_has_its_result_already_is_not_refused_any_more(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    """A destination may tell the result over another association, and then not take the request for it."""
    custody.ask("archive", sent, "2.25.1", until=3.0)
    kept, lost = str(sent[0]), str(sent[1])
    custody.settle(["archive"], "2.25.1", {kept}, {lost: WHY}, now=3.0)
    assert custody.refused("archive", sent, "no", 9.0, "2.25.1") == Settled(again=(sent[2],))
    assert finished(deliveries) == sent[:1]
    assert [(each.ticket, each.stands, each.attempts) for each in custody.uncommitted()] == [
        (sent[1], "sent again", 1),
        (sent[2], "not asked", 1),
    ]


def test_nobody_waits_for_those_that_are_not_asked_any_more(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    assert custody.keep_only(["archive"]) == 0
    assert finished(deliveries) == []
    assert custody.keep_only(["near"]) == 3
    assert finished(deliveries) == sent


def test_a_clock_that_was_ahead_puts_nothing_off_for_long(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    a_year, a_week = 365 * 86_400.0, 7 * 86_400.0
    first, second, third = sent
    deliveries.sent("archive", [first], ask_at=a_year)
    custody.ask("archive", [second], "2.25.1", until=a_year)
    custody.ask("archive", [third], "2.25.2", until=a_week)
    assert [each.ticket for each in custody.due("archive", 9, now=1.0)] == [first]
    assert custody.overdue("archive", now=1.0) == Settled(again=(second,))


def test_a_delivery_that_a_person_gives_up_keeps_nothing_here(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    custody.ask("archive", sent, "2.25.1", until=60.0)
    custody.settle(["archive"], "2.25.1", set(), {str(sent[0]): WHY}, now=3.0)
    deliveries.failed("archive", sent[0], "refused when it was sent again")
    assert sent[0] not in finished(deliveries)
    deliveries.discard(sent[0])
    assert sent[0] in finished(deliveries)


def test_people_are_told_what_is_not_committed_until_they_decide(
    custody: Custody, deliveries: Deliveries, sent: list[int]
) -> None:
    first, second, third = sent
    assert custody.uncommitted() == [Uncommitted(each, "archive", "not asked", 2.0, 0) for each in sent]
    custody.ask("archive", sent, "2.25.1", until=60.0)
    custody.settle(["archive"], "2.25.1", {str(third)}, {str(second): WHY}, now=3.0)
    assert custody.uncommitted() == [
        Uncommitted(first, "archive", "asked", 60.0, 0),
        Uncommitted(second, "archive", "sent again", None, 1),
    ]
    deliveries.failed("archive", second, "refused when it was sent again")
    assert [each.ticket for each in custody.uncommitted()] == [first]
    custody.settle(["archive"], "2.25.1", {str(first)}, {}, now=3.0)
    assert custody.uncommitted() == []
