from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deid.model import Outcome, Result, State
from deid.store.custody import Custody
from deid.store.deliveries import Deliveries
from deid.store.inbox import Arrival, Inbox
from deid.store.queue import Queue
from deid.store.requests import Requests
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CT = "1.2.840.10008.5.1.4.1.1.2"
ORIGINAL, TRANSACTION = "1.2.333.1", "1.2.999"


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """The state folder of a gateway: the archive has been sent two objects and asked about one; CT1 asks as well."""
    folder = tmp_path / "gateway"
    with Vault.open(folder) as vault:
        queue, inbox = Queue(vault.connection, vault.keys), Inbox(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "outbox", "plan")
        for n in (1, 2):
            inbox.receive(Arrival(journey, tmp_path / f"{n}.dcm", f"1.2.333.{n}", b"%d" % n, "CT1", 1.0))
        tickets = [ticket.number for ticket in queue.received(journey, 0, 9)]
        results = [Result(CT, f"1.2.333.{each}", f"P/S/E/{each}.dcm", (), ()) for each in tickets]
        ends = [Outcome(each, State.RELEASED, result=result) for each, result in zip(tickets, results, strict=True)]
        queue.record_ends(journey, ends, ("archive",))
        Deliveries(vault.connection, vault.keys).sent("archive", tickets, ask_at=1_700_000_000.0)
        Custody(vault.connection, vault.keys).ask("archive", tickets[:1], "2.25.1", until=1_700_003_600.0)
        requests = Requests(vault.connection, vault.keys)
        requests.add("CT1", TRANSACTION, [(CT, ORIGINAL)], 1_700_000_001.0)
        asked = requests.claim(["CT1"], 1_700_000_002.0, 1.0)
        assert asked
        requests.not_told(asked, 0.0)
    return folder


def test_what_waits_for_commitment_is_listed(deid: Callable[..., Any], waiting: Path) -> None:
    said = deid("queue", "list", "--commitment", "--state", waiting)
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines() if "archive" in line or "CT1" in line] == [
        ["1", "archive", "asked", "2023-11-14T23:13:20+00:00", "0"],
        ["2", "archive", "not", "asked", "2023-11-14T22:13:20+00:00", "0"],
        ["CT1", "1", "2023-11-14T22:13:21+00:00", "1"],
    ]
    assert ORIGINAL not in said.out
    assert TRANSACTION not in said.out


def test_the_same_as_json(deid: Callable[..., Any], waiting: Path) -> None:
    listed = json.loads(deid("queue", "list", "--commitment", "--json", "--state", waiting).out)
    due = "2023-11-14T23:13:20+00:00"
    assert [each["ticket"] for each in listed["uncommitted"]] == [1, 2]
    assert listed["uncommitted"][0] == {
        "ticket": 1, "destination": "archive", "state": "asked", "due": due, "attempts": 0,
    }  # fmt: skip
    assert listed["requests"] == [
        {"peer": "CT1", "objects": 1, "asked": "2023-11-14T22:13:21+00:00", "attempts": 1}
    ]  # fmt: skip


def test_nothing_waits(deid: Callable[..., Any], state: Path) -> None:
    assert deid("queue", "list", "--commitment", "--state", state).out == "Nothing waits for Storage Commitment.\n"
