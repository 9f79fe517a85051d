"""Lines of the trail become valid messages, few of them, and none identifies a patient."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deid
from deid.gateway.audit_events import Ours, messages
from deid.gateway.audit_group import Identity
from deid.gateway.audit_message import DESTINATION, EVENTS, Participant
from deid.network.syslog import MOST, Record
from deid.store.audit import Line

from .audit_schema import code, details, read

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

OURS = Ours("DEID", {"archive": Participant("archive", DESTINATION, "ARCHIVE", place="archive.example")}, "gateway1")
TIME = "2026-11-28T12:00:00.000+00:00"
NEW = Identity("10000042", "2.25.42")
FIELDS: dict[str, dict[str, str | int]] = {
    "started": {},
    "stopped": {},
    "received": {"ticket": 1, "state": "received", "peer": "CT1", "route": "research"},
    "released": {"ticket": 1},
    "duplicate": {"ticket": 1},
    "held": {"ticket": 1, "reason": "an element has no valid VR"},
    "unreadable": {"ticket": 1, "reason": "not DICOM"},
    "set aside": {"count": 7, "reason": "its route is not in the settings any more"},
    "delivered": {"ticket": 1, "destination": "archive"},
    "delivery failed": {"ticket": 1, "destination": "archive", "reason": "cannot understand"},
    "release": {"ticket": 1, "reason": "JANE DOE agrees", "user": "steward"},
    "release refused": {"ticket": 1, "user": "steward"},
    "retry": {"ticket": 1, "user": "steward"},
    "retry refused": {"ticket": 1, "user": "steward"},
    "discard": {"ticket": 1, "reason": "JANE DOE does not agree", "user": "steward"},
    "discard refused": {"ticket": 1, "user": "steward"},
    "committed": {"ticket": 1, "destination": "archive"},
    "not committed": {"ticket": 1, "destination": "archive"},
    "commitment told": {"peer": "CT1", "committed": 3, "failed": 2},
    "connection refused": {"address": "192.0.2.1", "listener": 2762, "reason": "plain DICOM on a port for TLS"},
    "association refused": {
        "address": "192.0.2.1", "listener": 2762, "calling": "CT2", "called": "DEID", "certificate": "none",
        "refusal": "1/1/3", "reason": "no peer has this AE title",
    },
    "request refused": {
        "address": "192.0.2.1", "listener": 8443, "certificate": "none", "refusal": "401", "reason": "no token",
    },
    "crosswalk export": {"user": "steward"},
    "crosswalk lookup": {"value": "ab" * 16, "reason": "JANE DOE asks", "user": "steward"},
}  # fmt: skip
UNTOLD = {
    "commitment asked",
    "commitment not wanted",
    "commitment given up",
    "commitment not asked for any more",
    "routed",
}
"""Nothing happens to an object by these."""


def told(*lines: Line, identities: dict[int, Identity] | None = None) -> list[Element]:
    return [read(message.xml("DEID")) for message in messages(lines, identities or {}, OURS)]


def line(event: str, time: str = TIME, **other: str | int) -> Line:
    return Line(time, event, FIELDS.get(event, {}) | other)


@pytest.mark.parametrize("event", FIELDS)
def test_every_event_becomes_a_valid_message(event: str) -> None:
    found = told(line(event), identities={1: NEW})
    assert len(found) == (2 if event == "commitment told" else 1)
    assert "JANE" not in "".join(
        base64.b64decode(value).decode() if name == "value" or element.tag == "ParticipantObjectQuery" else value
        for element in found[0].iter()
        for name, value in (*element.items(), ("text", element.text or ""))
    )


def test_all_events_that_are_told_anywhere_are_known() -> None:
    source = "".join(path.read_text() for path in Path(deid.__file__).parent.rglob("*.py"))
    names = re.findall(r"(?:\btell|\brecord|_recorded)\((?:vault, )?\s*\"([a-z ]+)\"", source)
    assert {"started", "received", "crosswalk lookup", "discard"} <= set(names)
    assert set(names) - UNTOLD <= FIELDS.keys()


def test_receipts_are_gathered_by_peer_and_name_nobody() -> None:
    lines = [line("received", ticket=number) for number in (1, 2, 3, 7)]
    lines.append(line("received", "2026-11-28T12:00:09.000+00:00", ticket=8))
    lines.append(line("received", ticket=9, peer="CT2"))
    one, other = told(*lines, identities=dict.fromkeys(range(10), NEW))
    study, patient = one.findall("ParticipantObjectIdentification")
    assert details(study) == {"instances": "5", "tickets": "1-3,7-8"}
    assert study.attrib["ParticipantObjectID"] == "withheld"
    assert patient.attrib["ParticipantObjectID"] == "withheld"
    assert one[0].attrib["EventDateTime"] == "2026-11-28T12:00:09.000+00:00"
    source, we = one.findall("ActiveParticipant")
    assert source.attrib["AlternativeUserID"] == "AETITLES=CT1"
    assert (code(source, "RoleIDCode"), code(we, "RoleIDCode")) == ("110153", "110152")
    assert other.findall("ActiveParticipant")[0].attrib["UserID"] == "CT2"


def test_what_we_had_already_is_no_creation() -> None:
    new, again = told(line("received"), line("received", state="duplicate"))
    assert new[0].attrib["EventActionCode"] == "C"
    assert again[0].attrib["EventActionCode"] == "R"


def test_deliveries_are_gathered_by_destination_and_new_study() -> None:
    identities = {1: NEW, 2: NEW, 3: Identity("10000043", "2.25.43")}
    lines = [line("delivered", ticket=number) for number in (1, 2, 3, 4)]
    first, second, unknown = told(*lines, identities=identities)
    study, patient = first.findall("ParticipantObjectIdentification")
    assert (study.attrib["ParticipantObjectID"], patient.attrib["ParticipantObjectID"]) == ("2.25.42", "10000042")
    assert patient.findtext("ParticipantObjectName") == "de-identified"
    assert details(study)["instances"] == "2"
    assert first.findall("ActiveParticipant")[1].attrib["NetworkAccessPointID"] == "archive.example"
    assert details(second.findall("ParticipantObjectIdentification")[0])["tickets"] == "3"
    assert unknown.findall("ParticipantObjectIdentification")[0].attrib["ParticipantObjectID"] == "withheld"


def test_a_failure_is_no_success_and_says_why() -> None:
    held, failed = told(line("held"), line("delivery failed"))
    for message, why in ((held, "an element has no valid VR"), (failed, "cannot understand")):
        assert message[0].attrib["EventOutcomeIndicator"] == "8"
        assert message[0].findtext("EventOutcomeDescription") == why


def test_released_objects_are_de_identified_and_discarded_ones_deleted() -> None:
    stages = [
        message.findall("ParticipantObjectIdentification")[0].attrib["ParticipantObjectDataLifeCycle"]
        for message in told(line("released"), line("discard"))
    ]
    assert stages == ["7", "14"]


def test_a_person_is_named_by_login_and_machine() -> None:
    for message in told(line("discard"), line("crosswalk lookup"), line("crosswalk export")):
        (person,) = [each for each in message.iter("ActiveParticipant") if each.attrib["UserIsRequestor"] == "true"]
        assert person.attrib["UserID"] == "steward@gateway1"


def test_who_finds_no_room_alarms_nobody() -> None:
    assert told(line("association refused", refusal="2/3/2")) == []
    assert told(line("request refused", refusal="503")) == []


def test_how_often_a_stranger_came_again_is_told() -> None:
    (message,) = told(Line(TIME, "connection refused", {"address": "192.0.2.1", "reason": "no", "count": 57}))
    assert "count: 57" in details(message.findall("ParticipantObjectIdentification")[0])["Alert Description"]
    assert message.findall("ActiveParticipant")[1].attrib["NetworkAccessPointTypeCode"] == "2"
    told(Line(TIME, "connection refused", {"reason": "from other addresses", "count": 9}))
    (message,) = told(Line(TIME, "connection refused", {"address": "2001:db8:0:7::/64", "reason": "no", "count": 9}))
    there = message.findall("ActiveParticipant")[1].attrib
    assert (there["UserID"], "NetworkAccessPointID" in there) == ("2001:db8:0:7::/64", False)


def test_what_a_stranger_calls_himself_breaks_nothing() -> None:
    (message,) = told(line("association refused", calling='<&"\0\x1b', certificate="\ud800" * 5000))
    assert message.findall("ActiveParticipant")[1].attrib["UserID"] == '<&"??'


def test_no_message_is_longer_than_every_repository_takes() -> None:
    lines = [line("received", ticket=2 * number + 10_000_000) for number in range(1024)]
    (message,) = messages(lines, {}, OURS)
    assert len(Record(TIME, 5, message.xml("DEID")).syslog()) < MOST


def test_the_events_are_those_that_are_declared() -> None:
    made = [each for event, fields in FIELDS.items() for each in messages([Line(TIME, event, fields)], {1: NEW}, OURS)]
    assert {each.event for each in made} == set(EVENTS)
