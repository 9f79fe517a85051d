"""Whether the other side says nothing, with what was read already, and with TLS between."""

from __future__ import annotations

import socket
import ssl
import time
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from deid.network.pdu import RELEASE_RQ, Limits, Wire, control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Pki


@pytest.fixture(params=["plain", "tls"])
def ends(request: pytest.FixtureRequest, pki: Pki) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    if request.param == "tls":
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(pki.folder / "gateway.pem", pki.folder / "gateway.key")
        secured: list[socket.socket] = []
        shaking = Thread(target=lambda: secured.append(server.wrap_socket(ours, server_side=True)))
        shaking.start()
        theirs = pki.client().wrap_socket(theirs, server_hostname="localhost")
        shaking.join()
        (ours,) = secured
    yield ours, theirs
    ours.close()
    theirs.close()


def test_it_is_quiet_until_something_comes(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = Wire(ours, Limits())
    assert wire.is_quiet(0.1)
    theirs.sendall(control(RELEASE_RQ) * 2)
    assert not wire.is_quiet(10.0)
    assert wire.read(time.monotonic() + 10.0)[0] == RELEASE_RQ
    assert not wire.is_quiet(0.0)  # the second one came with the first
    assert wire.read(time.monotonic() + 10.0)[0] == RELEASE_RQ
    assert wire.is_quiet(0.1)


def test_who_has_gone_is_not_quiet(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    wire = Wire(ours, Limits())
    theirs.close()
    assert not wire.is_quiet(10.0)
    wire.close()
    assert not wire.is_quiet(10.0)
