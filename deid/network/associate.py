"""A-ASSOCIATE PDUs as bytes (PS3.8 9.3.2-9.3.4, PS3.7 Annex D.3).

Decoding is ours because everybody who reaches the port decides over these bytes: each length is checked against what
is there, and whatever is wrong with them ends as Malformed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from deid.network.items import LONG, counted, item, items, take, uid, uid_item, uid_items, unpack
from deid.network.negotiation import (
    ABSTRACT_SYNTAX_NOT_SUPPORTED,
    APPLICATION_CONTEXT_NOT_SUPPORTED,
    VERSION_NOT_SUPPORTED,
    Acceptance,
    Context,
    Identity,
    Proposal,
    Refusal,
    Request,
    Role,
)
from deid.network.pdu import ASSOCIATE_AC, ASSOCIATE_RJ, ASSOCIATE_RQ, HEADER, Malformed
from deid.part10.encoding import IMPLICIT_SYNTAX
from deid.part10.target import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
LEAST_PDU: Final = 1 << 10
"""A peer that takes less at a time would have us make millions of fragments; the smallest in use is 4 kB."""

_VERSION: Final = 1
_FIXED: Final = Struct(">HH16s16s32x")  # protocol version, reserved, called and calling AE title, reserved
_AE_TITLE: Final = re.compile(rb"[ -\[\]-~]{16}")  # PS3.5 6.2: no backslash, no control characters


@dataclass(frozen=True, slots=True)
class Accepted:
    """A-ASSOCIATE-AC as it came back."""

    contexts: Mapping[int, Context]
    because: Mapping[int, int]  # results of those that were refused
    roles: tuple[Role, ...]
    identity_response: bytes | None
    most: int
    implementation_class: str
    implementation_version: str


def encode_request(request: Request, most: int) -> bytes:
    """A-ASSOCIATE-RQ. `most` is what we take in one P-DATA PDU."""
    contexts = b"".join(
        item(0x20, bytes((number, 0, 0, 0)) + uid_item(0x30, asked.abstract_syntax) + uid_items(0x40, asked[1]))
        for number, asked in request.proposals.items()
    )
    identity = b""
    if user := request.identity:
        fields = bytes((user.kind, user.wants_response)) + counted(user.primary) + counted(user.secondary)
        identity = item(0x58, fields)
    return _associate(ASSOCIATE_RQ, request, contexts, _user_information(most, request.roles) + identity)


def encode_acceptance(request: Request, acceptance: Acceptance, most: int) -> bytes:
    """A-ASSOCIATE-AC: every proposed context gets its result (PS3.8 9.3.3.2)."""
    contexts = b""
    for number in request.proposals:
        chosen = acceptance.transfer_syntaxes.get(number)
        result = 0 if chosen is not None else acceptance.because.get(number, ABSTRACT_SYNTAX_NOT_SUPPORTED)
        # The transfer syntax of a refused context is not significant, but must be there.
        syntax = chosen or IMPLICIT_SYNTAX
        contexts += item(0x21, bytes((number, 0, result, 0)) + uid_item(0x40, syntax))
    identity = b""
    if acceptance.identity_response is not None and request.identity and request.identity.wants_response:
        identity = item(0x59, counted(acceptance.identity_response))
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
    for kind, value in items(content[_FIXED.size :]):
        if kind == 0x10:
            application_context = uid(value)
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
    because: dict[int, int] = {}
    user = _UserInformation()
    for kind, value in items(content[_FIXED.size :]):
        if kind == 0x21:
            context = _answered_context(value, request)
            if isinstance(context, Context):
                contexts[context.id] = context
            else:
                because[value[0]] = context
        elif kind == 0x50:
            user = _decode_user_information(value)
    return Accepted(
        contexts,
        because,
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
    for kind, value in items(content):
        if kind == 0x51:
            user.most = unpack(LONG, value, 0)
            if 0 < user.most < LEAST_PDU:
                raise Malformed(f"the peer takes less than {LEAST_PDU} bytes in a PDU")
        elif kind == 0x52:
            user.implementation_class = uid(value)
        elif kind == 0x54:
            name, rest = take(value, 0)
            flags = bytes(value[rest : rest + 2])
            if len(flags) < 2:
                raise Malformed("a role selection is too short")
            user.roles.append(Role(uid(name), bool(flags[0]), bool(flags[1])))
        elif kind == 0x55:
            text = bytes(value[:16]).decode("latin-1").strip()
            user.implementation_version = text if text.isascii() and text.isprintable() else ""
        elif kind == 0x58:
            user.identity = _identity(value)
        elif kind == 0x59:
            user.identity_response = bytes(take(value, 0)[0])
    return user


def _identity(value: memoryview) -> Identity:
    if len(value) < 2:
        raise Malformed("a user identity is too short")
    primary, rest = take(value, 2)
    secondary, _ = take(value, rest)
    return Identity(value[0], bytes(primary), bytes(secondary), bool(value[1]))


def _proposal(value: memoryview) -> tuple[int, Proposal]:
    if len(value) < 4:
        raise Malformed("a presentation context is too short")
    abstract_syntax, transfer_syntaxes = "", []
    for kind, name in items(value[4:]):
        if kind == 0x30:
            abstract_syntax = uid(name)
        elif kind == 0x40 and (syntax := uid(name)):
            transfer_syntaxes.append(syntax)
    return value[0], Proposal(abstract_syntax, tuple(transfer_syntaxes))


def _answered_context(value: memoryview, request: Request) -> Context | int:
    """The context, or the result with which it was refused."""
    if len(value) < 4:
        raise Malformed("a presentation context is too short")
    number, result = value[0], value[2]
    asked = request.proposals.get(number)
    if asked is None:
        raise Malformed("the peer answers a presentation context that was not proposed")
    if result:
        return result
    syntax = next((uid(name) for kind, name in items(value[4:]) if kind == 0x40), "")
    if syntax not in asked.transfer_syntaxes:
        raise Malformed("the peer accepts a transfer syntax that was not proposed")
    return Context(number, asked.abstract_syntax, syntax)


def _ae_title(value: bytes) -> str:
    value = value.replace(b"\0", b" ")  # not allowed, and seen
    if not _AE_TITLE.fullmatch(value):
        raise Malformed("an AE title holds characters that it may not hold")
    return value.decode("ascii").strip(" ")


def _user_information(most: int, roles: Sequence[Role]) -> bytes:
    return (
        item(0x51, LONG.pack(most))
        + uid_item(0x52, IMPLEMENTATION_CLASS_UID)
        + b"".join(item(0x54, counted(role[0].encode("ascii")) + bytes(role[1:])) for role in roles)
        + item(0x55, IMPLEMENTATION_VERSION.encode("ascii"))
    )


def _associate(kind: int, request: Request, contexts: bytes, user_information: bytes) -> bytes:
    titles = (title.encode("ascii").ljust(16) for title in (request.called, request.calling))
    content = (
        _FIXED.pack(_VERSION, 0, *titles)
        + uid_item(0x10, APPLICATION_CONTEXT)
        + contexts
        + item(0x50, user_information)
    )
    return HEADER.pack(kind, len(content)) + content
