"""What is offered, seen from the other side: in the bytes of a ClientHello, and suite by suite against a server."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import BadProfile
from deid.network.suites import PROFILES, offer
from deid.network.tls import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Pki

# RFC 8446 B.4, RFC 5289, RFC 7251, RFC 7905: what PS3.15 B.12 (by RFC 9325) and B.13 list.
CODES = {
    "bcp195": {0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xC02F, 0xC030},
    "bcp195-modified": {
        *(0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0xC02B, 0xC02C, 0xC02F, 0xC030),
        *(0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xCCA8, 0xCCA9),
    },
}
NO_SUITE = 0x00FF  # RFC 5746: says that renegotiation is safe
EXTENSION_SIGNATURES, EXTENSION_VERSIONS = 13, 43


def client_hello(context: ssl.SSLContext) -> tuple[set[int], dict[int, bytes]]:
    """Cipher suites and extensions (RFC 8446 4.1.2)."""
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    hello = memoryview(outgoing.read())[5 + 4 + 2 + 32 :]  # record, message, version, random
    hello = hello[1 + hello[0] :]  # session
    size = int.from_bytes(hello[:2])
    offered = {int.from_bytes(hello[2 + at : 4 + at]) for at in range(0, size, 2)}
    hello = hello[2 + size :]
    hello = hello[1 + hello[0] + 2 :]  # compression, length of extensions
    extensions = {}
    while hello:
        length = int.from_bytes(hello[2:4])
        extensions[int.from_bytes(hello[:2])] = bytes(hello[4 : 4 + length])
        hello = hello[4 + length :]
    return offered - {NO_SUITE}, extensions


@pytest.mark.parametrize("profile", PROFILES)
def test_a_client_offers_exactly_the_suites_of_its_profile(pki: Pki, profile: str) -> None:
    offered, extensions = client_hello(build(pki.tls("ct1", profile), server=False))
    assert offered == CODES[profile]
    assert extensions[EXTENSION_VERSIONS][1:] == b"\x03\x04\x03\x03"  # TLS 1.3, then 1.2, nothing else


def test_the_modified_profile_signs_with_its_algorithms_alone(pki: Pki) -> None:
    _, extensions = client_hello(build(pki.tls("ct1", "bcp195-modified"), server=False))
    offered = extensions[EXTENSION_SIGNATURES][2:]
    # RFC 8446 4.2.3: ECDSA, RSA-PSS (rsae), RSA PKCS #1 with SHA-256 and SHA-384.
    algorithms = {int.from_bytes(offered[at : at + 2]) for at in range(0, len(offered), 2)}
    assert algorithms == {0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501}


@pytest.fixture
def served(pki: Pki, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server for (profile, certificate) that does handshakes, one after another, and hangs up."""
    profile, name = request.param
    context = build(pki.tls(name, profile), server=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(5)
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def accepted(port: int, context: ssl.SSLContext) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            context.wrap_socket(connection, server_hostname="localhost").close()
    except (ssl.SSLError, ConnectionError):
        return False
    return True


def everything(**versions: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    for name, version in versions.items():
        setattr(context, name, version)
    return context


EACH_SERVER = [(profile, name) for profile in PROFILES for name in ("gateway", "gateway-rsa")]


@pytest.mark.parametrize("served", EACH_SERVER, indirect=True)
def test_a_server_takes_exactly_the_suites_of_its_profile_in_tls_1_2(
    pki: Pki, served: int, request: pytest.FixtureRequest
) -> None:
    profile, name = request.node.callspec.params["served"]
    known = [each["name"] for each in everything().get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert {"ECDHE-ECDSA-NULL-SHA", "NULL-SHA256", "AES128-SHA", "ECDHE-RSA-AES128-SHA256"} <= set(known)
    taken = set()
    for suite in known:
        context = everything(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
        context.load_cert_chain(pki.folder / "ct1.pem", pki.folder / "ct1.key")
        if accepted(served, context):
            taken.add(suite)
    kind = "_RSA_" if name == "gateway-rsa" else "_ECDSA_"
    assert taken == {theirs for ours, theirs in PROFILES[profile].tls_1_2.items() if kind in ours}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("served", EACH_SERVER, indirect=True)
def test_a_server_takes_exactly_the_suites_of_its_profile_in_tls_1_3(
    pki: Pki, served: int, request: pytest.FixtureRequest
) -> None:
    profile, _ = request.node.callspec.params["served"]
    own = ["-cert", str(pki.folder / "ct1.pem"), "-key", str(pki.folder / "ct1.key")]
    taken = set()
    for suite in PROFILES["bcp195-modified"].tls_1_3:  # there are no others
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{served}", "-tls1_3", "-ciphersuites", suite, *own]
        done = subprocess.run(command, input=b"", capture_output=True, check=False)
        if f"Cipher is {suite}".encode() in done.stdout:
            taken.add(suite)
    assert taken == set(PROFILES[profile].tls_1_3)


@pytest.mark.parametrize("served", EACH_SERVER[:1], indirect=True)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_no_version_before_tls_1_2_is_taken(pki: Pki, served: int, version: ssl.TLSVersion) -> None:
    context = everything(minimum_version=version, maximum_version=version)
    context.load_cert_chain(pki.folder / "ct1.pem", pki.folder / "ct1.key")
    assert not accepted(served, context)


def test_a_profile_that_cannot_be_offered_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.network.suites.platform.python_implementation", lambda: "PyPy")
    context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(BadProfile, match="bcp195-modified needs CPython"):
        offer(context, PROFILES["bcp195-modified"])
