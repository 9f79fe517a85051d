from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from deid.errors import BadProfile, Deferred
from deid.network import authority
from deid.network.tls import LiveContext, NotSecure, build, handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deid.network.tls import Tls
    from tests.conftest import Pki

A_ASSOCIATE_RQ = bytes.fromhex("0100000000cd0001")
SECONDS = 30.0  # longer than any handshake here; no test waits for it


class Server:
    """Each connection has a thread, as in the gateway; what became of each stands in `ends`."""

    def __init__(self, tls: Tls, seconds: float = SECONDS) -> None:
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
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def ended(self) -> list[str]:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()
        return self.ends


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(tls: Tls, seconds: float = SECONDS) -> Server:
        servers.append(Server(tls, seconds))
        return servers[-1]

    yield start
    for server in servers:
        with suppress(OSError):
            server.ended()


def echoes(server: Server, context: ssl.SSLContext) -> bool:
    try:
        with server.connect() as connection, context.wrap_socket(connection, server_hostname="localhost") as secured:
            secured.sendall(b"?")
            return secured.recv(1) == b"?"
    except (ssl.SSLError, ConnectionError):
        return False


@contextmanager
def client(server: Server, tls: Tls, name: str = "localhost") -> Iterator[ssl.SSLSocket]:
    live = LiveContext(tls, server=False, say=lambda _line: None)
    secured = handshake(server.connect(), live, SECONDS, server_name=name)
    with secured:
        yield secured


@pytest.mark.parametrize("profile", ["bcp195", "bcp195-modified"])
@pytest.mark.parametrize("name", ["gateway", "gateway-rsa"])
def test_both_sides_show_certificates_and_agree(
    pki: Pki, serving: Callable[..., Server], profile: str, name: str
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
    pki: Pki, serving: Callable[..., Server], name: str, reason: str, version: ssl.TLSVersion
) -> None:
    server = serving(pki.tls())
    context = pki.client(name)
    context.minimum_version = context.maximum_version = version
    assert not echoes(server, context)
    assert server.ended() == [reason]


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused_with_the_reason(pki: Pki, serving: Callable[..., Server]) -> None:
    server = serving(pki.tls())
    context = pki.client("ct1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not echoes(server, context)
    assert server.ended() == ["it offers no TLS version newer than 1.1"]


@pytest.mark.parametrize("suites", ["eNULL", "kRSA", "ECDHE+AESCCM", "ECDHE+AES+SHA256"])
def test_suites_of_no_profile_are_refused_with_the_reason(
    pki: Pki, serving: Callable[..., Server], suites: str
) -> None:
    server = serving(pki.tls())
    context = pki.client("ct1")
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not echoes(server, context)
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
    pki: Pki, serving: Callable[..., Server], sent: bytes, reason: str
) -> None:
    server = serving(pki.tls())
    with server.connect() as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while connection.recv(1024):
                pass
    assert server.ended() == [reason]


def test_silent_connections_hold_up_nobody(pki: Pki, serving: Callable[..., Server]) -> None:
    server = serving(pki.tls())
    silent = [server.connect() for _ in range(20)]
    assert echoes(server, pki.client("ct1"))
    for connection in silent:
        connection.close()
    assert sorted(server.ended()) == ["it has ended the connection"] * 20 + ["secure"]


def test_a_silent_connection_does_not_last(pki: Pki, serving: Callable[..., Server]) -> None:
    server = serving(pki.tls(), 0.2)
    with server.connect() as connection:
        assert connection.recv(1) == b""  # we hung up
    assert server.ended() == ["nothing came within the time for a handshake"]


def test_the_deadline_is_for_the_whole_handshake(pki: Pki, serving: Callable[..., Server]) -> None:
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
def test_a_client_knows_its_server(pki: Pki, serving: Callable[..., Server], own: str, name: str, reason: str) -> None:
    server = serving(pki.tls(own, crl=None))
    with pytest.raises(NotSecure) as error, client(server, pki.tls("ct1"), name):
        pass
    assert str(error.value) == reason
    assert isinstance(error.value, Deferred)
    assert len(server.ended()) == 1


def test_a_client_without_a_name_to_look_for_does_not_connect(pki: Pki, serving: Callable[..., Server]) -> None:
    live = LiveContext(pki.tls("ct1"), server=False, say=lambda _line: None)
    with pytest.raises(NotSecure, match="the name to look for"):
        handshake(serving(pki.tls()).connect(), live, SECONDS)


def test_without_a_certificate_a_client_knows_its_server_all_the_same(pki: Pki, serving: Callable[..., Server]) -> None:
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
    pki: Pki, serving: Callable[..., Server], profile: str, options: list[str], end: str
) -> None:
    server = serving(pki.tls(profile=profile))
    command = ["echoscu", *options, "localhost", str(server.port)]
    subprocess.run(command, cwd=pki.folder, capture_output=True, check=False)
    assert server.ended() == [end]


# Files that change.


def test_a_new_certificate_is_served_without_a_restart(
    pki: Pki, tmp_path: Path, serving: Callable[..., Server]
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


def test_a_certificate_is_revoked_without_a_restart(pki: Pki, tmp_path: Path, serving: Callable[..., Server]) -> None:
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


@pytest.mark.parametrize("gone", ["ca.pem", "gateway.pem", "gateway.key", "ca.crl"])
def test_a_file_that_goes_away_takes_nothing_with_it(
    pki: Pki, tmp_path: Path, serving: Callable[..., Server], gone: str
) -> None:
    own = pki.copy(tmp_path / "pki")
    server = serving(own.tls())
    context = own.client("ct1")
    (own.folder / gone).unlink()
    assert echoes(server, context)
    assert echoes(server, context)
    assert len(server.said) == 1
    assert server.said[0].endswith("what was read before stays in use")


# Files that cannot be used.


def refusal(tls: Tls, *, server: bool = True) -> str:
    with pytest.raises(BadProfile) as error:
        build(tls, server=server)
    return str(error.value)


def test_an_encrypted_key_is_read_with_its_password(pki: Pki) -> None:
    tls = replace(pki.tls(), key=pki.folder / "encrypted.key")
    build(replace(tls, key_password_file=pki.folder / "password"), server=True)
    assert refusal(tls).endswith("is encrypted: name its key_password_file")
    assert "with the password of its file" in refusal(replace(tls, key_password_file=pki.folder / "wrong"))


@pytest.mark.parametrize("name", ["gateway.key", "password"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_may_read_is_refused(pki: Pki, tmp_path: Path, name: str, mode: int) -> None:
    own = pki.copy(tmp_path / "pki")
    (own.folder / name).chmod(mode)
    key = "gateway.key" if name == "gateway.key" else "encrypted.key"
    tls = replace(own.tls(), key=own.folder / key, key_password_file=own.folder / "password")
    assert f"{own.folder / name} is open to group or others: chmod 600" in refusal(tls)


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\n"])
def test_a_password_file_is_one_line(pki: Pki, tmp_path: Path, content: bytes) -> None:
    own = pki.copy(tmp_path / "pki")
    (own.folder / "password").write_bytes(content)
    tls = replace(own.tls(), key=own.folder / "encrypted.key", key_password_file=own.folder / "password")
    assert refusal(tls).startswith(f"the password file {own.folder / 'password'}")


def test_a_secret_is_a_file(pki: Pki, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(replace(pki.tls(), key=tmp_path / "pipe")).endswith("pipe is not a file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"certificate": "expired.pem", "key": "expired.key"}, "expired.pem expired on 20"),
        ({"key": "ct1.key"}, "does not belong to the certificate"),
        ({"certificate": "ca.crl"}, "holds no certificate in PEM form"),
        ({"certificate": "none.pem"}, "none.pem cannot be read: No such file"),
        ({"certificate": None}, "a server needs a certificate and its key"),
        ({"authorities": "gateway.key"}, "the file of authorities"),
        ({"crl": "ca.pem"}, "has no list of the authority CN=Authority of the tests"),
        ({"crl": "stranger-ca.crl"}, "has no list of the authority CN=Authority of the tests"),
        ({"crl": "none.crl"}, "the revocation list"),
    ],
)
def test_files_that_cannot_serve_are_refused_at_once(pki: Pki, change: dict[str, str | None], message: str) -> None:
    named = {key: pki.folder / name if name else None for key, name in change.items()}
    assert message in refusal(replace(pki.tls(), **named))  # type: ignore[arg-type]  # paths, all of them


def test_an_old_revocation_list_is_refused(pki: Pki, tmp_path: Path) -> None:
    own = pki.copy(tmp_path / "pki")
    key = load_pem_private_key((own.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    listed = x509.load_pem_x509_crl((own.folder / "ca.crl").read_bytes())
    builder = x509.CertificateRevocationListBuilder().issuer_name(listed.issuer)
    start = listed.last_update_utc.replace(year=2020)
    old = builder.last_update(start).next_update(start.replace(year=2021)).sign(key, hashes.SHA256())
    (own.folder / "ca.crl").write_bytes(old.public_bytes(Encoding.PEM))
    assert "ca.crl expired on 2021" in refusal(own.tls())


@pytest.mark.parametrize(
    ("key", "digest", "weakness"),
    [
        (
            rsa.generate_private_key(65537, 1024),  # noqa: S505 - weak, as it should be
            hashes.SHA256(),
            "its RSA key has less than 2048 bits",
        ),
        (ec.generate_private_key(ec.SECP224R1()), hashes.SHA256(), "its key has less than 256 bits"),
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA224(), "it is signed with a hash weaker than SHA-256"),
        (
            ed25519.Ed25519PrivateKey.generate(),
            hashes.SHA256(),
            "its key is neither RSA nor on an elliptic curve for ECDSA",
        ),
    ],
)
def test_weak_certificates_are_refused_at_once(
    pki: Pki,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: authority.Key,
    digest: hashes.HashAlgorithm,
    weakness: str,
) -> None:
    own = pki.copy(tmp_path / "pki")
    monkeypatch.setattr(authority, "_new_key", lambda **_kind: key)
    monkeypatch.setattr("deid.network.authority.hashes.SHA256", lambda: digest)
    authority.Authority(own.folder).issue(authority.Subject("weak", ("WEAK",)), 5)
    assert refusal(own.tls("weak")).endswith(weakness)
    (own.folder / "ca.pem").write_bytes((own.folder / "weak.pem").read_bytes())
    assert refusal(own.tls()).endswith(weakness)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (rsa.generate_private_key(65537, 1024), "the key of its certificate is too weak"),  # noqa: S505 - as above
        (ed25519.Ed25519PrivateKey.generate(), "its key is neither RSA nor on an elliptic curve for ECDSA"),
    ],
)
def test_a_peer_with_a_weak_certificate_is_refused(
    pki: Pki,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serving: Callable[..., Server],
    key: authority.Key,
    reason: str,
) -> None:
    own = pki.copy(tmp_path / "pki")
    monkeypatch.setattr(authority, "_new_key", lambda **_kind: key)
    authority.Authority(own.folder).issue(authority.Subject("weak", ("WEAK",)), 5)
    server = serving(own.tls())
    context = own.client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(own.folder / "weak.pem", own.folder / "weak.key")
    assert not echoes(server, context)
    (end,) = server.ended()
    assert end.endswith(reason)
