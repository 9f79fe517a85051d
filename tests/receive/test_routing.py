"""The first rule that holds decides, by what the file of an object says; nothing is guessed."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from deid.errors import Rejected
from deid.part10.target import file_meta
from deid.profile.conditions import Condition
from deid.receive.routing import NO_ROUTE, Routing, Rule

if TYPE_CHECKING:
    from pathlib import Path

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
DESCRIPTION, ROWS = 0x00081030, 0x00280010


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"SQ", b"UN"):
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def sop_class(uid: str = CT) -> bytes:
    return element(0x00080016, b"UI", uid.encode() + b"\0" * (len(uid) % 2))


MODALITY = element(0x00080060, b"CS", b"CT")
TRIAL = element(DESCRIPTION, b"LO", b"TRIAL 7 Doe")
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 4) + bytes(4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "object.part"


def route(
    file: Path, *rules: Rule, data: bytes = sop_class() + MODALITY + TRIAL + PIXELS, syntax: str = EXPLICIT
) -> str:
    file.write_bytes(file_meta(CT, "1.2.3", syntax) + data)
    return Routing(rules, {"CT1": "default"}, file.parent).route("CT1", "DEID", file)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("trial", calling=frozenset({"CT1", "CT2"})),
        Rule("trial", called=frozenset({"DEID"})),
        Rule("trial", sop_classes=frozenset({MR, CT})),
        Rule("trial", modalities=frozenset({"MR", "CT"})),
        Rule("trial", match=(Condition(DESCRIPTION, "starts", "trial"),)),
        Rule("trial", match=(Condition(DESCRIPTION, "matches", "TRIAL [0-9]+ .*"), Condition(ROWS, "equals", ""))),
        Rule(
            "trial",
            frozenset({"CT1"}),
            frozenset({"DEID"}),
            frozenset({CT}),
            frozenset({"CT"}),
            (Condition(DESCRIPTION, "contains", "7"),),
        ),
    ],
)
def test_a_rule_holds_where_all_that_it_says_does(file: Path, rule: Rule) -> None:
    assert route(file, rule) == "trial"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("trial", calling=frozenset({"CT2"})),
        Rule("trial", called=frozenset({"OTHER"}), modalities=frozenset({"CT"})),
        Rule("trial", sop_classes=frozenset({MR}), modalities=frozenset({"CT"})),
        Rule("trial", modalities=frozenset({"MR"}), sop_classes=frozenset({CT})),
        Rule("trial", match=(Condition(DESCRIPTION, "starts", "trial"), Condition(ROWS, "equals", "512"))),
    ],
)
def test_a_rule_of_which_one_thing_does_not_hold_does_not(file: Path, rule: Rule) -> None:
    assert route(file, rule) == "default"


def test_the_first_rule_that_holds_decides(file: Path) -> None:
    rules = [Rule(name, modalities=frozenset({name})) for name in ("MR", "CT", "CT")]
    assert route(file, *rules, Rule("all", calling=frozenset({"CT1"}))) == "CT"
    assert route(file, Rule("all", calling=frozenset({"CT1"})), *rules) == "all"


def test_without_a_rule_and_without_a_route_of_the_peer_there_is_none(file: Path) -> None:
    file.write_bytes(file_meta(CT, "1.2.3", EXPLICIT) + sop_class() + MODALITY)
    routing = Routing([Rule("mr", modalities=frozenset({"MR"}))], {"CT1": "default"}, file.parent)
    with pytest.raises(Rejected, match=NO_ROUTE):
        routing.route("CT2", "DEID", file)


def test_a_file_is_not_opened_for_what_the_ae_titles_tell(tmp_path: Path) -> None:
    rules = [Rule("trial", called=frozenset({"TRIAL"})), Rule("us", frozenset({"US1"}), modalities=frozenset({"US"}))]
    routing = Routing(rules, {"CT1": "default"}, tmp_path)
    assert routing.route("CT1", "TRIAL", tmp_path / "absent") == "trial"
    assert routing.route("CT1", "DEID", tmp_path / "absent") == "default"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sop_class() + TRIAL + MODALITY, "do not stand in the order of their tags"),
        (sop_class() + MODALITY + MODALITY, "an element occurs twice"),
        (sop_class() + MODALITY[:4] + b"??", "VR|runs past|truncated|ends"),
        (sop_class() + element(0x00081140, b"SQ", element(0x00081150, b"UN", bytes(2 << 20))), "takes more than 1 MB"),
    ],
)
def test_what_cannot_be_read_has_no_route_not_even_that_of_its_peer(file: Path, data: bytes, why: str) -> None:
    rule = Rule("trial", match=(Condition(ROWS, "equals", "1"),))
    with pytest.raises(Rejected, match=f"its route cannot be told: .*({why})"):
        route(file, rule, data=data)


def test_what_stands_behind_the_last_attribute_is_not_looked_at(file: Path) -> None:
    rule = Rule("trial", modalities=frozenset({"CT"}))
    assert route(file, rule, data=sop_class() + MODALITY + TRIAL[:-1]) == "trial"


def test_large_values_before_an_attribute_are_passed_over(file: Path) -> None:
    large = struct.pack("<HH2sHI", 9, 0x1010, b"OB", 0, 3 << 20) + bytes(3 << 20)
    rule = Rule("trial", match=(Condition(ROWS, "equals", "1"),))
    data = sop_class() + large + element(ROWS, b"US", b"\1\0")
    assert route(file, rule, data=data) == "trial"


def test_a_deflated_object_is_inflated(file: Path) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = packer.compress(sop_class() + MODALITY) + packer.flush()
    assert route(file, Rule("trial", modalities=frozenset({"CT"})), data=deflated, syntax=DEFLATED) == "trial"
    assert list(file.parent.iterdir()) == [file]


def test_no_reason_holds_a_value(file: Path) -> None:
    with pytest.raises(Rejected) as held:
        route(file, Rule("t", match=(Condition(ROWS, "equals", ""),)), data=TRIAL + sop_class())
    assert "Doe" not in str(held.value)
