"""New Patient IDs and Study Instance UIDs are told of those objects alone in which both were replaced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.model import Change, Outcome, Result, State
from deid.store.new_identities import NewIdentities
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = (("StudyInstanceUID", "U"), ("PatientID", "pseudonym"))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state") as vault:
        yield vault


def released(vault: Vault, *changes: tuple[str, str]) -> int:
    """The ticket of an object to which this was done."""
    queue = Queue(vault.connection, vault.keys)
    journey = queue.journey(Path("/in"), Path("/out"), str(changes))
    queue.enrol(journey, [(Path("/in/1.dcm"), (1,))])
    (ticket,) = queue.received(journey, 0, 1)
    done = tuple(Change(attribute, action, "a rule") for attribute, action in changes)
    result = Result("1.2", f"1.2.{journey}", "42/2.25.1/2.25.2/2.25.3.dcm", done, ())
    queue.record_ends(journey, [Outcome(ticket.number, State.RELEASED, result=result)])
    return ticket.number


def test_both_are_new(vault: Vault) -> None:
    ticket = released(vault, *BOTH)
    assert NewIdentities(vault.connection, vault.keys).of({ticket, ticket + 1}) == {ticket: ("42", "2.25.1")}
    assert NewIdentities(vault.connection, vault.keys).of(set()) == {}


@pytest.mark.parametrize(
    "changes",
    [
        BOTH[:1],
        BOTH[1:],
        (("StudyInstanceUID", "U"), ("PatientID", "D")),
        (("ReferencedStudySequence.StudyInstanceUID", "U"), ("PatientID", "pseudonym")),
        (),
    ],
)
def test_one_is_not(vault: Vault, changes: tuple[tuple[str, str], ...]) -> None:
    ticket = released(vault, *changes)
    assert NewIdentities(vault.connection, vault.keys).of({ticket}) == {}


def test_what_was_not_released_has_none(vault: Vault) -> None:
    queue = Queue(vault.connection, vault.keys)
    journey = queue.journey(Path("/in"), Path("/out"), "plan")
    queue.enrol(journey, [(Path("/in/1.dcm"), (1,))])
    assert NewIdentities(vault.connection, vault.keys).of({1}) == {}
