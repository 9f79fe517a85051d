"""Whoever is not let in over TLS stands in the audit trail, with the reason for which he was not."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.forward.scu import Destination, echo
from deid.network.tls import LiveContext
from tests.ports import free_port

from .site import PATIENCE, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Pki

    Comes = Callable[[Pki, int], None]


def shaking(name: str, *, suites: str = "", version: ssl.TLSVersion | None = None) -> Comes:
    """A client with this certificate, which offers suites and versions of its own."""

    def come(pki: Pki, port: int) -> None:
        context = pki.client(name)
        if suites:
            context.set_ciphers(f"{suites}:@SECLEVEL=0")
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if version:
            context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE) as connection,
            suppress(OSError),
            context.wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            secured.recv(1)

    return come


def saying(words: bytes) -> Comes:
    def come(_: Pki, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, suppress(OSError):
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(100)

    return come


def trusting_another(pki: Pki, port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as connection,
        suppress(ssl.SSLError),
        pki.client("ct1", "stranger-ca.pem").wrap_socket(connection, server_hostname="localhost"),
    ):
        pass


def as_another_device(pki: Pki, port: int) -> None:
    """The certificate of CT2 on who calls himself CT1: the secure connection comes about, and no association."""
    live = LiveContext(pki.tls("ct2"), server=False, say=print)
    with pytest.raises(Deferred, match="calling AE title is not recognized"):
        echo(Destination("DEID", "localhost", port, calling="CT1", tls=live))


REFUSED: list[tuple[str, Comes]] = [
    ("the authority of its certificate is not known here", shaking("stranger")),
    ("its certificate has expired", shaking("expired")),
    ("its certificate is not valid yet; compare the clocks", shaking("early")),
    ("its certificate was revoked", shaking("revoked")),
    ("it has shown no certificate", shaking("")),
    ("it offers no TLS version newer than 1.1", shaking("ct1", suites="ALL", version=ssl.TLSVersion.TLSv1_1)),
    ("it offers no cipher suite of the TLS profile", shaking("ct1", suites="eNULL")),
    ("it does not know the authority of our certificate", trusting_another),
    ("plain DICOM on a port for TLS", saying(bytes.fromhex("0100000000cd0001"))),
    ("what it sends is HTTP, not TLS", saying(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    ("what it sends is not TLS", saying(b"\0" * 64)),
    ("it has ended the connection", saying(b"\x16\x03\x01")),
]


class Secured(Site):
    """CT1 is let in with its own certificate, over TLS."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        peer = {"ae_title": "CT1", "certificate": {"san": "dicom-ae:CT1"}, "route": "research"}
        files = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem", "crl": "ca.crl"}
        tls = {name: str(pki.folder / file) for name, file in files.items()}
        super().__init__(folder, free_port(), peers=[peer])
        self.change(listen=[{"port": self.port, "address": "127.0.0.1", "tls": tls}])
        self._live = LiveContext(pki.tls("ct1"), server=False, say=print)

    @property
    def destination(self) -> Destination:
        return replace(super().destination, host="localhost", tls=self._live)


@pytest.fixture
def site(tmp_path: Path, pki: Pki) -> Secured:
    return Secured(tmp_path, pki)


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_whoever_is_refused_over_tls_is_in_the_audit_trail_with_the_reason(site: Secured, pki: Pki) -> None:
    with site.serving() as process:
        for _, come in REFUSED:
            come(pki, site.port)
        as_another_device(pki, site.port)
        eventually(lambda: len(site.said("connection refused")) >= len(REFUSED))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    state = site.folder / "state"
    trail = [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]
    refused = [line["fields"] for line in trail if line["event"] == "connection refused"]
    told = [line for line in refused if "count" not in line]
    assert {line["reason"] for line in told} == {reason for reason, _ in REFUSED}
    assert {(line["address"], line["listener"]) for line in refused} == {("127.0.0.1", site.port)}
    (association,) = [line["fields"] for line in trail if line["event"] == "association refused"]
    assert (association["calling"], association["refusal"]) == ("CT1", "1/1/3")
    assert association["certificate"].startswith("CN=ct2, dicom-ae:CT2, ")
    assert association["reason"].startswith("the certificate belongs to another: CN=ct2")
    assert "whole" in site.deid("audit", "verify", "--state", state)
