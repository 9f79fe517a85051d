from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState
from deid.model import Finding, Outcome, Replacement, State
from deid.store.crosswalk import Crosswalk
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    CameOutWell = Callable[..., Outcome]

FILES = [(Path(f"/in/DOE_JANE/{i}.dcm"), (1000 + i, 1_700_000_000_000_000_000 + i, 5)) for i in range(1, 7)]
FINDINGS = (Finding("ImageComments", "PatientName"), Finding("StudyDescription", "PatientID"))


def numbers(queue: Queue, journey: int) -> list[int]:
    return [ticket.number for ticket in queue.received(journey, 0, 1_000_000)]


@pytest.fixture
def leaked(queue: Queue, journey: int) -> int:
    """Number of a ticket that is held for findings."""
    queue.enrol(journey, FILES[:2])
    queue.record_ends(journey, [Outcome(1, State.HELD, "2 identifying values survive", leak=True, findings=FINDINGS)])
    return 1


# Journeys


def test_the_same_folders_and_plan_are_the_same_journey(queue: Queue) -> None:
    one = queue.journey(Path("/in"), Path("/out"), "plan")
    assert queue.journey(Path("/in/../in"), Path("/out"), "plan") == one
    others = [("/in2", "/out", "plan"), ("/in", "/out2", "plan"), ("/in", "/out", "plan2")]
    assert len({one, *(queue.journey(Path(a), Path(b), c) for a, b, c in others)}) == 4


def test_journeys_are_listed_with_folders_and_tally(queue: Queue) -> None:
    folder = Path(os.fsdecode(b"/in/caf\xe9"))
    number = queue.journey(folder, Path("/out"), "plan")
    queue.enrol(number, FILES)
    (journey,) = queue.journeys()
    assert (journey.number, journey.source, journey.target, journey.plan) == (number, folder, Path("/out"), "plan")
    assert journey.tally == queue.tally(number)
    assert journey.tally[State.RECEIVED] == 6
    assert set(journey.tally) == set(State)


def test_one_file_may_travel_on_two_journeys(queue: Queue) -> None:
    first, second = (queue.journey(Path("/in"), Path("/out"), plan) for plan in ("a", "b"))
    queue.enrol(first, FILES)
    queue.enrol(second, FILES)
    assert len(set(numbers(queue, first)) | set(numbers(queue, second))) == 12


# Enrolment


def test_new_files_are_received_in_the_order_of_the_listing(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    tickets = queue.received(journey, 0, 100)
    assert [ticket.source for ticket in tickets] == [file for file, _ in FILES]
    assert {ticket.state for ticket in tickets} == {State.RECEIVED}


def test_claiming_goes_on_after_a_number(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    first = queue.received(journey, 0, 4)
    assert [t.number for t in first + queue.received(journey, first[-1].number, 4)] == [1, 2, 3, 4, 5, 6]


def test_a_path_that_is_not_text_comes_back(queue: Queue, journey: int) -> None:
    path = Path(os.fsdecode(b"/in/M\xfcller\xff\n.dcm"))
    queue.enrol(journey, [(path, (1, 1, 1))])
    assert os.fsencode(queue.received(journey, 0, 1)[0].source) == b"/in/M\xfcller\xff\n.dcm"


def test_what_has_ended_stays_when_nothing_changed(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(1), Outcome(2, State.HELD, "why"), Outcome(3, State.DICOMDIR, "never")])
    before = queue.tally(journey)
    queue.enrol(journey, FILES)
    assert queue.tally(journey) == before
    assert numbers(queue, journey) == [4, 5, 6]


def test_what_is_unreadable_is_tried_again(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:2])
    queue.record_ends(journey, [Outcome(1, State.UNREADABLE, "it cannot be opened"), Outcome(2, State.HELD, "why")])
    queue.enrol(journey, FILES[:2])
    assert numbers(queue, journey) == [1]
    assert queue.show(1).ticket.reason == ""


CHANGES = pytest.mark.parametrize("change", [0, 1, 2], ids=["size", "modification", "change"])


def changed(number: int, change: int) -> tuple[Path, tuple[int, ...]]:
    path, status = FILES[number]
    return path, tuple(value + (at == change) for at, value in enumerate(status))


@CHANGES
def test_a_changed_file_is_received_again(queue: Queue, journey: int, change: int) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [Outcome(1, State.HELD, "why")])
    queue.enrol(journey, [changed(0, change), *FILES[1:]])
    assert numbers(queue, journey) == [1, 2, 3, 4, 5, 6]


@CHANGES
def test_what_was_released_stays_when_its_file_changes(
    queue: Queue, journey: int, came_out_well: CameOutWell, change: int
) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(1, "1.2.3")])
    queue.enrol(journey, [changed(0, change), *FILES[1:]])
    assert numbers(queue, journey) == [2, 3, 4, 5, 6, 7]
    record = queue.show(1)
    assert (record.ticket.state, record.path) == (State.RELEASED, "P/S/E/1.dcm")
    assert record.ticket.reason == "its file has changed since; what was released stays"
    assert queue.released(journey, "1.2.3") is None  # it can be compared with nothing any more
    queue.record_ends(journey, [came_out_well(7, "1.2.4")])
    assert [path for _, path in queue.released_paths(journey)] == ["P/S/E/1.dcm", "P/S/E/7.dcm"]
    assert queue.tally(journey)[State.RELEASED] == 2


def test_the_same_object_in_a_changed_file_is_one_object(
    queue: Queue, journey: int, came_out_well: CameOutWell
) -> None:
    queue.enrol(journey, FILES[:1])
    queue.record_ends(journey, [came_out_well(1, "1.2.3")])
    queue.enrol(journey, [changed(0, 2)])
    queue.record_ends(journey, [came_out_well(2, "1.2.3")])
    assert [number for number, _ in queue.released_paths(journey)] == [2]
    assert sum(queue.tally(journey).values()) == 1


def test_what_a_person_accepted_does_not_hold_for_a_changed_file(queue: Queue, journey: int, leaked: int) -> None:
    queue.release(leaked)
    queue.enrol(journey, [(FILES[0][0], (1, 1, 1))])
    assert queue.received(journey, 0, 1)[0].accepted == frozenset()


def test_a_vanished_file_is_forgotten_unless_it_has_ended(
    queue: Queue, journey: int, came_out_well: CameOutWell
) -> None:
    queue.enrol(journey, FILES)
    unreadable = Outcome(3, State.UNREADABLE, "it cannot be opened")
    queue.record_ends(journey, [came_out_well(1), Outcome(2, State.HELD, "why"), unreadable])
    queue.enrol(journey, FILES[4:])
    assert numbers(queue, journey) == [5, 6]
    assert queue.show(1).ticket.state is State.RELEASED
    assert queue.show(2).ticket.state is State.HELD
    assert sum(queue.tally(journey).values()) == 4


@pytest.mark.parametrize("decision", [Queue.retry, Queue.release])
def test_what_a_person_decided_on_is_not_forgotten(
    queue: Queue, journey: int, leaked: int, decision: Callable[[Queue, int], None]
) -> None:
    decision(queue, leaked)
    for _ in range(2):
        queue.enrol(journey, [])
        ticket = queue.show(leaked).ticket
        assert (ticket.state, ticket.reason) == (State.UNREADABLE, "the source is gone")
    queue.enrol(journey, FILES[:1])
    assert numbers(queue, journey) == [leaked]


def test_a_number_is_never_given_twice(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    queue.enrol(journey, [])
    queue.enrol(journey, FILES[:1])
    assert numbers(queue, journey) == [7]


def test_a_listing_that_breaks_off_forgets_nothing(queue: Queue, journey: int) -> None:
    def broken() -> Iterator[tuple[Path, tuple[int, ...]]]:
        yield FILES[0]
        raise PermissionError

    queue.enrol(journey, FILES)
    with pytest.raises(PermissionError):
        queue.enrol(journey, broken())
    assert numbers(queue, journey) == [1, 2, 3, 4, 5, 6]


def test_many_files_are_enrolled_once(queue: Queue, journey: int) -> None:
    listing = [(Path(f"/in/{i}"), (i, i, i)) for i in range(20_000)]
    queue.enrol(journey, iter(listing))
    first = [(ticket.number, ticket.source) for ticket in queue.received(journey, 0, 30_000)]
    queue.enrol(journey, iter(listing))
    assert [(ticket.number, ticket.source) for ticket in queue.received(journey, 0, 30_000)] == first
    assert [source for _, source in first] == [source for source, _ in listing]


# Leases


def claimed(queue: Queue, journey: int, count: int, now: float) -> list[int]:
    return [ticket.number for ticket in queue.claim(journey, count, now, lease=60.0)]


def test_what_is_claimed_is_nobody_elses_until_its_lease_ends(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    assert claimed(queue, journey, 2, now=1000.0) == [1, 2]
    assert claimed(queue, journey, 2, now=1010.0) == [3, 4]
    assert claimed(queue, journey, 9, now=1059.0) == [5, 6]
    assert claimed(queue, journey, 9, now=1059.9) == []
    assert claimed(queue, journey, 9, now=1060.0) == [1, 2]
    assert claimed(queue, journey + 1, 9, now=9000.0) == []


def test_a_claim_gives_the_whole_ticket(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:2])
    assert queue.claim(journey, 9, now=1000.0, lease=60.0) == queue.received(journey, 0, 9)


def test_a_lease_is_renewed_and_given_back(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:3])
    assert claimed(queue, journey, 3, now=1000.0) == [1, 2, 3]
    queue.extend([1, 2], 1100.0)
    assert claimed(queue, journey, 9, now=1099.0) == [3]
    queue.extend([2], 1099.0)
    assert claimed(queue, journey, 9, now=1099.0) == [2]


def test_a_clock_that_was_ahead_keeps_no_ticket(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:2])
    assert claimed(queue, journey, 2, now=1000.0 + 365 * 86_400) == [1, 2]
    assert claimed(queue, journey, 2, now=1000.0) == [1, 2]
    assert claimed(queue, journey, 2, now=990.0) == []  # what is claimed stays so when it is set back a little


def test_at_the_start_nobody_is_at_anything(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:2])
    assert claimed(queue, journey, 2, now=1000.0) == [1, 2]
    queue.free_leases()
    assert claimed(queue, journey, 2, now=1000.0) == [1, 2]


def test_what_is_retried_waits_for_no_lease(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES[:1])
    assert claimed(queue, journey, 1, now=1000.0) == [1]
    queue.record_ends(journey, [Outcome(1, State.HELD, "why")])
    queue.extend([1], 5000.0)  # by a beat that comes late
    assert claimed(queue, journey, 1, now=1001.0) == []
    queue.retry(1)
    assert claimed(queue, journey, 1, now=1001.0) == [1]


def test_of_many_that_claim_at_once_each_gets_other_tickets(state: Path) -> None:
    with Vault.open(state, shared=True) as vault, ExitStack() as ending, ThreadPoolExecutor(4) as threads:
        queues = [Queue(ending.enter_context(closing(vault.another_connection())), vault.keys) for _ in range(4)]
        journey = queues[0].journey(Path("/in"), Path("/out"), "plan")
        queues[0].enrol(journey, [(Path(f"/in/{number}.dcm"), (number,)) for number in range(120)])
        together = Barrier(4)

        def claim_all(queue: Queue) -> list[int]:
            together.wait()
            got: list[int] = []
            while numbers := claimed(queue, journey, 3, now=1000.0):
                got += numbers
            return got

        got = [number for numbers in threads.map(claim_all, queues) for number in numbers]
    assert sorted(got) == list(range(1, 121))


# Closing


def test_everything_is_accounted_for(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, [*FILES, (Path("/in/DICOMDIR"), (1, 1, 1))])
    well = came_out_well(1, "1.2.3")
    queue.record_ends(journey, [well, replace(well, ticket=2, state=State.DUPLICATE), Outcome(3, State.HELD, "why")])
    queue.record_ends(journey, [Outcome(4, State.UNREADABLE, "not DICOM"), Outcome(5, State.HELD, "why")])
    queue.record_ends(journey, [Outcome(7, State.DICOMDIR, "never copied")])
    queue.discard(5)
    assert queue.tally(journey) == dict.fromkeys(State, 1)


def test_a_released_ticket_tells_what_was_done(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, FILES)
    outcome = came_out_well(3)
    queue.record_ends(journey, [outcome])
    record = queue.show(3)
    assert outcome.result is not None
    assert (record.changes, record.path) == (outcome.result.changes, outcome.result.path)
    assert (record.ticket.source, record.journey.number) == (FILES[2][0], journey)


def test_the_same_changes_are_written_once(
    queue: Queue, journey: int, came_out_well: CameOutWell, vault: Vault
) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(number) for number in (1, 2, 3)])
    assert vault.connection.execute("SELECT count(*) FROM changes").fetchone()[0] == 1


def test_one_sop_instance_uid_is_released_once(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(1, "1.2.3")])
    with pytest.raises(BadState, match=r"ticket 3 .* another ticket") as refusal:
        queue.record_ends(journey, [came_out_well(2), came_out_well(3, "1.2.3")])
    assert "1.2.3" not in str(refusal.value)
    assert numbers(queue, journey) == [2, 3, 4, 5, 6]  # ticket 2 was in the same group


def test_who_released_a_sop_instance_uid(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(1, "1.2.3")])
    found = queue.released(journey, "1.2.3")
    assert found is not None
    assert found.source == FILES[0][0]
    assert queue.released(journey, "1.2") is None
    assert queue.released(queue.journey(Path("/a"), Path("/b"), "plan"), "1.2.3") is None


@pytest.mark.parametrize("outcome", [Outcome(1, State.RELEASED), Outcome(1, State.DUPLICATE)])
def test_no_object_is_released_or_duplicate_without_a_result(queue: Queue, journey: int, outcome: Outcome) -> None:
    queue.enrol(journey, FILES)
    with pytest.raises(BadState, match="no result"):
        queue.record_ends(journey, [outcome])


def test_a_ticket_ends_once_and_on_its_own_journey(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [Outcome(1, State.HELD, "why")])
    for wrong, number in ((journey, 1), (journey + 1, 2), (journey, 99)):
        with pytest.raises(BadState, match=f"ticket {number} is not a received ticket"):
            queue.record_ends(wrong, [Outcome(number, State.HELD, "why")])


def test_the_crosswalk_holds_what_was_released_only(
    queue: Queue, journey: int, came_out_well: CameOutWell, vault: Vault
) -> None:
    queue.enrol(journey, FILES)
    published, kept = (Replacement("uid", f"1.2.{i}", f"2.25.{i}") for i in (1, 2))
    held = replace(came_out_well(2, replacements=(kept,)), state=State.HELD, reason="a leak")
    queue.record_ends(journey, [came_out_well(1, replacements=(published,)), held])
    assert list(Crosswalk(vault.connection, vault.keys).rows()) == [published]


def test_the_crosswalk_of_a_group_that_failed_is_written_with_the_next(
    queue: Queue, journey: int, came_out_well: CameOutWell, vault: Vault
) -> None:
    queue.enrol(journey, FILES)
    row = Replacement("patient", "DOE", "LUNG-1")
    with pytest.raises(BadState):
        queue.record_ends(journey, [came_out_well(1, replacements=(row,)), came_out_well(99)])
    crosswalk = Crosswalk(vault.connection, vault.keys)
    assert list(crosswalk.rows()) == []
    queue.record_ends(journey, [came_out_well(1, replacements=(row,))])
    assert list(crosswalk.rows()) == [row]


# Released files that vanish


def test_a_vanished_result_is_made_again(queue: Queue, journey: int, came_out_well: CameOutWell) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(number) for number in (1, 2, 3)])
    assert list(queue.released_paths(journey)) == [(n, f"P/S/E/{n}.dcm") for n in (1, 2, 3)]
    for number, _ in queue.released_paths(journey):
        if number != 2:
            queue.reopen(journey, [number])
    assert [number for number, _ in queue.released_paths(journey)] == [2]
    assert numbers(queue, journey) == [1, 3, 4, 5, 6]
    with pytest.raises(BadState, match="only what is released"):
        queue.reopen(journey, [2, 4])
    assert queue.show(2).ticket.state is State.RELEASED


@pytest.mark.parametrize("by", ["vanished result", "changed source"])
def test_a_duplicate_of_nothing_is_received_again(
    queue: Queue, journey: int, came_out_well: CameOutWell, by: str
) -> None:
    queue.enrol(journey, FILES)
    well, other = came_out_well(1, "1.2.3"), came_out_well(3, "1.2.4")
    duplicates = [replace(well, ticket=2, state=State.DUPLICATE), replace(other, ticket=4, state=State.DUPLICATE)]
    queue.record_ends(journey, [well, other, *duplicates])
    if by == "vanished result":
        queue.reopen(journey, [1])
    else:
        queue.enrol(journey, [(FILES[0][0], (1, 1, 1)), *FILES[1:]])
    assert numbers(queue, journey) == ([1, 2, 5, 6] if by == "vanished result" else [2, 5, 6, 7])


def test_what_was_released_stays_when_neither_file_is_there(
    queue: Queue, journey: int, came_out_well: CameOutWell
) -> None:
    queue.enrol(journey, FILES[:1])
    queue.record_ends(journey, [came_out_well(1)])
    queue.enrol(journey, [])
    queue.reopen(journey, [1])
    assert queue.show(1).path == "P/S/E/1.dcm"


def test_a_duplicate_takes_the_place_when_neither_file_is_there(
    queue: Queue, journey: int, came_out_well: CameOutWell
) -> None:
    queue.enrol(journey, FILES[:2])
    well = came_out_well(1)
    queue.record_ends(journey, [well, replace(well, ticket=2, state=State.DUPLICATE)])
    queue.enrol(journey, FILES[1:2])
    queue.reopen(journey, [1])
    assert numbers(queue, journey) == [2]
    assert queue.show(1).ticket.state is State.DUPLICATE
    queue.enrol(journey, FILES[1:2])
    assert numbers(queue, journey) == [2]


# Decisions of a person


def test_a_held_ticket_shows_where_but_not_what(queue: Queue, journey: int, leaked: int) -> None:
    assert (
        [ticket.number for ticket in queue.kept_back()]
        == [leaked]
        == [ticket.number for ticket in queue.kept_back(journey)]
    )
    assert queue.kept_back(journey + 1) == []
    record = queue.show(leaked)
    assert (record.ticket.reason, record.leak, record.findings) == ("2 identifying values survive", True, FINDINGS)
    assert record.path == ""


def test_accepted_findings_travel_with_the_ticket(queue: Queue, journey: int, leaked: int) -> None:
    queue.release(leaked)
    ticket = queue.received(journey, 0, 1)[0]
    assert ticket.accepted == {"ImageComments", "StudyDescription"}
    assert queue.show(leaked).findings == ()
    queue.record_ends(journey, [Outcome(leaked, State.HELD, "1 more", findings=(Finding("StudyID", "PatientID"),))])
    queue.release(leaked)
    queue.enrol(journey, FILES[:2])
    assert queue.received(journey, 0, 1)[0].accepted == {"ImageComments", "StudyDescription", "StudyID"}


def test_only_findings_can_be_accepted(queue: Queue, journey: int) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [Outcome(1, State.HELD, "burned-in text cannot be ruled out")])
    with pytest.raises(BadState, match="nothing to accept"):
        queue.release(1)
    assert queue.show(1).ticket.state is State.HELD


def test_a_retried_ticket_starts_again(queue: Queue, journey: int, leaked: int) -> None:
    queue.retry(leaked)
    record = queue.show(leaked)
    assert (record.ticket.state, record.ticket.reason, record.leak, record.findings) == (State.RECEIVED, "", False, ())
    assert numbers(queue, journey) == [1, 2]


@pytest.mark.parametrize("decision", [Queue.retry, Queue.release, Queue.discard])
def test_a_decision_that_does_not_fit_is_refused(
    queue: Queue, journey: int, came_out_well: CameOutWell, decision: Callable[[Queue, int], None]
) -> None:
    queue.enrol(journey, FILES)
    queue.record_ends(journey, [came_out_well(1)])
    with pytest.raises(BadState, match="ticket 1 is released; only what is held"):
        decision(queue, 1)
    with pytest.raises(BadState, match="ticket 2 is received"):
        decision(queue, 2)
    with pytest.raises(BadState, match="there is no ticket 99"):
        decision(queue, 99)


def test_what_is_unreadable_is_listed_and_can_be_given_up(queue: Queue, journey: int, leaked: int) -> None:
    queue.record_ends(journey, [Outcome(2, State.UNREADABLE, "this is not a DICOM file")])
    assert [ticket.number for ticket in queue.kept_back()] == [leaked, 2]
    queue.discard(2)
    queue.enrol(journey, [])
    assert [ticket.number for ticket in queue.kept_back()] == [leaked]
    assert queue.show(2).ticket.state is State.DISCARDED


def test_a_discarded_ticket_stays_so(queue: Queue, journey: int, leaked: int) -> None:
    queue.discard(leaked)
    queue.enrol(journey, FILES[:2])
    assert queue.kept_back() == []
    assert queue.show(leaked).ticket.state is State.DISCARDED
    with pytest.raises(BadState, match="there is no ticket 99"):
        queue.show(99)
