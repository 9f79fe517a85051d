"""Who may associate: a calling AE title counts only together with the certificate or the addresses it is bound to.

Anybody can claim an AE title. Mutual TLS alone does not help: one authority gives certificates to all its devices, and
each of them could call itself by the name of another.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile
from deid.network import certificate
from deid.network.negotiation import CALLED_NOT_RECOGNIZED, CALLING_NOT_RECOGNIZED, NO_REASON, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.network.certificate import Certificate
    from deid.network.negotiation import Identity, Request
    from deid.network.passcodes import Passcodes

_USER_AND_PASSCODE: Final = 2  # PS3.7 D.3.3.7.1, User-Identity-Type

_UNAUTHORIZED, _FORBIDDEN = 401, 403

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose certificate it must be: all that is given must hold."""

    san: str = ""  # a subject alternative name: a URI such as dicom-ae:CT1, or a DNS name
    subject: str = ""  # the common name
    sha256: str = ""  # fingerprint of one certificate: 64 lower-case hexadecimal digits

    def has(self, shown: Certificate) -> bool:
        """Whether it is this holder's."""
        names = [name if ":" in name else name.lower() for name in shown.names]  # DNS names have no case, URIs do
        san = self.san if ":" in self.san else self.san.lower()
        return (
            (not san or san in names)
            and (not self.subject or self.subject == shown.common_name)
            and (not self.sha256 or self.sha256 == shown.sha256)
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """One that may associate, how it is known, and where its objects go; it has a holder, addresses or both."""

    ae_title: str
    route: str  # "" where rules alone tell
    holder: Holder | None = None
    addresses: tuple[Network, ...] = ()
    user: str = ""  # who must name himself, with his passcode (PS3.7 D.3.3.7); empty: nobody
    sends: bool = True  # False: it only brings results of Storage Commitment, and has no route
    private: tuple[str, ...] = ()  # SOP classes of its manufacturer that are stored as well
    called: frozenset[str] = frozenset()  # AE titles that it may call besides ours


@dataclass(frozen=True, slots=True)
class Denial:
    """No: what the peer is told, and what the log is told; the peer does not learn which of its claims was wrong."""

    refusal: Refusal
    why: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """No, to a request over HTTP: the status code that is told, and what the log is told."""

    code: int
    why: str


class Peers:
    """All that may associate, by calling AE title."""

    def __init__(self, ae_title: str, peers: Iterable[Peer], passcodes: Passcodes | None = None) -> None:
        self._ae_title = ae_title
        self._peers = {peer.ae_title: peer for peer in peers}
        self._passcodes = passcodes

    def judge(self, request: Request) -> Peer | Denial:
        """Who is calling, or why he is not let in."""
        peer = self._peers.get(request.calling)
        if peer is None:
            return Denial(CALLING_NOT_RECOGNIZED, "no peer has this AE title")
        doubt = _doubt(peer, request.address, request.certificate)
        if doubt:
            return Denial(CALLING_NOT_RECOGNIZED, doubt)
        if request.called not in {self._ae_title, *peer.called}:
            return Denial(CALLED_NOT_RECOGNIZED, f"the peer calls another AE title than {self._ae_title}")
        try:
            known = not peer.user or self._is_user(peer.user, request.identity)
        except BadProfile as error:  # the file of passcodes has changed, and cannot be used any more
            return Denial(NO_REASON, str(error))
        return peer if known else Denial(NO_REASON, "the user of this peer has not named himself with his passcode")

    def judge_sender(self, address: str, shown: bytes | None, token: bytes) -> Peer | NotKnown:
        """Who sends over HTTP, where nobody calls himself by an AE title: the only one whose bindings all hold.

        The user of a peer names himself by a bearer token (RFC 6750), which is his passcode.
        """
        fitting = [peer for peer in self._peers.values() if peer.sends and not _doubt(peer, address, shown)]
        users = [peer for peer in fitting if peer.user]
        try:
            named = [peer for peer in users if token and self._has_passcode(peer.user, token)]
        except BadProfile as error:  # the file of passcodes has changed, and cannot be used any more
            return NotKnown(_FORBIDDEN, str(error))
        # Who names himself in vain is nobody else: his objects would take another peer's route.
        found = named or [peer for peer in fitting if not peer.user and not (token and users)]
        if len(found) == 1:
            return found[0]
        if found:
            return NotKnown(_FORBIDDEN, f"{len(found)} peers fit, and nobody knows which it is: bind them more closely")
        if users:
            return NotKnown(_UNAUTHORIZED, "the user of this peer has not named himself with his passcode as token")
        return NotKnown(_FORBIDDEN, "no peer has this address and certificate")

    def _has_passcode(self, user: str, token: bytes) -> bool:
        return self._passcodes is not None and self._passcodes.match(user, token)

    def _is_user(self, user: str, identity: Identity | None) -> bool:
        if self._passcodes is None or identity is None or identity.kind != _USER_AND_PASSCODE:
            return False
        known = self._passcodes.match(user, identity.secondary)
        return known and identity.primary == user.encode("ascii")


def _doubt(peer: Peer, address: str, shown: bytes | None) -> str:
    """Why this is not the peer; empty if it is."""
    if peer.addresses and not _within(address, peer.addresses):
        return "the address is none of this peer's"
    if peer.holder is None:
        return "" if peer.addresses else "the peer is bound to nothing"
    if shown is None:
        return "the connection is not encrypted, and this peer is known by its certificate"
    try:
        theirs = certificate.from_der(shown)
    except ValueError:
        return "the certificate cannot be understood"
    return "" if peer.holder.has(theirs) else f"the certificate belongs to another: {theirs}"


def _within(address: str, networks: Iterable[Network]) -> bool:
    try:
        there = ipaddress.ip_address(address)
    except ValueError:
        return False
    if there.version == 6 and there.ipv4_mapped is not None:  # how a socket for both versions shows IPv4
        there = there.ipv4_mapped
    return any(there in network for network in networks)
