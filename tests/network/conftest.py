"""Two ends of one connection, and an acceptor that answers on the other one."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deid.network.association import Association, accept, connect
from deid.network.dimse import (
    AFFECTED_SOP_INSTANCE,
)
from deid.network.negotiation import Acceptance, Proposal, Refusal, Request
from deid.network.pdu import Ended, Limits
from deid.network.tls import LiveContext, NotSecure, handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.network.tls import Tls

VERIFICATION, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
PROPOSALS = (Proposal(VERIFICATION, (IMPLICIT,)), Proposal(CT, (EXPLICIT, IMPLICIT)))
PATIENT = Limits(setup=10.0, idle=10.0, stall=10.0, message=30.0)
HASTY = Limits(setup=0.2, idle=0.2, stall=0.2)


def first_syntaxes(request: Request) -> Acceptance:
    """Everything, as its first transfer syntax."""
    return Acceptance({number: asked.transfer_syntaxes[0] for number, asked in request.proposals.items()})


@dataclass
class Acceptor:
    """What serves one connection in a thread and remembers what came."""

    decide: Callable[[Request], Acceptance | Refusal] = first_syntaxes
    limits: Limits = PATIENT
    answer: Callable[[Association], None] | None = None
    received: list[tuple[str, bytes]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    defects: list[BaseException] = field(default_factory=list)
    largest: int = 0  # chunk
    thread: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> socket.socket:
        """The end of the requestor; at the other one, this serves until it ends."""
        return socket.create_connection(("127.0.0.1", self.listen()))

    def listen(self) -> int:
        """The port on which the next connection is served until it ends."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)

        def serve_one() -> None:
            with closing(listener):
                connection, _ = listener.accept()
            self.serve(connection)

        self.thread = threading.Thread(target=serve_one)
        self.thread.start()
        port: int = listener.getsockname()[1]
        return port

    def ended(self) -> list[str]:
        """How the association ended, once it has."""
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.defects == []
        return self.ends

    def serve(self, connection: socket.socket) -> None:
        try:
            with accept(connection, self.decide, self.limits) as association:
                (self.answer or self.answer_all)(association)
            self.ends.append("released")
        except Ended as error:
            self.ends.append(type(error).__name__)
        except BaseException as defect:  # noqa: BLE001 - the test shows it
            self.defects.append(defect)
        if connection.fileno() >= 0:
            self.defects.append(ValueError("the connection is still open"))

    def answer_all(self, association: Association) -> None:
        while (message := association.receive()) is not None:
            content = bytearray()
            for chunk in message.chunks():
                content += chunk
                self.largest = max(self.largest, len(chunk))
            if message.has_data:
                self.received.append((message.text(AFFECTED_SOP_INSTANCE), bytes(content)))
            association.send(message.context.id, message.response(0))


@pytest.fixture
def acceptor() -> Iterator[Acceptor]:
    acceptor = Acceptor()
    yield acceptor
    acceptor.ended()


@pytest.fixture
def dial(acceptor: Acceptor) -> Iterator[Callable[[], socket.socket]]:
    """A connection, at the other end of which the acceptor begins to serve."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(acceptor.start()))


@pytest.fixture
def associate(dial: Callable[[], socket.socket]) -> Iterator[Callable[[], tuple[Association, socket.socket]]]:
    """An association with the acceptor, and the connection below it."""
    with ExitStack() as stack:

        def associate() -> tuple[Association, socket.socket]:
            connection = dial()
            return stack.enter_context(connect(connection, "US", "THEM", PROPOSALS, PATIENT)), connection

        yield associate


class TlsServer:
    """Each connection has a thread, as in the gateway; what became of each stands in `ends`."""

    def __init__(self, tls: Tls, seconds: float = PATIENT.setup) -> None:
        self.said: list[str] = []
        self.ends: list[str] = []
        self.live = LiveContext(tls, server=True, say=self.said.append)
        self._seconds = seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=[connection])
            thread.start()
            self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        try:
            secured = handshake(connection, self.live, self._seconds)
        except NotSecure as error:
            self.ends.append(str(error))
            assert connection.fileno() == -1
            return
        with suppress(OSError):
            secured.sendall(secured.recv(64))  # an echo
        secured.close()
        self.ends.append("secure")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENT.setup)

    def echoes(self, context: ssl.SSLContext) -> bool:
        """Whether somebody else's client gets in and is heard."""
        try:
            with self.connect() as connection, context.wrap_socket(connection, server_hostname="localhost") as secured:
                secured.sendall(b"?")
                return secured.recv(1) == b"?"
        except (ssl.SSLError, ConnectionError):
            return False

    def ended(self) -> list[str]:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()
        return self.ends


@pytest.fixture
def serving() -> Iterator[Callable[..., TlsServer]]:
    servers: list[TlsServer] = []

    def start(tls: Tls, seconds: float = PATIENT.setup) -> TlsServer:
        servers.append(TlsServer(tls, seconds))
        return servers[-1]

    yield start
    for server in servers:
        with suppress(OSError):
            server.ended()
