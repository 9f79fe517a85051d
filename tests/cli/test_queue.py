from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deid.cli.queue import _about
from deid.cli.state import person
from deid.model import Masked, Pixels, State
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAK = "an identifying value survives in ImageComments"


def state_of(state: Path, number: int) -> State:
    with Vault.open(state) as vault:
        return Queue(vault.connection, vault.keys).show(number).ticket.state


def test_list_names_the_held_and_why(deid: Callable[..., Any], state: Path) -> None:
    said = deid("queue", "list", "--state", state)
    assert said.code == 0
    assert f"2   held   {LEAK}\n" in said.out
    assert f"Next: deid queue show 2 --state {state}\n" in said.out
    assert "[bold]" not in said.out  # a path may name a patient


def test_list_as_json(deid: Callable[..., Any], state: Path) -> None:
    said = deid("queue", "list", "--json", "--state", state)
    held = json.loads(said.out)["held"]
    assert [ticket["ticket"] for ticket in held] == [2, 3]
    assert held[0] == {"ticket": 2, "reason": LEAK}


def test_an_empty_queue_says_so(deid: Callable[..., Any], tmp_path: Path) -> None:
    Vault.open(tmp_path / "state").close()
    assert deid("queue", "list", "--state", tmp_path / "state").out == "Nothing is held or unreadable.\n"


def test_no_state_folder_is_made(deid: Callable[..., Any], tmp_path: Path) -> None:
    said = deid("queue", "list", "--state", tmp_path / "typo")
    assert said.code == 2
    assert "there is no ledger in" in said.err
    assert not (tmp_path / "typo").exists()


def test_show_prints_the_file_without_obeying_it(deid: Callable[..., Any], state: Path) -> None:
    said = deid("queue", "show", 2, "--state", state)
    assert said.code == 0
    assert "[bold]2\\x1b[2J\n" in said.out  # neither markup of ours nor an order to the terminal
    assert "\x1b" not in said.out
    assert LEAK in said.out
    assert "ImageComments         PatientName\n" in said.out


def test_show_says_where_a_released_object_is(deid: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "out" / "P/S/E/1.dcm") in deid("queue", "show", 1, "--state", state).out


def test_show_says_what_became_of_each_delivery(deid: Callable[..., Any], state: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executemany(
            "INSERT INTO deliveries (ticket, destination, state, reason) VALUES (1, ?, ?, ?)",
            [("a", "sent", ""), ("b", "waiting", ""), ("c", "waiting", "is away"), ("d", "failed", "refuses it")],
        )
    said = " ".join(deid("queue", "show", 1, "--state", state).out.split())
    assert "to a sent to b waits to c waits: is away to d not taken: refuses it" in said


def test_an_unknown_ticket(deid: Callable[..., Any], state: Path) -> None:
    said = deid("queue", "show", 9, "--state", state)
    assert (said.code, said.err) == (2, "deid: there is no ticket 9\n")


def test_retry(deid: Callable[..., Any], state: Path, events: Callable[..., Any]) -> None:
    assert deid("queue", "retry", 2, 3, "--state", state).code == 0
    assert state_of(state, 2) is state_of(state, 3) is State.RECEIVED
    assert events() == [("retry", {"ticket": number, "user": person()}) for number in (2, 3)]


def test_a_delivery_that_is_retried_is_recorded(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any]
) -> None:
    with Vault.open(state) as vault:
        vault.connection.execute("INSERT INTO deliveries (ticket, destination, state) VALUES (1, 'a', 'failed')")
    assert "sent again by the gateway, to 1 " in deid("queue", "retry", 1, "--state", state).out
    assert events() == [("retry", {"ticket": 1, "user": person()})]


def test_release_accepts_the_findings_and_is_recorded(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any]
) -> None:
    assert deid("queue", "release", 2, "--reason", "a place, not a name", "--state", state).code == 0
    with Vault.open(state) as vault:
        ticket = Queue(vault.connection, vault.keys).show(2).ticket
    assert (ticket.state, ticket.accepted) == (State.RECEIVED, frozenset({"ImageComments"}))
    assert events() == [("release", {"ticket": 2, "reason": "a place, not a name", "user": person()})]


def test_discard_is_recorded(deid: Callable[..., Any], state: Path, events: Callable[..., Any]) -> None:
    assert deid("queue", "discard", 3, "--reason", "test scan", "--state", state).code == 0
    assert state_of(state, 3) is State.DISCARDED
    assert events() == [("discard", {"ticket": 3, "reason": "test scan", "user": person()})]


def test_what_the_queue_refuses_is_recorded_as_refused(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any]
) -> None:
    assert deid("queue", "release", 3, "--reason", "why not", "--state", state).code == 2
    assert state_of(state, 3) is State.HELD
    assert deid("queue", "retry", 1, "--state", state).code == 2
    assert [event for event, _ in events()] == ["release", "release refused", "retry", "retry refused"]


@pytest.mark.parametrize("decision", ["release", "discard"])
@pytest.mark.parametrize("reason", [(), ("--reason", " ")])
def test_a_decision_needs_a_reason(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any], decision: str, reason: tuple[str, ...]
) -> None:
    assert deid("queue", decision, 2, *reason, "--state", state).code == 2
    assert state_of(state, 2) is State.HELD
    assert events() == []


@pytest.mark.parametrize("decision", [("discard", "--reason", "test scan"), ("retry",)])
def test_what_cannot_be_recorded_is_not_done(deid: Callable[..., Any], state: Path, decision: tuple[str, ...]) -> None:
    (state / "audit.jsonl").write_text("not the trail\n", "ascii")
    assert deid("queue", decision[0], 2, *decision[1:], "--state", state).code == 2
    assert state_of(state, 2) is State.HELD


def test_a_key_elsewhere(deid: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    key = (state / "key").rename(tmp_path / "key")
    assert deid("queue", "list", "--state", state).code == 2
    assert deid("queue", "list", "--state", state, "--key", key).code == 0


@pytest.mark.parametrize("searched", [True, False])
def test_what_is_masked_is_told_whether_searched_or_not(
    searched: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    pixels = Pixels(searched=searched, because="why", masked=(Masked(0, 1, ((1, 2, 3, 4),)),), share=0.25)
    told = dict(_about(pixels))
    assert told["masked"] == "25.0% of the pixels"
    assert told["frame 1"] == "3 x 4 at (1, 2)"
    assert ("searched by" in told) is searched
