"""The audit message of PS3.15 A.5: an XML document by the schema of A.5.1.1, and the codes that are used here."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring  # written, never read

SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = 0, 4, 8  # EventOutcomeIndicator
PERSON, SYSTEM_OBJECT = 1, 2  # ParticipantObjectTypeCode
PATIENT, REPORT, SECURITY_RESOURCE = 1, 3, 13  # ParticipantObjectTypeCodeRole (A.5.1.2.2)
DE_IDENTIFICATION, LOGICAL_DELETION = 7, 14  # ParticipantObjectDataLifeCycle (A.5.1.2.3)

_APPLICATION_SERVER: Final = "4"  # AuditSourceTypeCode (A.5.1.2.1)
_MACHINE_NAME, _IP_ADDRESS = "1", "2"  # NetworkAccessPointTypeCode (A.5.1.2.5)
_LONGEST: Final = 1024  # characters of a text that others have a part in
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


class Code(NamedTuple):
    """A coded concept of PS3.16, or one of the numbers that RFC 3881 has defined (A.5.1.2.4)."""

    value: str
    meaning: str
    system: str = "DCM"


APPLICATION_ACTIVITY: Final = Code("110100", "Application Activity")
APPLICATION_START: Final = Code("110120", "Application Start")
APPLICATION_STOP: Final = Code("110121", "Application Stop")
INSTANCES_ACCESSED: Final = Code("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED: Final = Code("110104", "DICOM Instances Transferred")
EXPORT: Final = Code("110106", "Export")
QUERY: Final = Code("110112", "Query")
SECURITY_ALERT: Final = Code("110113", "Security Alert")
NODE_AUTHENTICATION: Final = Code("110126", "Node Authentication")
EVENTS: Final = (
    APPLICATION_ACTIVITY,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    EXPORT,
    QUERY,
    SECURITY_ALERT,
)
"""What messages are about (EventID)."""
APPLICATION: Final = Code("110150", "Application")
DESTINATION: Final = Code("110152", "Destination Role ID")
SOURCE: Final = Code("110153", "Source Role ID")
DESTINATION_MEDIA: Final = Code("110154", "Destination Media")
STUDY_INSTANCE_UID: Final = Code("110180", "Study Instance UID")
NODE_ID: Final = Code("110182", "Node ID")
PATIENT_NUMBER: Final = Code("2", "Patient Number", "RFC-3881")
SEARCH_CRITERIA: Final = Code("10", "Search Criteria", "RFC-3881")


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody, or a program, that has a part in the event (Active Participant)."""

    user: str
    role: Code | None = None
    ae_title: str = ""
    requests: bool = False
    place: str = ""  # a machine's name, or an IP address

    def add_to(self, message: Element) -> None:
        """Append the element."""
        element = SubElement(message, "ActiveParticipant", UserID=_text(self.user))
        if self.ae_title:
            element.set("AlternativeUserID", _text(f"AETITLES={self.ae_title}"))  # A.5.2.2
        element.set("UserIsRequestor", "true" if self.requests else "false")
        if self.place:
            element.set("NetworkAccessPointID", _text(self.place))
            element.set("NetworkAccessPointTypeCode", _IP_ADDRESS if _is_address(self.place) else _MACHINE_NAME)
        if self.role:
            _add_code(element, "RoleIDCode", self.role)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the event is about (Participant Object). It has a name, or a query."""

    kind: Code  # of the ID
    id: str
    type: int
    role: int
    name: str = ""
    query: str = ""
    life_cycle: int = 0
    details: tuple[tuple[str, str], ...] = ()

    def add_to(self, message: Element) -> None:
        """Append the element."""
        element = SubElement(message, "ParticipantObjectIdentification", ParticipantObjectID=_text(self.id))
        element.set("ParticipantObjectTypeCode", str(self.type))
        element.set("ParticipantObjectTypeCodeRole", str(self.role))
        if self.life_cycle:
            element.set("ParticipantObjectDataLifeCycle", str(self.life_cycle))
        _add_code(element, "ParticipantObjectIDTypeCode", self.kind)
        if self.query:
            SubElement(element, "ParticipantObjectQuery").text = _base64(self.query)
        else:
            SubElement(element, "ParticipantObjectName").text = _text(self.name)
        for kind, value in self.details:
            SubElement(element, "ParticipantObjectDetail", type=kind, value=_base64(value))


@dataclass(frozen=True, slots=True)
class Message:
    """One audited event."""

    event: Code
    action: str  # C R U D E: create, read, update, delete, execute
    time: str
    participants: tuple[Participant, ...]
    subjects: tuple[Subject, ...] = ()
    outcome: int = SUCCESS
    said: str = ""  # of the outcome
    type: Code | None = None

    def xml(self, source: str) -> bytes:
        """The document in UTF-8; `source` is who reports it."""
        message = Element("AuditMessage")
        event = SubElement(message, "EventIdentification", EventActionCode=self.action, EventDateTime=self.time)
        event.set("EventOutcomeIndicator", str(self.outcome))
        _add_code(event, "EventID", self.event)
        if self.type:
            _add_code(event, "EventTypeCode", self.type)
        if self.said:
            SubElement(event, "EventOutcomeDescription").text = _text(self.said)
        for participant in self.participants:
            participant.add_to(message)
        identification = SubElement(message, "AuditSourceIdentification", AuditSourceID=_text(source))
        SubElement(identification, "AuditSourceTypeCode").set("csd-code", _APPLICATION_SERVER)
        for subject in self.subjects:
            subject.add_to(message)
        return bytes(tostring(message, encoding="utf-8", xml_declaration=True))


def _add_code(parent: Element, name: str, code: Code) -> None:
    attributes = {"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning}
    SubElement(parent, name, attributes)


def _is_address(place: str) -> bool:
    try:
        ipaddress.ip_address(place)
    except ValueError:
        return False
    return True


def _text(said: str) -> str:
    """A stranger has chosen his AE title and what stands in his certificate."""
    return _NOT_IN_XML.sub("?", said)[:_LONGEST]


def _base64(said: str) -> str:
    return base64.b64encode(said.encode("utf-8", "replace")).decode("ascii")
