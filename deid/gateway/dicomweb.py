"""DICOMweb as a way in: requests over HTTP judged, answered and put on record. Of its services there is STOW-RS."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.attributes.uids import is_well_formed
from deid.gateway.sorter import UNROUTED
from deid.log import say
from deid.network.http11 import Exchange, Unclear
from deid.network.multipart import BrokenBody, Parts, boundary_of, media_type
from deid.network.pdu import Ended, Stalled
from deid.network.peers import Peer
from deid.network.refusals import RequestRefused
from deid.receive.stow import DICOM, Sending, store

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deid.gateway.places import Places
    from deid.network.http11 import Request
    from deid.network.multipart import MediaType
    from deid.network.pdu import Limits
    from deid.network.peers import Peers
    from deid.receive.inlet import Inlet

_JSON: Final = ("Content-Type", "application/dicom+json")
_LATER: Final = ("Retry-After", "30")  # seconds
_OK, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _NOT_ALLOWED = 200, 400, 401, 404, 405
_TIMEOUT, _UNSUPPORTED, _UNAVAILABLE = 408, 415, 503


@dataclass(frozen=True, slots=True)
class DicomWeb:
    """What happens on the connections of its ports."""

    ae_title: str  # ours
    peers: Peers
    inlets: Mapping[str, Inlet]  # by route
    places: Places
    refuse: Callable[[RequestRefused], None]
    limits: Limits
    work: Path

    def talk(self, prefix: str, port: int, connection: socket.socket, stays: Callable[[], None]) -> None:
        """Answer request after request until the peer hangs up. Raises Ended."""
        address = str(connection.getpeername()[0])
        with closing(Exchange(connection, self.limits)) as exchange:
            caller = _Caller(self, exchange, address, port)
            try:
                seconds = self.limits.setup
                while (request := exchange.request(seconds)) and (peer := caller.known(request)):
                    stays()
                    self._answer(exchange, request, prefix, peer)
                    seconds = self.limits.idle
            except Unclear as error:
                exchange.answer(error.code)
                raise
            except Stalled:
                with suppress(Ended):
                    exchange.answer(_TIMEOUT)
                raise
            finally:
                caller.leave()

    def _answer(self, exchange: Exchange, request: Request, prefix: str, peer: Peer) -> None:
        study = _study_in(request.target, prefix)
        kind = media_type(request.headers.get("content-type", ""))
        if study is None:
            _turn_away(exchange, peer, _NOT_FOUND, f"what is asked for is not {prefix}/studies")
        elif request.method != "POST":
            _turn_away(exchange, peer, _NOT_ALLOWED, "objects can be stored here, and nothing else", ("Allow", "POST"))
        elif not _is_related(kind) or "content-encoding" in request.headers:
            wanted = f'multipart/related; type="{DICOM}"'
            _turn_away(exchange, peer, _UNSUPPORTED, f"the body is not plain {wanted}", ("Accept", wanted))
        else:
            try:
                boundary = boundary_of(kind)
            except BrokenBody as error:
                _turn_away(exchange, peer, _BAD_REQUEST, str(error))
            else:
                self._store(exchange, Parts(exchange.body(), boundary), peer, study)

    def _store(self, exchange: Exchange, parts: Parts, peer: Peer, study: str) -> None:
        began = time.monotonic()
        sending = Sending(peer.ae_title, self.ae_title, peer.private, study, self.work)
        answer = store(parts, self.inlets[peer.route or UNROUTED], sending)
        exchange.answer(answer.code, answer.content, [_JSON, *([_LATER] if answer.code == _UNAVAILABLE else [])])
        say(
            "request answered",
            calling=peer.ae_title,
            taken=len(answer.stored),
            failed=len(answer.failed) + len(answer.others),
            seconds=round(time.monotonic() - began, 3),
            refusal=answer.code if answer.code != _OK else "",
            reason=answer.why,
        )


def _is_related(kind: MediaType) -> bool:
    """Whether it is a body of files of PS3.10 (PS3.18 10.5.1); some senders leave the type of its parts out."""
    return kind.name == "multipart/related" and kind.parameters.get("type", DICOM).lower() == DICOM


def _turn_away(exchange: Exchange, peer: Peer, code: int, why: str, *headers: tuple[str, str]) -> None:
    exchange.answer(code, headers=headers)
    say("request answered", calling=peer.ae_title, refusal=code, reason=why)


@dataclass(slots=True)
class _Caller:
    """Who is at the other side of one connection: told by what comes with each request, looked at when it changes."""

    web: DicomWeb
    exchange: Exchange
    address: str
    port: int
    authorization: str = ""
    peers: list[Peer] = field(default_factory=list)  # the one that is let in

    def known(self, request: Request) -> Peer | None:
        """Who asks, if he has a place here; who has not is told so, and nothing more is read from him."""
        authorization = request.headers.get("authorization", "")
        if self.peers and authorization == self.authorization:
            return self.peers[0]
        scheme, _, said = authorization.partition(" ")
        token = said.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        certificate = self.exchange.certificate
        judged = self.web.peers.judge_sender(self.address, certificate, token)
        self.leave()
        if isinstance(judged, Peer):
            full = self.web.places.take(judged)
            if full is None:
                self.authorization = authorization
                self.peers.append(judged)
                return judged
            code, why = _UNAVAILABLE, str(full)
        else:
            code, why = judged.code, judged.why
        self.web.refuse(RequestRefused.by(code, why, self.address, self.port, certificate))
        headers = {_UNAUTHORIZED: [("WWW-Authenticate", "Bearer")], _UNAVAILABLE: [_LATER]}.get(code, [])
        self.exchange.answer(code, headers=headers)
        return None

    def leave(self) -> None:
        """Give the place back."""
        while self.peers:
            self.web.places.leave(self.peers.pop())


def _study_in(target: str, prefix: str) -> str | None:
    """The Study Instance UID in the target resource, "" where there is none; None where it is not one of ours."""
    path = target.partition("?")[0]
    studies = f"{prefix}/studies"
    if path in (studies, f"{studies}/"):
        return ""
    above, _, study = path.rpartition("/")
    return study if above == studies and is_well_formed(study) else None
