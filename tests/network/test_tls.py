from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.network import authority
from deid.network.tls import LiveContext, NotSecure, handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deid.network.tls import Tls
    from tests.conftest import Pki
    from tests.network.conftest import TlsServer

A_ASSOCIATE_RQ = bytes.fromhex("0100000000cd0001")
SECONDS = 30.0  # longer than any handshake here; no test waits for it


@contextmanager
def client(server: TlsServer, tls: Tls, name: str = "localhost") -> Iterator[ssl.SSLSocket]:
    live = LiveContext(tls, server=False, say=lambda _line: None)
    secured = handshake(server.connect(), live, SECONDS, server_name=name)
    with secured:
        yield secured


@pytest.mark.parametrize("profile", ["bcp195", "bcp195-modified"])
@pytest.mark.parametrize("name", ["gateway", "gateway-rsa"])
def test_both_sides_show_certificates_and_agree(
    pki: Pki, serving: Callable[..., TlsServer], profile: str, name: str
) -> None:
    server = serving(pki.tls(name, profile))
    with client(server, pki.tls("ct1", profile)) as secured:
        assert secured.version() == "TLSv1.3"
        secured.sendall(b"?")
        assert secured.recv(1) == b"?"
    assert server.ended() == ["secure"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("stranger", "the authority of its certificate is not known here"),
        ("expired", "its certificate has expired"),
        ("early", "its certificate is not valid yet; compare the clocks"),
        ("revoked", "its certificate was revoked"),
        ("", "it has shown no certificate"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_whoever_must_not_come_in_is_refused_with_the_reason(
    pki: Pki, serving: Callable[..., TlsServer], name: str, reason: str, version: ssl.TLSVersion
) -> None:
    server = serving(pki.tls())
    context = pki.client(name)
    context.minimum_version = context.maximum_version = version
    assert not server.echoes(context)
    assert server.ended() == [reason]


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused_with_the_reason(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    server = serving(pki.tls())
    context = pki.client("ct1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not server.echoes(context)
    assert server.ended() == ["it offers no TLS version newer than 1.1"]


@pytest.mark.parametrize("suites", ["eNULL", "kRSA", "ECDHE+AESCCM", "ECDHE+AES+SHA256"])
def test_suites_of_no_profile_are_refused_with_the_reason(
    pki: Pki, serving: Callable[..., TlsServer], suites: str
) -> None:
    server = serving(pki.tls())
    context = pki.client("ct1")
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not server.echoes(context)
    assert server.ended() == ["it offers no cipher suite of the TLS profile"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (A_ASSOCIATE_RQ, "plain DICOM on a port for TLS"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "what it sends is HTTP, not TLS"),
        (b"\0" * 64, "what it sends is not TLS"),
        (b"\x16\x03\x01", "it has ended the connection"),
        (b"", "it has ended the connection"),
    ],
)
def test_what_is_not_tls_is_called_by_its_name(
    pki: Pki, serving: Callable[..., TlsServer], sent: bytes, reason: str
) -> None:
    server = serving(pki.tls())
    with server.connect() as connection:
        connection.sendall(sent)
        with suppress(OSError):  # the server may have hung up before we have
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1024):
                pass
    assert server.ended() == [reason]


def test_silent_connections_hold_up_nobody(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    server = serving(pki.tls())
    silent = [server.connect() for _ in range(20)]
    assert server.echoes(pki.client("ct1"))
    for connection in silent:
        connection.close()
    assert sorted(server.ended()) == ["it has ended the connection"] * 20 + ["secure"]


def test_a_silent_connection_does_not_last(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    server = serving(pki.tls(), 0.2)
    with server.connect() as connection:
        assert connection.recv(1) == b""  # we hung up
    assert server.ended() == ["nothing came within the time for a handshake"]


def test_the_deadline_is_for_the_whole_handshake(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    server = serving(pki.tls(), 0.2)
    stop = threading.Event()
    with server.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x20\x00")
        with suppress(ConnectionError):
            while not stop.wait(0.05) and not server.ends:  # a byte from time to time
                connection.sendall(b"\0")
    assert server.ended() == ["nothing came within the time for a handshake"]


# The other way round: we call.


@pytest.mark.parametrize(
    ("own", "name", "reason"),
    [
        ("gateway", "another.example", "its certificate does not have the name of the host that was called"),
        ("gateway", "192.0.2.1", "its certificate does not have the address of the host that was called"),
        ("stranger", "localhost", "the authority of its certificate is not known here"),
        ("revoked", "localhost", "its certificate was revoked"),
    ],
)
def test_a_client_knows_whom_it_calls(
    pki: Pki, serving: Callable[..., TlsServer], own: str, name: str, reason: str
) -> None:
    server = serving(pki.tls(own, crl=None))
    with pytest.raises(NotSecure) as error, client(server, pki.tls("ct1"), name):
        pass
    assert str(error.value) == reason
    assert isinstance(error.value, Deferred)
    assert len(server.ended()) == 1


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_server_is_known_by_its_name_or_its_address(pki: Pki, serving: Callable[..., TlsServer], name: str) -> None:
    with client(serving(pki.tls()), pki.tls("ct1"), name) as secured:
        secured.sendall(b"?")
        assert secured.recv(1) == b"?"


def test_a_client_without_a_name_to_look_for_does_not_connect(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    live = LiveContext(pki.tls("ct1"), server=False, say=lambda _line: None)
    with pytest.raises(NotSecure, match="the name to look for"):
        handshake(serving(pki.tls()).connect(), live, SECONDS)


def test_a_client_without_a_certificate_knows_whom_it_calls(pki: Pki, serving: Callable[..., TlsServer]) -> None:
    server = serving(pki.tls())
    tls = replace(pki.tls(), certificate=None, key=None)
    with client(server, tls) as secured, pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        secured.recv(1)
    assert server.ended() == ["it has shown no certificate"]


@pytest.mark.skipif(shutil.which("echoscu") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize(
    ("options", "end"),
    [
        (["+tls", "ct1.key", "ct1.pem", "+cf", "ca.pem"], "secure"),
        (["+tls", "ct1.key", "ct1.pem", "+cf", "ca.pem", "+px"], "secure"),
        (["+tls", "ct1.key", "ct1.pem", "+cf", "ca.pem", "+pz"], "secure"),
        (
            ["+tls", "stranger.key", "stranger.pem", "+cf", "ca.pem"],
            "the authority of its certificate is not known here",
        ),
        (["+tls", "expired.key", "expired.pem", "+cf", "ca.pem"], "its certificate has expired"),
        (["+tls", "early.key", "early.pem", "+cf", "ca.pem"], "its certificate is not valid yet; compare the clocks"),
        (["+tls", "revoked.key", "revoked.pem", "+cf", "ca.pem"], "its certificate was revoked"),
        (["+tla", "+cf", "ca.pem"], "it has shown no certificate"),
        (["+tls", "ct1.key", "ct1.pem", "+cf", "ca.pem", "+pn"], "it offers no cipher suite of the TLS profile"),
        (["+tls", "ct1.key", "ct1.pem", "+cf", "stranger-ca.pem"], "it does not know the authority of our certificate"),
        ([], "plain DICOM on a port for TLS"),
    ],
)
@pytest.mark.parametrize("profile", ["bcp195", "bcp195-modified"])
def test_dcmtk_comes_in_or_is_refused(
    pki: Pki, serving: Callable[..., TlsServer], profile: str, options: list[str], end: str
) -> None:
    server = serving(pki.tls(profile=profile))
    command = ["echoscu", *options, "localhost", str(server.port)]
    subprocess.run(command, cwd=pki.folder, capture_output=True, check=False)
    assert server.ended() == [end]


# Files that change.


def test_a_new_certificate_is_served_without_a_restart(
    pki: Pki, tmp_path: Path, serving: Callable[..., TlsServer]
) -> None:
    own = pki.copy(tmp_path / "pki")
    server = serving(own.tls())

    def shown() -> bytes | None:
        context = own.client("ct1")
        with server.connect() as connection, context.wrap_socket(connection, server_hostname="localhost") as secured:
            secured.sendall(b"?")
            assert secured.recv(1) == b"?"
            return secured.getpeercert(binary_form=True)

    before = shown()
    assert server.said == []
    (own.folder / "ct2.pem").replace(own.folder / "gateway.pem")  # its key is not there yet
    assert shown() == before
    (own.folder / "ct2.key").replace(own.folder / "gateway.key")
    assert shown() not in {before, None}
    assert len(server.said) == 2
    assert server.said[0].endswith(
        "does not belong to the certificate " + str(own.folder / "gateway.pem") + "; what was read before stays in use"
    )
    assert server.said[1] == "read again, as it has changed: ca.pem, gateway.pem, gateway.key, ca.crl"


def test_a_revocation_holds_without_a_restart(pki: Pki, tmp_path: Path, serving: Callable[..., TlsServer]) -> None:
    own = pki.copy(tmp_path / "pki")
    server = serving(own.tls())
    context = own.client("ct1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where a session could be resumed
    with server.connect() as connection, context.wrap_socket(connection, server_hostname="localhost") as secured:
        session = secured.session
    authority.Authority(own.folder).revoke(own.folder / "ct1.pem")
    with server.connect() as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost", session=session)
    assert server.ended() == ["secure", "its certificate was revoked"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_ticket_lets_a_client_in_without_its_certificate(
    pki: Pki, serving: Callable[..., TlsServer], version: ssl.TLSVersion
) -> None:
    server = serving(pki.tls())
    context = pki.client("ct1")
    context.minimum_version = context.maximum_version = version
    with server.connect() as connection, context.wrap_socket(connection, server_hostname="localhost") as secured:
        secured.sendall(b"?")
        assert secured.recv(1) == b"?"  # a ticket of TLS 1.3 would have come before it
        assert secured.session is None or not secured.session.has_ticket


@pytest.mark.parametrize("gone", ["ca.pem", "gateway.pem", "gateway.key", "ca.crl"])
def test_a_file_that_goes_away_takes_nothing_with_it(
    pki: Pki, tmp_path: Path, serving: Callable[..., TlsServer], gone: str
) -> None:
    own = pki.copy(tmp_path / "pki")
    server = serving(own.tls())
    context = own.client("ct1")
    (own.folder / gone).unlink()
    assert server.echoes(context)
    assert server.echoes(context)
    assert len(server.said) == 1
    assert server.said[0].endswith("what was read before stays in use")
