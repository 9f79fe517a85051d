"""Which audit messages (PS3.15 A.5.3) the lines of the audit trail become: one for all that happened alike.

Nothing in them identifies a patient. The tables ask for a study and a patient (DICOM Instances Accessed and
Transferred), for patients (Export), and for the query itself (Query):

* Of objects that were released the new Study Instance UID and the new Patient ID are told, if both were replaced. The
  patient's name is said to be de-identified.
* Of all others the same elements say that it is withheld. So a message about receipts names no patient where A.5.3.7
  says that it "may only include information about a single patient".
* What a person gives as a reason, and what he looked up, stays in the trail: he may have named a patient.

A destination is a node "between two Application Entities" (A.5.3.7), which need not be within the security domain. The
crosswalk that is written to a folder is an Export, "data is leaving control of the system's security domain" (A.5.3.4).
A look-up in it is a Query: A.5.3.10 records that one was issued, and not what was answered.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.gateway import audit_message as a
from deid.gateway.audit_group import WITHHELD, Identity, grouped
from deid.gateway.audit_message import Message, Participant, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deid.gateway.audit_group import Group
    from deid.store.audit import Line

# No room now alarms nobody: the result of A-ASSOCIATE-RJ (PS3.8 Table 9-21), and 503 of HTTP.
_TRANSIENT: Final = ("2/", "503")

# Of the message about objects that were worked at: the action, the outcome, and the stage in their life.
_ENDS: Final = {
    "released": ("C", a.SUCCESS, a.DE_IDENTIFICATION),
    "duplicate": ("R", a.SUCCESS, 0),
    "held": ("R", a.SERIOUS_FAILURE, 0),
    "unreadable": ("R", a.SERIOUS_FAILURE, 0),
    "set aside": ("R", a.SERIOUS_FAILURE, 0),
    "release": ("U", a.SUCCESS, 0),
    "release refused": ("U", a.SERIOUS_FAILURE, 0),
    "retry": ("U", a.SUCCESS, 0),
    "retry refused": ("U", a.SERIOUS_FAILURE, 0),
    "discard": ("D", a.SUCCESS, a.LOGICAL_DELETION),
    "discard refused": ("D", a.SERIOUS_FAILURE, a.LOGICAL_DELETION),
}
_BY_A_PERSON: Final = frozenset({"release", "release refused", "retry", "retry refused", "discard", "discard refused"})
# A.5.3.7, EventActionCode: C where we "did not hold copies", R where we do and "no changes are needed".
_RECEIVED: Final = {"duplicate": "R"}


@dataclass(frozen=True, slots=True)
class Ours:
    """What a message says of this gateway."""

    ae_title: str
    destinations: Mapping[str, Participant]  # by name
    machine: str = field(default_factory=socket.gethostname)


def messages(lines: Iterable[Line], identities: Mapping[int, Identity], ours: Ours) -> list[Message]:
    """What a repository is told of these lines; `identities` of tickets that were released."""
    return [message for group in grouped(lines, identities) for message in _messages(group, ours)]


def _messages(group: Group, ours: Ours) -> list[Message]:
    make = _MAKERS.get(group.event)
    return make(group, ours) if make else []


def _activity(group: Group, ours: Ours) -> list[Message]:
    kind = a.APPLICATION_START if group.event == "started" else a.APPLICATION_STOP
    return [Message(a.APPLICATION_ACTIVITY, "E", group.time, (_we(ours, a.APPLICATION),), type=kind)]


def _received(group: Group, ours: Ours) -> list[Message]:
    peer = group.said("peer")
    there = Participant(peer or "unknown", a.SOURCE, ae_title=peer, requests=True)
    action = _RECEIVED.get(group.said("state"), "C")
    parties = there, _we(ours, a.DESTINATION)
    return [Message(a.INSTANCES_TRANSFERRED, action, group.time, parties, _objects(group))]


def _delivered(group: Group, ours: Ours) -> list[Message]:
    there = _destination(group, ours)
    outcome = a.SUCCESS if group.event == "delivered" else a.SERIOUS_FAILURE
    parties = _we(ours, a.SOURCE, requests=True), there
    # R: "if the Audit Source is either not the receiver, or otherwise does not know" (A.5.3.7).
    return [
        Message(
            a.INSTANCES_TRANSFERRED,
            "R",
            group.time,
            parties,
            _objects(group),
            outcome=outcome,
            said=group.said("reason"),
        )
    ]


def _accessed(group: Group, ours: Ours) -> list[Message]:
    action, outcome, life_cycle = _ENDS[group.event]
    by_a_person = group.event in _BY_A_PERSON
    parties = (_person(group, ours), _we(ours)) if by_a_person else (_we(ours, requests=True),)
    said = "" if by_a_person else group.said("reason")
    objects = _objects(group, life_cycle)
    return [Message(a.INSTANCES_ACCESSED, action, group.time, parties, objects, outcome=outcome, said=said)]


def _committed(group: Group, ours: Ours) -> list[Message]:
    """What was committed and what was not are two messages: no message has mixed results (A.5.2)."""
    peer = group.said("peer")
    parties = Participant(peer, ae_title=peer, requests=True), _we(ours)
    told = (("committed", a.SUCCESS), ("failed", a.MINOR_FAILURE))
    return [
        Message(
            a.INSTANCES_ACCESSED,
            "R",
            group.time,
            parties,
            (_study(Identity(), (("instances", str(count)),)), _patient(Identity())),
            outcome=outcome,
            said=f"Storage Commitment: {what}",
        )
        for what, outcome in told
        if (count := int(group.fields.get(what, 0)))
    ]


def _in_custody(group: Group, ours: Ours) -> list[Message]:
    """A destination has committed to what it was sent, or has not."""
    outcome = a.SUCCESS if group.event == "committed" else a.MINOR_FAILURE
    parties = _destination(group, ours), _we(ours, requests=True)
    said = f"Storage Commitment: {group.event}"
    return [Message(a.INSTANCES_ACCESSED, "R", group.time, parties, _objects(group), outcome=outcome, said=said)]


def _refused(group: Group, ours: Ours) -> list[Message]:
    if group.said("refusal").startswith(_TRANSIENT):
        return []
    address, calling = group.said("address"), group.said("calling")
    described = ", ".join(f"{name}: {value}" for name, value in group.fields.items() if value != "")
    node = Subject(
        a.NODE_ID,
        address or "various",
        a.SYSTEM_OBJECT,
        a.SECURITY_RESOURCE,
        name=calling or address or "various",
        details=(("Alert Description", f"{group.event}: {described}"),),
    )
    # A network is neither an address nor a machine, of which one has to be the place (A.5.2).
    place = "" if "/" in address else address
    there = Participant(calling or address or "various", ae_title=calling, place=place)
    return [
        Message(
            a.SECURITY_ALERT,
            "E",
            group.time,
            (_we(ours), there),
            (node,),
            outcome=a.MINOR_FAILURE,  # "mitigation efforts were effective" (A.5.3.11)
            said=group.said("reason"),
            type=a.NODE_AUTHENTICATION,
        )
    ]


def _exported(group: Group, ours: Ours) -> list[Message]:
    # The path may name somebody, so that the machine stands for the folder.
    media = Participant("a folder", a.DESTINATION_MEDIA, place=ours.machine)
    parties = _person(group, ours, a.SOURCE), _we(ours, a.SOURCE), media
    return [Message(a.EXPORT, "R", group.time, parties, (_patient(Identity()),), said="the crosswalk")]


def _looked_up(group: Group, ours: Ours) -> list[Message]:
    query = Subject(
        a.SEARCH_CRITERIA,
        "crosswalk",
        a.SYSTEM_OBJECT,
        a.REPORT,
        query=f"{WITHHELD}; its keyed hash: {group.said('value')}",
    )
    parties = _person(group, ours, a.SOURCE), _we(ours, a.DESTINATION)
    return [Message(a.QUERY, "E", group.time, parties, (query,))]


def _destination(group: Group, ours: Ours) -> Participant:
    name = group.said("destination")
    return ours.destinations.get(name) or Participant(name, a.DESTINATION)


def _we(ours: Ours, role: a.Code | None = None, *, requests: bool = False) -> Participant:
    return Participant(ours.ae_title, role, ae_title=ours.ae_title, requests=requests, place=ours.machine)


def _person(group: Group, ours: Ours, role: a.Code | None = None) -> Participant:
    user = group.said("user") or "unknown"
    return Participant(f"{user}@{ours.machine}", role, requests=True)  # A.5.2.1: login name and domain


def _objects(group: Group, life_cycle: int = 0) -> tuple[Subject, Subject]:
    tickets = (("tickets", group.ranges()),) if group.tickets else ()
    details = (("instances", str(group.count)), *tickets)
    return _study(group.identity, details, life_cycle), _patient(group.identity)


def _study(identity: Identity, details: tuple[tuple[str, str], ...], life_cycle: int = 0) -> Subject:
    known = identity.study != WITHHELD
    return Subject(
        a.STUDY_INSTANCE_UID,
        identity.study,
        a.SYSTEM_OBJECT,
        a.REPORT,
        name="de-identified" if known else "withheld: original UIDs identify a patient",
        life_cycle=life_cycle,
        details=details,
    )


def _patient(identity: Identity) -> Subject:
    name = WITHHELD if identity.patient == WITHHELD else "de-identified"
    return Subject(a.PATIENT_NUMBER, identity.patient, a.PERSON, a.PATIENT, name=name)


_MAKERS: Final[Mapping[str, Callable[[Group, Ours], list[Message]]]] = {
    "started": _activity,
    "stopped": _activity,
    "received": _received,
    "delivered": _delivered,
    "delivery failed": _delivered,
    "committed": _in_custody,
    "not committed": _in_custody,
    "commitment told": _committed,
    "connection refused": _refused,
    "association refused": _refused,
    "request refused": _refused,
    "crosswalk export": _exported,
    "crosswalk lookup": _looked_up,
    **dict.fromkeys(_ENDS, _accessed),
}
