"""What is negotiated before the first message (PS3.8 7.1, PS3.7 Annex D): proposals, answers, refusals as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from deid.network.pdu import Ended

ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 3, 4
REJECTED_PERMANENT, REJECTED_TRANSIENT = 1, 2
MOST_CONTEXTS: Final = 128  # odd numbers of one byte


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
REFUSALS: Final = (
    NO_REASON,
    APPLICATION_CONTEXT_NOT_SUPPORTED,
    CALLING_NOT_RECOGNIZED,
    CALLED_NOT_RECOGNIZED,
    VERSION_NOT_SUPPORTED,
    CONGESTION,
    LIMIT_EXCEEDED,
)
"""All that a peer may get from us."""
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
