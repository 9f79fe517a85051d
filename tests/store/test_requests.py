"""What a peer has asked for is kept, sealed, until it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState, Deferred
from deid.store import requests as module
from deid.store.requests import Requests
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CT = "1.2.840.10008.5.1.4.1.1.2"
OBJECTS = [(CT, "1.2.333.1"), (CT, "1.2.333.2")]


@pytest.fixture
def requests(vault: Vault) -> Requests:
    return Requests(vault.connection, vault.keys)


def test_it_is_there_after_a_kill(kill_after: Callable[[str], None], state: Path) -> None:
    kill_after(
        "from deid.store.requests import Requests\n"
        "vault = Vault.open(state)\n"
        f"Requests(vault.connection, vault.keys).add('CT1', '1.2.9', {OBJECTS}, 1.0)"
    )
    with Vault.open(state) as vault:
        asked = Requests(vault.connection, vault.keys).claim(["CT1"], now=1.0, lease=1)
    assert asked is not None
    assert (asked.peer, asked.transaction, list(asked.objects), asked.at) == ("CT1", "1.2.9", OBJECTS, 1.0)


def test_no_uid_stands_in_the_ledger(requests: Requests, vault: Vault) -> None:
    requests.add("CT1", "1.2.999.9", OBJECTS, 1.0)
    text = "\n".join(vault.connection.iterdump())
    rows = vault.connection.execute("SELECT hash, request FROM commitment_requests").fetchall()
    held = b"".join(bytes(value) for row in rows for value in row)
    for uid in ("1.2.999.9", "1.2.333.1", CT):
        assert uid not in text
        assert uid.encode() not in held


def test_a_clock_that_was_ahead_puts_nothing_off_for_long(requests: Requests) -> None:
    a_year_ahead = 365 * 86_400.0
    requests.add("CT1", "1.2.9", OBJECTS, a_year_ahead)
    assert requests.claim(["CT1"], now=1.0, lease=600) is not None
    assert requests.claim(["CT1"], now=2.0, lease=600) is None


def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(requests: Requests) -> None:
    requests.add("CT1", "1.2.9", OBJECTS, 1.0)
    assert requests.claim(["CT2"], now=1.0, lease=10) is None
    first = requests.claim(["CT2", "CT1"], now=1.0, lease=10)
    assert first is not None
    assert requests.claim(["CT1"], now=10.9, lease=10) is None
    assert requests.claim(["CT1"], now=11.0, lease=10) == first
    requests.free_leases()
    assert requests.claim(["CT1"], now=11.0, lease=10) == first
    requests.later(first, 12.0)
    assert requests.claim(["CT1"], now=12.0, lease=10) == first
    requests.done(first)
    requests.free_leases()
    assert requests.claim(["CT1"], now=99.0, lease=10) is None


def test_who_answers_late_takes_no_request_of_another_one_away(requests: Requests) -> None:
    requests.add("CT1", "1.2.9", OBJECTS, 1.0)
    late, told = (requests.claim(["CT1"], now, lease=10) for now in (1.0, 11.0))
    assert late is not None
    assert told is not None
    requests.done(told)
    requests.add("CT2", "1.2.9", OBJECTS, 12.0)
    assert requests.open()[0].number == late.number
    requests.done(late)
    assert [each.peer for each in requests.open()] == ["CT2"]


def test_a_peer_that_cannot_be_told_is_not_called_for_each_of_its_requests(requests: Requests) -> None:
    requests.add("CT1", "1.2.9", OBJECTS, 1.0)
    requests.add("CT1", "1.2.10", OBJECTS, 2.0)
    requests.add("CT2", "1.2.9", OBJECTS, 3.0)
    asked = requests.claim(["CT1"], now=5.0, lease=1)
    assert asked is not None
    requests.not_told(asked, due=60.0)
    assert requests.claim(["CT1"], now=59.0, lease=1) is None
    other = requests.claim(["CT1", "CT2"], now=5.0, lease=1)
    assert other is not None
    assert other.peer == "CT2"
    again = [requests.claim(["CT1"], now=60.0, lease=9) for _ in range(2)]
    assert {each.transaction: each.attempts for each in again if each} == {"1.2.9": 1, "1.2.10": 0}


def test_the_same_transaction_again_takes_its_place(requests: Requests) -> None:
    requests.add("CT1", "1.2.9", OBJECTS, 1.0)
    requests.add("CT1", "1.2.9", OBJECTS[:1], 2.0)
    assert requests.waiting() == 1
    asked = requests.claim(["CT1"], now=2.0, lease=1)
    assert asked is not None
    assert list(asked.objects) == OBJECTS[:1]


def test_no_peer_fills_the_disk(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    assert requests.add("CT1", "1.2.1", OBJECTS, 1.0)
    assert requests.add("CT1", "1.2.2", OBJECTS, 1.0)
    assert not requests.add("CT1", "1.2.3", OBJECTS, 1.0)
    assert requests.add("CT1", "1.2.2", OBJECTS, 1.0)
    assert requests.add("CT2", "1.2.3", OBJECTS, 1.0)


def test_no_peer_fills_the_disk_with_few_that_are_large(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    large = [(CT, f"1.2.333.{number}") for number in range(100)]  # 48 bytes each
    assert requests.add("CT1", "1.2.1", large, 1.0)
    assert not requests.add("CT1", "1.2.2", large * 2, 1.0)
    assert requests.add("CT1", "1.2.1", large * 2, 1.0)
    assert requests.add("CT2", "1.2.2", large * 2, 1.0)
    assert not requests.add("CT2", "1.2.3", large, 1.0)
    assert requests.waiting() == 2


def test_the_largest_requests_wait_beside_each_other(requests: Requests) -> None:
    longest = "1." + "2" * 62
    for number in range(16):
        assert requests.add("CT1", f"1.2.{number}", [(longest, longest)] * 26_000, 1.0)
    assert requests.waiting() == 16


def test_what_was_asked_for_long_ago_is_forgotten(requests: Requests) -> None:
    for at in (1.0, 2.0, 9.0):
        requests.add("CT1", f"1.2.{at}", OBJECTS, at)
    assert requests.expire(asked_before=5.0) == {"CT1": 2}
    assert requests.expire(asked_before=5.0) == {}
    assert requests.waiting() == 1


def test_open_is_what_was_not_told(requests: Requests) -> None:
    requests.add("CT2", "1.2.2", OBJECTS, 2.0)
    requests.add("CT1", "1.2.1", OBJECTS, 1.0)
    first, second = requests.open()
    assert [(each.peer, each.at, each.attempts) for each in (first, second)] == [("CT1", 1.0, 0), ("CT2", 2.0, 0)]
    assert requests.claim(["CT1"], now=3.0, lease=10) == first
    requests.not_told(first, due=9.0)
    assert [each.attempts for each in requests.open()] == [1, 0]
    requests.done(first)
    assert requests.open() == [second]


def test_a_row_that_was_moved_is_not_opened(requests: Requests, vault: Vault) -> None:
    requests.add("CT1", "1.2.9", OBJECTS, 1.0)
    vault.connection.execute("UPDATE commitment_requests SET hash = zeroblob(16)")
    with pytest.raises(BadState, match="sealed value"):
        requests.claim(["CT1"], now=1.0, lease=1)


def test_a_full_disk_is_deferred(requests: Requests, vault: Vault) -> None:
    (pages,) = vault.connection.execute("PRAGMA page_count").fetchone()
    vault.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Deferred, match="SQLITE_FULL"):
        requests.add("CT1", "1.2.9", [(CT, f"1.2.{n}") for n in range(10_000)], 1.0)
    assert requests.waiting() == 0
