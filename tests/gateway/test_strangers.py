"""Refusals are on record, and whoever is refused for ever does not fill it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from deid.gateway.strangers import OTHERS, Strangers
from deid.network.negotiation import NO_REASON
from deid.network.refusals import AssociationRefused, ConnectionEnded, ConnectionGivenUp, ConnectionRefused

if TYPE_CHECKING:
    import pytest

Told = list[tuple[str, dict[str, object]]]


def strangers() -> tuple[Strangers, Told]:
    told: Told = []
    return Strangers(lambda event, **fields: told.append((event, fields)), threading.Event()), told


def refused(address: str, reason: str = "no certificate") -> ConnectionRefused:
    return ConnectionRefused(address, 2762, reason)


def test_the_first_is_told_at_once_and_in_full() -> None:
    watching, told = strangers()
    watching.note(refused("192.0.2.1"))
    assert told == [("connection refused", {"address": "192.0.2.1", "listener": 2762, "reason": "no certificate"})]


def test_who_was_refused_nothing_stands_in_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    watching, told = strangers()
    for _ in range(3):
        watching.note(ConnectionEnded("192.0.2.1", 2762, "the peer has hung up"))
        watching.note(ConnectionGivenUp("192.0.2.1", 2762, "others wait for its place"))
    watching.sum_up()
    assert told == []
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line.get("count")) for line in lines] == [
        ("connection ended", None),
        ("connection given up", None),
        ("connection ended", 2),
        ("connection given up", 2),
    ]


def test_what_is_repeated_is_counted_by_address_and_reason() -> None:
    watching, told = strangers()
    for address, reason in (("192.0.2.1", "a"), ("192.0.2.1", "b"), ("192.0.2.2", "a")):
        for _ in range(10):
            watching.note(refused(address, reason))
    assert len(told) == 3
    del told[:]
    watching.sum_up()
    assert [fields["count"] for _, fields in told] == [9, 9, 9]
    assert told[0][1] == {"address": "192.0.2.1", "listener": 2762, "reason": "a", "count": 9}


def test_who_comes_again_stays_known_and_who_does_not_is_new_again() -> None:
    watching, told = strangers()
    watching.note(refused("192.0.2.1"))
    watching.note(refused("192.0.2.1"))
    watching.note(refused("192.0.2.2"))
    watching.sum_up()
    del told[:]
    watching.note(refused("192.0.2.1"))
    watching.note(refused("192.0.2.2"))
    assert [fields["address"] for _, fields in told] == ["192.0.2.2"]
    watching.sum_up()
    repeated = {"address": "192.0.2.1", "listener": 2762, "reason": "no certificate", "count": 1}
    assert told[-1][1] == repeated


def test_any_number_of_addresses_makes_a_bounded_number_of_lines() -> None:
    watching, told = strangers()
    for number in range(10_000):
        watching.note(refused(f"2001:db8:0:{number:x}::1"))
    assert len(told) == 64
    watching.sum_up()
    rest = {"listener": 2762, "reason": f"no certificate ({OTHERS})", "count": 10_000 - 64}
    assert told[64:] == [("connection refused", rest)]
    assert sum(int(str(fields.get("count", 1))) for _, fields in told) == 10_000


def test_whoever_changes_his_address_within_his_network_is_one() -> None:
    """Of IPv6, somebody has at least 2 ** 64 addresses; of IPv4, each counts, also as a port for both shows it."""
    watching, told = strangers()
    for number in range(1, 101):
        watching.note(refused(f"2001:db8:0:7:{number:x}::1"))
        watching.note(refused(f"fe80::{number:x}%eth0"))
    for number in range(1, 4):
        watching.note(refused(f"::ffff:192.0.2.{number}"))
    alone = ["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3"]
    assert [fields["address"] for _, fields in told] == ["2001:db8:0:7:1::1", "fe80::1%eth0", *alone]
    del told[:]
    watching.sum_up()
    assert [(fields["address"], fields["count"]) for _, fields in told] == [
        ("2001:db8:0:7::/64", 99),
        ("fe80::/64", 99),
    ]


def test_what_is_no_address_is_told_as_it_is() -> None:
    watching, told = strangers()
    watching.note(refused(""))
    watching.note(refused(""))
    watching.sum_up()
    assert [(fields["address"], fields.get("count")) for _, fields in told] == [("", None), ("", 1)]


def test_a_scan_takes_no_refusal_of_another_kind_out_of_the_trail() -> None:
    watching, told = strangers()
    for number in range(1_000):
        watching.note(refused(f"2001:db8:0:{number:x}::1"))
        watching.note(ConnectionEnded(f"2001:db8:0:{number:x}::1", 2762, "the peer has hung up"))
    del told[:]
    watching.note(refused("192.0.2.7", "its certificate has expired"))
    watching.note(AssociationRefused("192.0.2.8", 2762, "CT1", "DEID", "ct2", NO_REASON, "no certificate"))
    watching.note(ConnectionRefused("192.0.2.9", 2763, "no certificate"))
    assert [fields["address"] for _, fields in told] == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


def test_it_sums_up_while_it_runs() -> None:
    told = threading.Event()
    stop = threading.Event()

    def tell(_event: str, **fields: object) -> None:
        if fields.get("count"):
            told.set()

    watching = Strangers(tell, stop, every=0.0)
    watching.note(refused("192.0.2.1"))
    watching.note(refused("192.0.2.1"))
    running = threading.Thread(target=watching.run)
    running.start()
    assert told.wait(60)
    stop.set()
    running.join(60)
    assert not running.is_alive()
