"""Where the real files are: beside the checkout, never inside it; certificates, good ones and others; programs."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from deid.network import authority
from deid.network.authority import Authority, Subject
from deid.network.tls import Tls, build
from tests.ports import free_ports, listens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509


SHARED = Path(__file__).resolve().parents[2] / "shared"
HOSTS = ("localhost", "127.0.0.1")


@pytest.fixture(autouse=True)
def nothing_seen_before() -> None:
    """A detector that fails would not be asked for a picture that an earlier test has shown it."""
    remembered = sys.modules.get("deid.pixels.remembered")  # most tests need no pixels
    if remembered is not None:
        remembered.forget()


class Pki(NamedTuple):
    """The folder of an authority: gateway, gateway-rsa, ct1 and ct2 are good, the others are what their names say."""

    folder: Path

    def tls(self, name: str = "gateway", profile: str = "bcp195", crl: str | None = "ca.crl") -> Tls:
        """What settings would name."""
        return Tls(
            authorities=self.folder / "ca.pem",
            certificate=self.folder / f"{name}.pem",
            key=self.folder / f"{name}.key",
            crl=self.folder / crl if crl else None,
            profile=profile,
        )

    def client(self, name: str = "", authorities: str = "ca.pem") -> ssl.SSLContext:
        """Somebody else's client, which does not look at its own certificate before it shows it."""
        context = ssl.create_default_context(cafile=self.folder / authorities)
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def copy(self, folder: Path) -> Pki:
        """The same files where a test may change them."""
        return Pki(shutil.copytree(self.folder, folder))

    def issue(self, name: str, start_days: float, end_days: float) -> Path:
        """A certificate that is valid when the test wants it."""
        now = datetime.now(UTC)

        def valid(builder: x509.CertificateBuilder, _until: datetime) -> x509.CertificateBuilder:
            start, end = timedelta(days=start_days), timedelta(days=end_days)
            return builder.not_valid_before(now + start).not_valid_after(now + end)

        with patch.object(authority, "_valid", valid):
            return Authority(self.folder).issue(Subject(name, (name.upper(),), HOSTS), 1)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki") / "ours"
    ours = Authority.create(folder, "Authority of the tests", 30)
    made = Pki(folder)
    for name in ("gateway", "ct1", "ct2", "revoked"):
        ours.issue(Subject(name, (name.upper(),), HOSTS), 10)
    ours.issue(Subject("gateway-rsa", ("DEID",), HOSTS), 10, use_rsa=True)
    made.issue("expired", -3, -1)
    made.issue("early", 1, 3)
    ours.revoke(folder / "revoked.pem")
    theirs = Authority.create(folder.parent / "stranger", "Somebody else's authority", 30)
    path = theirs.issue(Subject("stranger", ("CT1",), HOSTS), 10)
    shutil.copy(path, folder / "stranger.pem")
    shutil.copy(path.with_suffix(".key"), folder / "stranger.key")
    shutil.copy(folder.parent / "stranger" / "ca.pem", folder / "stranger-ca.pem")
    shutil.copy(folder.parent / "stranger" / "ca.crl", folder / "stranger-ca.crl")
    key = load_pem_private_key((folder / "gateway.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"of the key"))
    for name, content in (("encrypted.key", locked), ("password", b"of the key\n"), ("wrong", b"of another\n")):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return made


class AuditRepository:
    """One that speaks syslog over TLS, or in the clear: counts octets, and keeps every message that came whole."""

    def __init__(self, context: ssl.SSLContext | None, port: int = 0) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self.most = 1 << 30  # octets after which a connection is cut off
        self.confirms = True  # at its end
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Be away."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._socket.close()

    def documents(self) -> list[bytes]:
        """The XML of all messages, after a look at what precedes it."""
        found = []
        for message in self.messages:
            head, _, xml = message.partition(b"\xef\xbb\xbf")
            assert re.fullmatch(rb"<8[45]>1 \S+ \S+ deid-gateway \d+ DICOM\+RFC3881 - ", head), head
            found.append(xml)
        return found

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), connection:
                connection.settimeout(60)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._context is None:
            self._take(connection)
            return
        with self._context.wrap_socket(connection, server_side=True) as secured:
            if self._take(secured) and self.confirms:
                secured.unwrap()

    def _take(self, connection: socket.socket) -> bool:
        """All messages; says whether it came to the end."""
        left = b""
        read = 0
        while more := connection.recv(65_536):
            read += len(more)
            left += more
            while (space := left.find(b" ")) > 0 and len(left) >= (end := space + 1 + int(left[:space])):
                self.messages.append(left[space + 1 : end])
                left = left[end:]
            if read > self.most:
                return False
        assert not left
        return True


@pytest.fixture
def audit_repository(pki: Pki) -> Iterator[AuditRepository]:
    """One that asks for a certificate."""
    repository = AuditRepository(build(pki.tls(), server=True))
    yield repository
    repository.close()


@dataclass(frozen=True)
class Orthanc:
    """One that runs, plain DICOM and REST, on ports of its own."""

    port: int
    web: int

    def ask(self, path: str, said: object = None) -> Any:
        """What its REST interface answers, to a POST if something is said."""
        content = said if said is None or isinstance(said, bytes) else json.dumps(said).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", content, timeout=20) as answer:
            return json.load(answer)


class Programs:
    """Programs of others that listen on a port, from when they do to the end of the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def start(self, command: list[str], *ports: int) -> None:
        """Start one, and wait until it listens on all of these."""
        log = self._stack.enter_context((self._folder / f"{ports[0]}.log").open("w+"))
        program = self._stack.enter_context(subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log))
        self._stack.callback(program.terminate)
        for _ in range(1200):
            if all(map(listens, ports)):
                return
            assert program.poll() is None, f"{command} has ended"
            time.sleep(0.05)
        pytest.fail(f"{command} does not listen")

    def orthanc(self, modalities: dict[str, list[object]] | None = None, **more: object) -> Orthanc:
        """Start one that knows these modalities: name, AE title, host, port; `more` are other settings of it."""
        made = Orthanc(*free_ports(2))
        folder = self._folder / "orthanc"
        folder.mkdir()
        settings = {
            "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomAet": "ORTHANC",
            "DicomPort": made.port, "HttpPort": made.web, "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False, "DicomModalities": modalities or {},
            **more,
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))
        self.start(["Orthanc", str(folder / "settings.json")], made.port, made.web)
        return made


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with ExitStack() as stack:
        yield Programs(tmp_path_factory.mktemp("programs"), stack)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real DICOM files; tests that need it are skipped where it is absent."""
    folder = SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip("no corpus of real files beside the checkout (../shared/corpus)")
    return folder
