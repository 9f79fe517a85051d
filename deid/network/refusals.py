"""Whoever was not let in, as records for the audit trail and the log: names, addresses and reasons, nothing else.

PS3.15 A.5.3.11 counts refusals among the Security Alerts (Node Authentication). Who only hangs up was refused nothing:
he stands in the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self

from deid.network import certificate

if TYPE_CHECKING:
    from deid.network.negotiation import Refusal, Request
    from deid.network.peers import Denial
    from deid.network.tls import NotSecure

NO_CERTIFICATE: Final = "none"


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """A connection has come to nothing, before anybody was refused on it."""

    event: ClassVar[str] = "connection ended"
    audited: ClassVar[bool] = False
    address: str
    listener: int  # the port
    reason: str

    def fields(self) -> dict[str, str | int]:
        """What is written of it."""
        return {"address": self.address, "listener": self.listener, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class ConnectionGivenUp(ConnectionEnded):
    """A connection on which nothing was agreed on yet had to go, because of a limit."""

    event: ClassVar[str] = "connection given up"


@dataclass(frozen=True, slots=True)
class ConnectionRefused:
    """There was no secure connection, so that nobody knows who it was."""

    event: ClassVar[str] = "connection refused"
    audited: ClassVar[bool] = True
    address: str
    listener: int  # the port
    reason: str

    @classmethod
    def by(cls, error: NotSecure, address: str, listener: int) -> Self:
        """What a handshake that failed is put on record as."""
        return cls(address, listener, str(error))

    def fields(self) -> dict[str, str | int]:
        """What is written of it."""
        return {"address": self.address, "listener": self.listener, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class AssociationRefused:
    """Somebody asked for an association that he did not get; who he says he is, and who his certificate says."""

    event: ClassVar[str] = "association refused"
    audited: ClassVar[bool] = True
    address: str
    listener: int
    calling: str
    called: str
    certificate: str
    refusal: Refusal  # what he was told
    reason: str  # what he was not told

    @classmethod
    def by(cls, denial: Denial, request: Request, listener: int) -> Self:
        """What a request that was denied is put on record as."""
        return cls(
            address=request.address,
            listener=listener,
            calling=request.calling,
            called=request.called,
            certificate=shown(request.certificate),
            refusal=denial.refusal,
            reason=denial.why,
        )

    def fields(self) -> dict[str, str | int]:
        """What is written of it; result, source and reason of A-ASSOCIATE-RJ (PS3.8 Table 9-21) as "1/1/3"."""
        return {
            "address": self.address,
            "listener": self.listener,
            "calling": self.calling,
            "called": self.called,
            "certificate": self.certificate,
            "refusal": "/".join(map(str, self.refusal)),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Somebody has sent a request over HTTP and was not let in."""

    event: ClassVar[str] = "request refused"
    audited: ClassVar[bool] = True
    address: str
    listener: int
    certificate: str
    refusal: int  # the status code that he was told
    reason: str  # what he was not told

    @classmethod
    def by(cls, code: int, why: str, address: str, listener: int, certificate: bytes | None) -> Self:
        """What a request that was denied is put on record as."""
        return cls(address, listener, shown(certificate), code, why)

    def fields(self) -> dict[str, str | int]:
        """What is written of it."""
        return {
            "address": self.address,
            "listener": self.listener,
            "certificate": self.certificate,
            "refusal": str(self.refusal),
            "reason": self.reason,
        }


Stranger = ConnectionRefused | AssociationRefused | RequestRefused | ConnectionEnded
"""Whoever was not let in."""


def shown(encoded: bytes | None) -> str:
    """What a log says of a certificate; the connection may have had none."""
    if encoded is None:
        return NO_CERTIFICATE
    try:
        return str(certificate.from_der(encoded))
    except ValueError:
        return "one that cannot be understood"
