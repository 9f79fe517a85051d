from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.model import Change, Chosen, Finding, Masked, Outcome, Pixels, State
from deid.store import results as of_results
from deid.store.results import KeptBack, Released, Results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.store.queue import Queue
    from deid.store.vault import Vault

FINDING = Finding("ImageComments", "PatientName")
PIXELS = Pixels(
    searched=True, because="drawn on", engine="e", views=3, masked=(Masked(0, 4, ((1, 2, 3, 4),)),), share=0.01
)
OTHERS = (Change("PatientID", "pseudonym", "basic profile"),)


@pytest.fixture
def results(vault: Vault, queue: Queue, journey: int, tmp_path: Path, came_out_well: Callable[..., Outcome]) -> Results:
    """Tickets 1, 2 and 6 are released, 3 is held, 4 held for a finding, 5 unreadable, 7 waits."""
    queue.enrol(journey, [(tmp_path / "in" / str(number), (1, 1, 1)) for number in range(1, 8)])
    first, second, last = map(came_out_well, (1, 2, 6))
    assert first.result
    assert last.result
    ends = [
        replace(first, result=replace(first.result, pixels=PIXELS)),
        second,
        Outcome(3, State.HELD, "too large"),
        Outcome(4, State.HELD, "survives", leak=True, findings=(FINDING,)),
        Outcome(5, State.UNREADABLE, "no DICOM"),
        replace(last, result=replace(last.result, changes=OTHERS)),
    ]
    queue.record_ends(journey, ends)
    return Results(vault.connection, vault.keys)


@pytest.mark.parametrize("rows", [1, 2, 4096])
def test_what_is_kept_back_and_what_is_released(
    results: Results, journey: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_results, "ROWS", rows)
    assert list(results.kept_back(journey)) == [
        KeptBack(3, State.HELD, "too large", ()),
        KeptBack(4, State.HELD, "survives", (FINDING,)),
        KeptBack(5, State.UNREADABLE, "no DICOM", ()),
    ]
    assert list(results.released(journey)) == [
        Released(1, "P/S/E/1.dcm", 1, PIXELS),
        Released(2, "P/S/E/2.dcm", 1, None),
        Released(6, "P/S/E/6.dcm", 2, None),
    ]


def test_one_of_them_is_found_by_its_number(results: Results, journey: int) -> None:
    assert results.released_as(2) == (journey, Released(2, "P/S/E/2.dcm", 1, None))


def test_objects_are_counted_for_each_set_of_changes(results: Results, journey: int) -> None:
    (one, first), (two, second) = [
        ((number, objects), changes) for number, objects, changes in results.changes(journey)
    ]
    assert (one, two) == ((1, 2), (2, 1))
    assert [change.attribute for change in first] == ["PatientName", "(0009,0010)"]
    assert second == OTHERS


def test_another_journey_has_nothing(results: Results, queue: Queue, tmp_path: Path) -> None:
    other = queue.journey(tmp_path / "in", tmp_path / "elsewhere", "plan")
    assert not [*results.kept_back(other), *results.released(other), *results.changes(other)]


def test_the_chosen_profile_is_the_one_named_last(queue: Queue, journey: int, tmp_path: Path) -> None:
    chosen = Chosen("default", ("clean-pixel-data",), 2, claims=True)
    for name in ("", "default"):
        assert queue.journey(tmp_path / "in", tmp_path / "out", "plan", replace(chosen, profile=name)) == journey
    queue.journey(tmp_path / "in", tmp_path / "out", "plan")
    assert [each.chosen for each in queue.journeys()] == [chosen]
