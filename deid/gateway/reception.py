"""The way in: connections made secure, peers told apart, associations served and put on record."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from deid.errors import where
from deid.gateway.ports import taking
from deid.gateway.sorter import UNROUTED
from deid.log import say
from deid.network.association import accept
from deid.network.context_words import negotiated
from deid.network.contexts import SERVICES, accept_services, accept_storage
from deid.network.negotiation import ABSTRACT_SYNTAX_NOT_SUPPORTED, Acceptance, Refusal, Refused
from deid.network.pdu import Ended
from deid.network.peers import Denial, Peer, Peers
from deid.network.refusals import AssociationRefused, ConnectionEnded, ConnectionGivenUp, ConnectionRefused, shown
from deid.network.tls import LiveContext, NotSecure, handshake
from deid.receive.commitment import Commitment
from deid.receive.listener import Listener
from deid.receive.scp import serve

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from deid.gateway.dicomweb import DicomWeb
    from deid.gateway.places import Places
    from deid.network.association import Association
    from deid.network.negotiation import Request
    from deid.network.refusals import Stranger
    from deid.receive.commitment import Committing
    from deid.receive.inlet import Inlet
    from deid.settings.document import Settings

    Speak = Callable[[int, socket.socket, Callable[[], None]], None]

_MOST_SILENT = 2  # connections that are no associations yet, for each association that there may be


class Reception:
    """All ports of the gateway."""

    def __init__(  # noqa: PLR0913 - what is behind the ports
        self,
        settings: Settings,
        peers: Peers,
        inlets: Mapping[str, Inlet],
        committing: Committing,
        places: Places,
        web: DicomWeb,
        note: Callable[[Stranger], None],
    ) -> None:
        """Take the ports; `inlets` by route, `web` talks on those for DICOMweb, `note` records who is not let in.

        Raises BadProfile for ports that cannot be taken and certificates that cannot be used.
        """
        self._peers = peers
        self._inlets = inlets
        self._committing = committing
        self._places = places
        self._note = note
        self._limits = web.limits
        self.listeners: list[Listener] = []
        try:
            for each in settings.listeners:
                live = LiveContext(each.tls, server=True, say=tell_certificates) if each.tls else None
                speak = partial(web.talk, each.dicomweb) if each.dicomweb else self._associate
                talk = partial(self.talk, live, each.port, speak)
                most = _MOST_SILENT * settings.limits.associations
                of_one = settings.limits.associations  # any number of peers may be behind one address
                with taking(each.address, each.port):
                    self.listeners.append(Listener(each.address, each.port, talk, most, of_one, self._closed))
        except BaseException:
            self.close(0)
            raise

    def start(self) -> None:
        """Let peers in."""
        for listener in self.listeners:
            say("listening", listener=listener.port)  # before what comes there is told
            listener.start()

    def close(self, seconds: float) -> None:
        """Let nobody in any more, and give those that are here so long to end."""
        by = time.monotonic() + seconds
        for listener in self.listeners:
            listener.close(max(0.0, by - time.monotonic()))

    def talk(
        self,
        live: LiveContext | None,
        port: int,
        speak: Speak,
        connection: socket.socket,
        stays: Callable[[], None],
    ) -> None:
        """Everything that happens on one connection; raises nothing."""
        address = ""
        try:
            address = connection.getpeername()[0]
            if live:
                connection = handshake(connection, live, self._limits.setup)
            speak(port, connection, stays)
        except NotSecure as reason:
            self._unless_told(stays, ConnectionRefused.by(reason, address, port))
        except Refused:
            pass  # told when it was decided
        except Ended as reason:
            self._unless_told(stays, ConnectionEnded(address, port, str(reason)))
        except OSError as error:  # before anything was said
            self._unless_told(stays, ConnectionEnded(address, port, error.strerror or type(error).__name__))
        except Exception as defect:  # noqa: BLE001 - the next peer must be served; its text may hold a value
            say("defect", address=address, where=where(defect))

    def _unless_told(self, stays: Callable[[], None], ended: Stranger) -> None:
        """Note the end of a connection, unless it is ours: that was told when it was cut off."""
        with suppress(Ended):
            stays()
            self._note(ended)

    def _closed(self, address: str, port: int, why: str) -> None:
        self._note(ConnectionGivenUp(address, port, why))

    def _associate(self, port: int, connection: socket.socket, stays: Callable[[], None]) -> None:
        peers: list[Peer] = []  # the one that is let in
        try:
            with accept(connection, partial(self._decide, port, peers, stays), self._limits) as association:
                self._serve(association, *peers)
        finally:
            for peer in peers:
                self._places.leave(peer)

    def _decide(
        self, port: int, peers: list[Peer], stays: Callable[[], None], request: Request
    ) -> Acceptance | Refusal:
        peer = self._peers.judge(request)
        if isinstance(peer, Peer) and (full := self._places.take(peer)):
            peer = Denial(full, str(full))
        if isinstance(peer, Denial):
            self._note(AssociationRefused.by(peer, request, port))
            return peer.refusal
        peers.append(peer)
        stays()  # whoever is told that he has an association has it
        answer = accept_storage(request, SERVICES, peer.private) if peer.sends else accept_services(request, SERVICES)
        if peer.user:  # PS3.7 D.3.3.7.2: who asks for a response to his passcode hangs up without one; it is empty
            answer = replace(answer, identity_response=b"")
        refused = {**dict.fromkeys(request.proposals, ABSTRACT_SYNTAX_NOT_SUPPORTED), **answer.because}
        say(
            "association accepted",
            address=request.address,
            listener=port,
            calling=request.calling,
            called=request.called,
            certificate=shown(request.certificate),
            **negotiated(request, answer.transfer_syntaxes, refused, peer.private),
        )
        return answer

    def _serve(self, association: Association, peer: Peer) -> None:
        began = time.monotonic()
        taken, reason = 0, "released"
        try:
            commitment = Commitment(association, self._committing, self._limits.idle)
            inlet = self._inlets[peer.route or UNROUTED] if peer.sends else None
            for so_far in serve(association, inlet, commitment):
                taken = so_far
        except Ended as error:
            reason = str(error)
        seconds = round(time.monotonic() - began, 3)
        say("association ended", calling=peer.ae_title, taken=taken, seconds=seconds, reason=reason)


def tell_certificates(line: str) -> None:
    """What becomes of certificates whose files have changed."""
    say("certificates", reason=line)
