"""The schema of PS3.15 A.5.1.1 and what the tables of A.5.3 make mandatory, as checks of a document."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from xml.etree.ElementTree import Element, fromstring

CODE = ("csd-code", "codeSystemName", "originalText")

# Element: attributes that must be there, others that may, and the order of its children with their occurrences.
ELEMENTS = {
    "AuditMessage": (
        (),
        (),
        "EventIdentification ActiveParticipant+ AuditSourceIdentification ParticipantObjectIdentification*",
    ),
    "EventIdentification": (
        ("EventDateTime", "EventOutcomeIndicator"),
        ("EventActionCode",),
        "EventID EventTypeCode* EventOutcomeDescription?",
    ),
    "EventID": (CODE, ("displayName",), ""),
    "EventTypeCode": (CODE, ("displayName",), ""),
    "EventOutcomeDescription": ((), (), "TEXT"),
    "ActiveParticipant": (
        ("UserID", "UserIsRequestor"),
        ("AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"),
        "RoleIDCode* MediaIdentifier?",
    ),
    "RoleIDCode": (CODE, ("displayName",), ""),
    "AuditSourceIdentification": (("AuditSourceID",), ("AuditEnterpriseSiteID",), "AuditSourceTypeCode*"),
    "AuditSourceTypeCode": (("csd-code",), (), ""),
    "ParticipantObjectIdentification": (
        ("ParticipantObjectID",),
        (
            "ParticipantObjectTypeCode",
            "ParticipantObjectTypeCodeRole",
            "ParticipantObjectDataLifeCycle",
            "ParticipantObjectSensitivity",
        ),
        "ParticipantObjectIDTypeCode (ParticipantObjectName|ParticipantObjectQuery) ParticipantObjectDetail*",
    ),
    "ParticipantObjectIDTypeCode": (CODE, ("displayName",), ""),
    "ParticipantObjectName": ((), (), "TEXT"),
    "ParticipantObjectQuery": ((), (), "TEXT"),
    "ParticipantObjectDetail": (("type", "value"), (), ""),
}
VALUES = {
    "EventActionCode": "[CRUDE]",
    "EventOutcomeIndicator": "0|4|8|12",
    "UserIsRequestor": "true|false",
    "NetworkAccessPointTypeCode": "[1-5]",
    "ParticipantObjectTypeCode": "[1-4]",
    "ParticipantObjectTypeCodeRole": "[1-9]|1[0-9]|2[0-6]",
    "ParticipantObjectDataLifeCycle": "[1-9]|1[0-5]",
}
# Event: EventActionCode, EventTypeCode, roles of the participants ("" is any), and (role, kind of ID) of the objects.
STUDY, PATIENT = ("3", "110180"), ("1", "2")
EVENTS = {
    "110100": ("E", "110120|110121", ["110150"], []),
    "110103": ("[CRUD]", "", [""], [STUDY, PATIENT]),
    "110104": ("[CRU]", "", ["110153", "110152"], [STUDY, PATIENT]),
    "110106": ("R", "", ["110153", "110154"], [PATIENT]),
    "110112": ("E", "", ["110153", "110152"], [("3", "10")]),
    "110113": ("E", "110126", [""], [("13", "110182")]),
}


def read(xml: bytes) -> Element:
    """The document, after all checks."""
    message = fromstring(xml)  # noqa: S314 - our own
    _check(message)
    _check_event(message)
    return message


def _check(element: Element) -> None:
    needed, others, children = ELEMENTS[element.tag]
    assert set(needed) <= set(element.keys()) <= {*needed, *others}, element.tag
    for name, value in element.items():
        assert value.strip(), f"{name} of {element.tag} is empty"
        assert re.fullmatch(VALUES.get(name, "(?s:.*)"), value), f"{name}: {value}"
    if children == "TEXT":
        assert (element.text or "").strip(), f"{element.tag} is empty"
        assert len(element) == 0
        return
    assert not (element.text or "").strip(), element.tag
    pattern = re.sub("([A-Za-z]+)", r"(?:\1@)", children).replace(" ", "").replace("@", " ")
    order = "".join(f"{child.tag} " for child in element)
    assert re.fullmatch(pattern, order), f"{element.tag}: {order}"
    for child in element:
        _check(child)


def _check_event(message: Element) -> None:
    event = message[0]
    when = datetime.fromisoformat(event.attrib["EventDateTime"])
    assert when.tzinfo is not None
    action, types, roles, objects = EVENTS[code(event, "EventID")]
    assert re.fullmatch(action, event.attrib["EventActionCode"])
    assert re.fullmatch(types, code(event, "EventTypeCode"))
    participants = message.findall("ActiveParticipant")
    assert sum(each.attrib["UserIsRequestor"] == "true" for each in participants) <= 1
    for each in participants:
        assert ("NetworkAccessPointID" in each.attrib) == ("NetworkAccessPointTypeCode" in each.attrib)
    found = [code(each, "RoleIDCode") for each in participants]
    for role in roles:
        assert not role or role in found, f"role {role} is missing"
    subjects = message.findall("ParticipantObjectIdentification")
    assert objects == [
        (each.attrib["ParticipantObjectTypeCodeRole"], code(each, "ParticipantObjectIDTypeCode")) for each in subjects
    ]
    for subject in subjects:
        for detail in subject.findall("ParticipantObjectDetail"):
            base64.b64decode(detail.attrib["value"], validate=True)
    if code(event, "EventID") == "110113":
        assert "Alert Description" in details(subjects[0])


def code(element: Element, name: str) -> str:
    """The code of the first child of this name, "" without one."""
    child = element.find(name)
    return "" if child is None else child.attrib["csd-code"]


def details(subject: Element) -> dict[str, str]:
    """The details of a participant object, decoded."""
    return {
        each.attrib["type"]: base64.b64decode(each.attrib["value"]).decode()
        for each in subject.findall("ParticipantObjectDetail")
    }
