"""What costs 40 ms an object where it is left out: Nagle's algorithm, and acknowledgements that wait for company."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deid.network.association import Association, accept, connect
from deid.network.dimse import AFFECTED_SOP_CLASS, C_ECHO, COMMAND_FIELD
from deid.network.tls import LiveContext, handshake

from .conftest import PATIENT, PROPOSALS, VERIFICATION, first_syntaxes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Pki

    Secure = Callable[[socket.socket, bool], socket.socket]


@pytest.fixture(params=["plain", "tls"])
def secure(request: pytest.FixtureRequest, pki: Pki) -> Secure:
    """Makes one end of a connection secure, or leaves it as it is."""
    if request.param == "plain":
        return lambda connection, _: connection
    sides = {is_server: LiveContext(pki.tls(), server=is_server, say=print) for is_server in (True, False)}

    def secure(connection: socket.socket, is_server: bool) -> ssl.SSLSocket:  # noqa: FBT001 - the side
        return handshake(connection, sides[is_server], 20.0, server_name=None if is_server else "localhost")

    return secure


@dataclass
class Asked:
    """What the sockets of each side were asked for, in its order."""

    requestor: list[str] = field(default_factory=list)
    acceptor: list[str] = field(default_factory=list)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()

    def note(what: str) -> None:
        here = asked.requestor if threading.current_thread() is threading.main_thread() else asked.acceptor
        here.append(what)

    def spy(kind: type[socket.socket], name: str, what: Callable[..., str]) -> None:
        real = getattr(kind, name)

        def call(connection: socket.socket, *args: object) -> object:
            if said := what(*args):
                note(said)
            return real(connection, *args)

        monkeypatch.setattr(kind, name, call)

    spy(socket.socket, "setsockopt", lambda _, option, on: "quick" * (option == socket.TCP_QUICKACK and on == 1))
    spy(socket.socket, "recv_into", lambda *_: "receive")
    spy(ssl.SSLSocket, "recv_into", lambda *_: "receive")
    return asked


@pytest.fixture
def ends(secure: Secure, asked: Asked) -> Iterator[tuple[Association, Association]]:
    """Requestor and acceptor of one association over TCP, which answers one C-ECHO."""
    accepted: list[Association] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection = secure(listener.accept()[0], True)
            asked.acceptor.clear()
            accepted.append(association := accept(connection, first_syntaxes, PATIENT))
            message = association.receive()
            assert message is not None
            association.send(message.context.id, message.response(0))
            done.wait(20)
            association.abort()

        done = threading.Event()
        serving = threading.Thread(target=serve)
        serving.start()
        connection = secure(socket.create_connection(listener.getsockname()), False)
        asked.requestor.clear()
        association = connect(connection, "US", "THEM", PROPOSALS, PATIENT)
        association.ask(1, {AFFECTED_SOP_CLASS: VERIFICATION, COMMAND_FIELD: C_ECHO})
        (acceptor,) = accepted
        yield association, acceptor
        done.set()
        association.abort()
        serving.join(20)


def test_neither_side_waits_for_more_to_send(ends: tuple[Association, Association]) -> None:
    for association in ends:
        connection = association._wire._connection
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_both_sides_ask_for_a_quick_acknowledgement_each_time_they_receive(
    ends: tuple[Association, Association], asked: Asked
) -> None:
    assert len(ends) == 2
    for side in (asked.requestor, asked.acceptor):
        assert side.count("receive") >= 2
        before = [side[at - 1] for at, what in enumerate(side) if what == "receive"]
        assert set(before) == {"quick"}
