"""Where the real files are: beside the checkout, never inside it; and certificates, good ones and others."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
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
from deid.network.tls import Tls

if TYPE_CHECKING:
    from cryptography import x509

SHARED = Path(__file__).resolve().parents[2] / "shared"
HOSTS = ("localhost", "127.0.0.1")


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


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real DICOM files; tests that need it are skipped where it is absent."""
    folder = SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip("no corpus of real files beside the checkout (../shared/corpus)")
    return folder
