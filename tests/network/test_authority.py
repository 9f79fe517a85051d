from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from deid.errors import BadProfile, BadState
from deid.network.authority import Authority, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("name", "purpose", "answer"),
    [
        ("ct1", "sslclient", "ct1.pem: OK"),
        ("gateway", "sslserver", "gateway.pem: OK"),
        ("gateway-rsa", "sslserver", "gateway-rsa.pem: OK"),
        ("revoked", "sslclient", "certificate revoked"),
        ("expired", "sslclient", "certificate has expired"),
        ("stranger", "sslclient", "unable to get local issuer certificate"),
    ],
)
def test_another_program_judges_the_same(pki: Pki, name: str, purpose: str, answer: str) -> None:
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-purpose", purpose]
    files = ["-CAfile", "ca.pem", "-CRLfile", "ca.crl", f"{name}.pem"]
    done = subprocess.run([*command, *files], cwd=pki.folder, capture_output=True, text=True, check=False)
    assert answer in done.stdout + done.stderr


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "pki", "short", 5)
    issued = made.issue(Subject("ct1", ("CT1",)), 100)
    ends = [
        x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        for path in (issued, tmp_path / "pki" / "ca.pem")
    ]
    assert ends[0] == ends[1]


def test_what_was_revoked_stays_revoked(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "pki", "short", 5)
    paths = [made.issue(Subject(name, (name,)), 5) for name in ("A", "B")]
    for path in (*paths, paths[0]):
        Authority(tmp_path / "pki").revoke(path)
    serials = {x509.load_pem_x509_certificate(path.read_bytes()).serial_number for path in paths}
    listed = [each.serial_number for each in x509.load_pem_x509_crl((tmp_path / "pki" / "ca.crl").read_bytes())]
    assert sorted(listed) == sorted(serials)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "pki", "short", 5)
    path = made.issue(Subject("ct1", ("CT1",)), 5)
    path.unlink()  # the key is still there
    key = path.with_suffix(".key").read_bytes()
    with pytest.raises(BadState, match=r"ct1\.key cannot be written: File exists"):
        made.issue(Subject("ct1", ("CT1",)), 5)
    assert path.with_suffix(".key").read_bytes() == key
    with pytest.raises(BadState, match="is not empty"):
        Authority.create(tmp_path / "pki", "again", 5)


def test_the_key_of_an_authority_is_its_owners_alone(tmp_path: Path) -> None:
    Authority.create(tmp_path / "pki", "short", 5)
    (tmp_path / "pki" / "ca.key").chmod(0o644)
    with pytest.raises(BadProfile, match="is open to group or others"):
        Authority(tmp_path / "pki")
