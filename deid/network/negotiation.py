"""A-ASSOCIATE PDUs (PS3.8 9.3.2-9.3.4, PS3.7 Annex D.3): what is proposed, what is accepted, and their bytes.

Decoding is ours because everybody who reaches the port decides over these bytes: each length is checked against what
is there, and whatever is wrong with them ends as Malformed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from deid.network.pdu import ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, HEADER, Ended, Malformed
from deid.part10.encoding import IMPLICIT_SYNTAX
from deid.part10.target import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 3, 4
REJECTED_PERMANENT, REJECTED_TRANSIENT = 1, 2
MOST_CONTEXTS: Final = 128  # odd numbers of one byte
LEAST_PDU: Final = 1 << 10
"""A peer that takes less at a time would have us make millions of fragments; the smallest in use is 4 kB."""

_VERSION: Final = 1
_FIXED: Final = Struct(">HH16s16s32x")  # protocol version, reserved, called and calling AE title, reserved
_ITEM: Final = Struct(">BxH")
_SHORT: Final = Struct(">H")
_LONG: Final = Struct(">I")
_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)
_AE_TITLE: Final = re.compile(rb"[ -\[\]-~]{16}")  # PS3.5 6.2: no backslash, no control characters


class Proposal(NamedTuple):
    """A presentation context as it is asked for. What is no UID has become ""."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


class Context(NamedTuple):
    """A presentation context as it was accepted."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


class Role(NamedTuple):
    """SCP/SCU Role Selection (PS3.7 D.3.3.4): what the requestor of the association may be."""

    abstract_syntax: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """User Identity Negotiation (PS3.7 D.3.3.7): kind 1 is a user name, 2 with a passcode, others are tokens."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    wants_response: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """An association as it is asked for, and from where; `certificate` is DER, None without TLS."""

    calling: str
    called: str
    proposals: Mapping[int, Proposal]  # by presentation context ID
    roles: tuple[Role, ...] = ()
    identity: Identity | None = None
    most: int = 0  # bytes of a P-DATA PDU that the peer takes; 0 is without limit
    implementation_class: str = ""
    implementation_version: str = ""
    address: str = ""
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Yes, with these transfer syntaxes by presentation context ID; the other contexts are refused."""

    transfer_syntaxes: Mapping[int, str]
    because: Mapping[int, int] = field(default_factory=dict)  # result of a refused one: 3 unless it stands here
    roles: tuple[Role, ...] = ()
    identity_response: bytes | None = None  # None: the user was not asked for, or no response is wanted


class Refusal(NamedTuple):
    """No: result, source and reason of A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int

    def __str__(self) -> str:
        kind = {REJECTED_PERMANENT: "permanently", REJECTED_TRANSIENT: "for now"}.get(self.result, "")
        return f"refused {kind}: {_REASONS.get(self[1:], 'for no reason of the standard')}"


NO_REASON: Final = Refusal(REJECTED_PERMANENT, 1, 1)
APPLICATION_CONTEXT_NOT_SUPPORTED: Final = Refusal(REJECTED_PERMANENT, 1, 2)
CALLING_NOT_RECOGNIZED: Final = Refusal(REJECTED_PERMANENT, 1, 3)
CALLED_NOT_RECOGNIZED: Final = Refusal(REJECTED_PERMANENT, 1, 7)
VERSION_NOT_SUPPORTED: Final = Refusal(REJECTED_PERMANENT, 2, 2)
CONGESTION: Final = Refusal(REJECTED_TRANSIENT, 3, 1)
LIMIT_EXCEEDED: Final = Refusal(REJECTED_TRANSIENT, 3, 2)
_REASONS: Final[Mapping[tuple[int, ...], str]] = {
    (1, 1): "no reason given",
    (1, 2): "the application context is not supported",
    (1, 3): "the calling AE title is not recognized",
    (1, 7): "the called AE title is not recognized",
    (2, 1): "no reason given",
    (2, 2): "the protocol version is not supported",
    (3, 1): "temporary congestion",
    (3, 2): "a local limit is exceeded",
}


class Refused(Ended):
    """The association was not accepted; `refusal` says by whom and why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the association was {refusal}")
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Accepted:
    """A-ASSOCIATE-AC as it came back."""

    contexts: Mapping[int, Context]
    roles: tuple[Role, ...]
    identity_response: bytes | None
    most: int
    implementation_class: str
    implementation_version: str


def encode_request(request: Request, most: int) -> bytes:
    """A-ASSOCIATE-RQ. `most` is what we take in one P-DATA PDU."""
    contexts = b"".join(
        _item(0x20, bytes((number, 0, 0, 0)) + _uid_item(0x30, asked.abstract_syntax) + _uid_items(0x40, asked[1]))
        for number, asked in request.proposals.items()
    )
    identity = b""
    if user := request.identity:
        fields = bytes((user.kind, user.wants_response)) + _counted(user.primary) + _counted(user.secondary)
        identity = _item(0x58, fields)
    return _associate(ASSOCIATE_RQ, request, contexts, _user_information(most, request.roles) + identity)


def encode_acceptance(request: Request, acceptance: Acceptance, most: int) -> bytes:
    """A-ASSOCIATE-AC: every proposed context gets its result (PS3.8 9.3.3.2)."""
    contexts = b""
    for number in request.proposals:
        chosen = acceptance.transfer_syntaxes.get(number)
        result = 0 if chosen is not None else acceptance.because.get(number, ABSTRACT_SYNTAX_NOT_SUPPORTED)
        # The transfer syntax of a refused context is not significant, but must be there.
        syntax = chosen or IMPLICIT_SYNTAX
        contexts += _item(0x21, bytes((number, 0, result, 0)) + _uid_item(0x40, syntax))
    identity = b""
    if acceptance.identity_response is not None and request.identity and request.identity.wants_response:
        identity = _item(0x59, _counted(acceptance.identity_response))
    return _associate(ASSOCIATE_AC, request, contexts, _user_information(most, acceptance.roles) + identity)


def encode_refusal(refusal: Refusal) -> bytes:
    """A-ASSOCIATE-RJ."""
    return HEADER.pack(ASSOCIATE_RJ, 4) + bytes((0, *refusal))


def decode_request(content: memoryview) -> Request | Refusal:
    """What is asked for in an A-ASSOCIATE-RQ, or why nobody need look closer. Raises Malformed."""
    if len(content) < _FIXED.size:
        raise Malformed("an A-ASSOCIATE-RQ is too short")
    version, _, called, calling = _FIXED.unpack_from(content)
    if not version & _VERSION:
        return VERSION_NOT_SUPPORTED
    proposals: dict[int, Proposal] = {}
    application_context, user = "", _UserInformation()
    for kind, value in _items(content[_FIXED.size :]):
        if kind == 0x10:
            application_context = _uid(value)
        elif kind == 0x20:
            number, proposal = _proposal(value)
            if not number % 2 or number in proposals:
                raise Malformed("a presentation context has a number that it may not have")
            proposals[number] = proposal
        elif kind == 0x50:
            user = _decode_user_information(value)
    if application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NOT_SUPPORTED
    return Request(
        calling=_ae_title(calling),
        called=_ae_title(called),
        proposals=proposals,
        roles=tuple(user.roles),
        identity=user.identity,
        most=user.most,
        implementation_class=user.implementation_class,
        implementation_version=user.implementation_version,
    )


def decode_acceptance(content: memoryview, request: Request) -> Accepted:
    """What became of the request. Raises Malformed, also where more was accepted than proposed."""
    if len(content) < _FIXED.size:
        raise Malformed("an A-ASSOCIATE-AC is too short")
    contexts: dict[int, Context] = {}
    user = _UserInformation()
    for kind, value in _items(content[_FIXED.size :]):
        if kind == 0x21:
            context = _accepted_context(value, request)
            if context is not None:
                contexts[context.id] = context
        elif kind == 0x50:
            user = _decode_user_information(value)
    return Accepted(
        contexts,
        tuple(user.roles),
        user.identity_response,
        user.most,
        user.implementation_class,
        user.implementation_version,
    )


def decode_refusal(content: memoryview) -> Refusal:
    """Why an association was refused."""
    return Refusal(*content[1:4])


@dataclass(slots=True)
class _UserInformation:
    roles: list[Role] = field(default_factory=list)
    identity: Identity | None = None
    identity_response: bytes | None = None
    most: int = 0
    implementation_class: str = ""
    implementation_version: str = ""


def _decode_user_information(content: memoryview) -> _UserInformation:
    """PS3.7 D.3.3. Items that mean nothing to us are passed over (PS3.8 9.3.1)."""
    user = _UserInformation()
    for kind, value in _items(content):
        if kind == 0x51:
            user.most = _unpack(_LONG, value, 0)
            if 0 < user.most < LEAST_PDU:
                raise Malformed(f"the peer takes less than {LEAST_PDU} bytes in a PDU")
        elif kind == 0x52:
            user.implementation_class = _uid(value)
        elif kind == 0x54:
            name, rest = _take(value, 0)
            flags = bytes(value[rest : rest + 2])
            if len(flags) < 2:
                raise Malformed("a role selection is too short")
            user.roles.append(Role(_uid(name), bool(flags[0]), bool(flags[1])))
        elif kind == 0x55:
            text = bytes(value[:16]).decode("latin-1").strip()
            user.implementation_version = text if text.isascii() and text.isprintable() else ""
        elif kind == 0x58:
            user.identity = _identity(value)
        elif kind == 0x59:
            user.identity_response = bytes(_take(value, 0)[0])
    return user


def _identity(value: memoryview) -> Identity:
    if len(value) < 2:
        raise Malformed("a user identity is too short")
    primary, rest = _take(value, 2)
    secondary, _ = _take(value, rest)
    return Identity(value[0], bytes(primary), bytes(secondary), bool(value[1]))


def _proposal(value: memoryview) -> tuple[int, Proposal]:
    if len(value) < 4:
        raise Malformed("a presentation context is too short")
    abstract_syntax, transfer_syntaxes = "", []
    for kind, name in _items(value[4:]):
        if kind == 0x30:
            abstract_syntax = _uid(name)
        elif kind == 0x40 and (syntax := _uid(name)):
            transfer_syntaxes.append(syntax)
    return value[0], Proposal(abstract_syntax, tuple(transfer_syntaxes))


def _accepted_context(value: memoryview, request: Request) -> Context | None:
    if len(value) < 4:
        raise Malformed("a presentation context is too short")
    number, result = value[0], value[2]
    asked = request.proposals.get(number)
    if asked is None:
        raise Malformed("the peer answers a presentation context that was not proposed")
    if result:
        return None
    syntax = next((_uid(name) for kind, name in _items(value[4:]) if kind == 0x40), "")
    if syntax not in asked.transfer_syntaxes:
        raise Malformed("the peer accepts a transfer syntax that was not proposed")
    return Context(number, asked.abstract_syntax, syntax)


def _items(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(content):
        if at + _ITEM.size > len(content):
            raise Malformed("an item ends inside its header")
        kind, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size
        if at + length > len(content):
            raise Malformed("an item is longer than what it stands in")
        yield kind, content[at : at + length]
        at += length


def _take(value: memoryview, at: int) -> tuple[memoryview, int]:
    """A field behind its 16-bit length, and where the next one begins."""
    length = _unpack(_SHORT, value, at)
    at += _SHORT.size
    if at + length > len(value):
        raise Malformed("a field is longer than the item that it stands in")
    return value[at : at + length], at + length


def _unpack(form: Struct, value: memoryview, at: int) -> int:
    if at + form.size > len(value):
        raise Malformed("an item is too short for what it holds")
    number: int = form.unpack_from(value, at)[0]
    return number


def _uid(value: memoryview) -> str:
    """The UID, or "" for what is none: it goes into logs and records."""
    text = bytes(value[:128]).decode("latin-1").strip(" \0")  # padding is not allowed here, and seen
    return text if _UID.fullmatch(text) else ""


def _ae_title(value: bytes) -> str:
    value = value.replace(b"\0", b" ")  # not allowed, and seen
    if not _AE_TITLE.fullmatch(value):
        raise Malformed("an AE title holds characters that it may not hold")
    return value.decode("ascii").strip(" ")


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _counted(value: bytes) -> bytes:
    return _SHORT.pack(len(value)) + value


def _uid_item(kind: int, uid: str) -> bytes:
    return _item(kind, uid.encode("ascii"))


def _uid_items(kind: int, uids: Sequence[str]) -> bytes:
    return b"".join(_uid_item(kind, uid) for uid in uids)


def _user_information(most: int, roles: Sequence[Role]) -> bytes:
    return (
        _item(0x51, _LONG.pack(most))
        + _uid_item(0x52, IMPLEMENTATION_CLASS_UID)
        + b"".join(_item(0x54, _counted(role[0].encode("ascii")) + bytes(role[1:])) for role in roles)
        + _item(0x55, IMPLEMENTATION_VERSION.encode("ascii"))
    )


def _associate(kind: int, request: Request, contexts: bytes, user_information: bytes) -> bytes:
    titles = (title.encode("ascii").ljust(16) for title in (request.called, request.calling))
    content = (
        _FIXED.pack(_VERSION, 0, *titles)
        + _uid_item(0x10, APPLICATION_CONTEXT)
        + contexts
        + _item(0x50, user_information)
    )
    return HEADER.pack(kind, len(content)) + content
