"""Networking: which SOP classes and transfer syntaxes are spoken, and how associations are asked for and answered."""

from __future__ import annotations

from typing import Final

from deid.conformance.markdown import table
from deid.forward.scu import ECHO, Destination
from deid.network import commitment, status
from deid.network.associate import APPLICATION_CONTEXT, LEAST_PDU
from deid.network.contexts import FALL_BACK, LOSSLESS, SERVICES, is_storage, is_understood
from deid.network.negotiation import MOST_CONTEXTS, REFUSALS
from deid.network.pdu import Limits
from deid.network.status import EXACT, RANGES, Kind
from deid.part10.target import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from deid.receive.commitment import PATIENCE, REASONS
from deid.settings.keys import LIMITS
from deid.standard.uids import name_of, registered
from deid.store import requests
from deid.store.standing import Standing

STORED: Final = {
    status.SUCCESS: "the object is on the disk; also where it had been received before",
    status.OUT_OF_RESOURCES: "there is no room, or it cannot be kept for now",
    status.DATA_SET_MISMATCH: "the data set is not the object that the command names",
    status.CANNOT_UNDERSTAND: "there is no data set",
    status.INVALID_OBJECT_INSTANCE: "the SOP Instance UID is no UID",
    status.SOP_CLASS_NOT_SUPPORTED: "the SOP class is not that of the presentation context, or not one that is stored",
    status.UNRECOGNIZED_OPERATION: "the command is none of the services of the SCP",
}
"""What a peer is answered that stores an object."""

NOT_COMMITTED: Final = {
    Standing.UNKNOWN: "this peer has not sent the object",
    Standing.OTHER_CLASS: "this peer has sent it as another SOP class",
    Standing.NOT_SAFE: "it is held, unreadable or discarded, or a destination refuses it or never gets it",
    Standing.PENDING: f"it is still on its way {PATIENCE / 3600:.0f} hours after the request",
}

_NEXT: Final = {
    Kind.SUCCESS: "the object counts as stored",
    Kind.WARNING: "the object counts as stored",
    Kind.PERMANENT: "it is not sent again: a person decides",
    Kind.TRANSIENT: "the gateway sends it again later",
}


def networking() -> str:
    """The section."""
    parts = (
        _entities,
        _sop_classes,
        _transfer_syntaxes,
        _policies,
        _refusals,
        _negotiation,
        _storage,
        _storage_commitment,
    )
    return "\n\n".join(["## 2 Networking", *(part() for part in parts)])


def _entities() -> str:
    return (
        "### 2.1 Application entities\n\n"
        "The gateway (`deid serve`) is one application entity. It receives objects from peers, de-identifies them and"
        " forwards the results. Its AE title, its ports, its peers and its destinations are those of its settings file;"
        " nobody else is let in. `deid send` and `deid echo` are SCU for Storage and Verification; they send files as"
        f" they are, and call themselves {Destination.__dataclass_fields__['calling'].default} unless told otherwise."
    )


def _sop_classes() -> str:
    rows = [(name_of(uid) or "retired, without a name", uid, "yes", "yes") for uid in (*SERVICES, *storage_classes())]
    return (
        "### 2.2 SOP classes\n\n"
        + table(("SOP class", "UID", "SCU", "SCP"), rows)
        + "\n\nStorage SOP classes that the standard has gained since are stored and sent as well: they are known by"
        " their UIDs. Private SOP classes are stored from peers whose settings name them (`private_sop_classes`)."
    )


def storage_classes() -> list[str]:
    """The Storage SOP classes of PS3.6."""
    return sorted((uid for uid in registered() if is_storage(uid)), key=_in_order)


def transfer_syntaxes() -> list[str]:
    """The transfer syntaxes of PS3.6 in which objects are stored and sent."""
    return sorted((uid for uid in registered() if is_understood(uid)), key=_in_order)


def _in_order(uid: str) -> list[int]:
    return [int(number) for number in uid.split(".")]


def _transfer_syntaxes() -> str:
    columns = (
        transfer_syntaxes(),  # Storage SCP
        transfer_syntaxes(),  # Storage SCU
        FALL_BACK,  # Verification SCP
        ECHO.transfer_syntaxes,  # Verification SCU
        FALL_BACK,  # Storage Commitment SCP
        commitment.PROPOSAL.transfer_syntaxes,  # Storage Commitment SCU
    )
    rows = ((name_of(uid), uid, *("yes" if uid in each else "" for each in columns)) for uid in transfer_syntaxes())
    services = (f"{service} {role}" for service in ("Storage", "Verification", "Commitment") for role in ("SCP", "SCU"))
    return (
        "### 2.3 Transfer syntaxes\n\n"
        + table(("Transfer syntax", "UID", *services), rows)
        + "\n\nOf several transfer syntaxes in one presentation context the first of its proposer's that stands here is"
        " accepted. Objects are stored as they are sent. To be stored is not to be released: an object that cannot be"
        " decoded where that is needed is held for a person.\n\n"
        "As SCU, each object is proposed in its own transfer syntax, and with it, each in a presentation context of"
        f" its own, in {' and '.join(map(name_of, FALL_BACK))}, and as far as there is room for more contexts in"
        f" {', '.join(map(name_of, LOSSLESS))}. Where its own is refused, the first of these that is accepted is"
        " used: the object is decoded, or compressed without loss, and keeps its SOP Instance UID. No value is lost."
    )


def _policies() -> str:
    limits = Limits()
    stated = (
        ("Application context", APPLICATION_CONTEXT),
        ("Implementation Class UID", IMPLEMENTATION_CLASS_UID),
        ("Implementation Version Name", IMPLEMENTATION_VERSION),
        ("Presentation contexts proposed, at most", MOST_CONTEXTS),
        ("Maximum PDU length received as SCU", limits.pdu),
        ("Smallest maximum PDU length of a peer", LEAST_PDU),
        ("Asynchronous operations", "not negotiated: one operation at a time"),
        ("Seconds to ask for an association, to answer, to release", f"{limits.setup:.0f}"),
        ("Seconds for an answer to C-STORE as SCU", f"{Destination.__dataclass_fields__['answer'].default:.0f}"),
        ("Seconds for one message, at most", f"{limits.message:.0f}"),
        ("Seconds for an association that was accepted, at most", f"{limits.whole:.0f}"),
    )
    configured = (
        (name, key["description"], key["default"], f"{key['minimum']} to {key['maximum']}")
        for name, key in LIMITS.schema()["properties"].items()
    )
    return (
        "### 2.4 Association policies\n\n"
        + table(("Property", "Value"), stated)
        + "\n\nWhat the settings of the gateway may change (`limits`):\n\n"
        + table(("Setting", "Meaning", "Default", "Range"), configured)
        + "\n\nAs SCU the gateway associates when objects wait for a destination, when a destination is to be asked for"
        " Storage Commitment, and when a peer is to be told the result of its request. An association that fails is"
        " asked for again after growing pauses.\n\n"
        "As SCP the gateway accepts an association from a calling AE title of its settings that shows the certificate,"
        " or comes from the address, that belongs to this AE title, and calls the gateway by its own AE title or by"
        " one that a rule of its settings names."
    )


def _refusals() -> str:
    rows = (("/".join(map(str, refusal)), str(refusal)) for refusal in REFUSALS)
    return "Associations that are refused:\n\n" + table(("Result/source/reason (PS3.8 9.3.4)", "Meaning"), rows)


def _negotiation() -> str:
    roles = (
        ("SCP/SCU Role Selection (PS3.7 D.3.3.4)", "yes: for results of Storage Commitment; elsewhere SCU alone"),
        (
            "User Identity (PS3.7 D.3.3.7) as SCP",
            "type 2, user name and passcode; an empty response where one is asked",
        ),
        ("User Identity as SCU", "no"),
        ("SOP Class Extended and Common Extended Negotiation", "no; passed over"),
        ("Asynchronous Operations Window", "no; passed over"),
    )
    return "### 2.5 Extended negotiation\n\n" + table(("Negotiation", "Supported"), roles)


def _storage() -> str:
    answered = ((f"{code:04X}", status.judge(code).meaning, when) for code, when in STORED.items())
    judged = [(f"{code:04X}", meaning, _NEXT[kind]) for code, (kind, meaning) in EXACT.items()]
    judged += [(f"{first:04X} to {last:04X}", meaning, _NEXT[kind]) for first, last, kind, meaning in RANGES]
    return (
        "### 2.6 Storage and Verification\n\n"
        "Nothing can be retrieved from the gateway. A destination gets the attributes that the confidentiality profile"
        " leaves (section 5); no other level of support is claimed (PS3.4 B.4.1). C-ECHO is answered with success.\n\n"
        "What C-STORE is answered as SCP:\n\n"
        + table(("Answer", "Meaning", "When"), answered)
        + "\n\nWhat an answer to C-STORE means as SCU. The first row that fits counts; all other statuses are"
        " permanent failures:\n\n"
        + table(("Status", "Meaning", "What happens next"), sorted(judged[: len(EXACT)]) + judged[len(EXACT) :])
    )


def _storage_commitment() -> str:
    rows = (
        (f"{reason:04X}", status.judge(reason).meaning, NOT_COMMITTED[standing]) for standing, reason in REASONS.items()
    )
    return (
        "### 2.7 Storage Commitment Push Model\n\n"
        "As SCP: a request (N-ACTION, action type 1) is safe before it is answered. One of more than"
        f" {commitment.MOST_BYTES >> 20} MB, and one of a peer of which {requests.MOST} or {requests.MOST_BYTES >> 20}"
        f" MB wait, is answered {status.RESOURCE_LIMITATION:04X} (resource limitation). Its objects are committed when"
        " every destination of their route has them, and has said that it keeps them where it is asked. The gateway"
        " is no archive: from then on the object may exist de-identified only. The result (N-EVENT-REPORT, event type"
        " 1, or 2 with failures) goes over an association of ours to peers whose settings say where, else over one of"
        " the peer's. Failure reasons:\n\n"
        + table(("Failure Reason (0008,1197)", "Meaning", "When"), rows)
        + "\n\nAs SCU: a destination whose settings say so (`commitment`) is asked for what it was sent, and may answer"
        " over the association of the request or over one of its own. What it does not keep is sent again."
    )
