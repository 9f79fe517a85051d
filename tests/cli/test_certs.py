from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Pki


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_from_nothing_to_a_certificate(deid: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    assert deid("certs", "init", folder).code == 0
    said = deid(
        "certs", "issue", folder, "ct1", "--ae", "CT1", "--ae", "CT 2", "--host", "ct1.example", "--host", "::1"
    )
    assert (said.code, said.out) == (0, f"Made {folder}/ct1.pem and ct1.key.\n")
    assert mode(folder) == 0o700
    assert {mode(folder / name) for name in ("ca.key", "ct1.key")} == {0o600}
    said = deid("certs", "show", folder)
    assert said.err == ""
    header, authority, device = said.out.splitlines()
    assert header.split() == ["file", "names", "valid", "until", "SHA-256"]
    assert authority.startswith("ca.pem   DICOM test authority")
    assert device.startswith("ct1.pem  ct1, dicom-ae:CT1, dicom-ae:CT%202, ct1.example, ::1")


def test_what_expires_or_is_weak_is_told(deid: Callable[..., Any], pki: Pki) -> None:
    said = deid("certs", "show", pki.folder)
    assert said.code == 0
    assert "expired.pem: expired on 20" in said.err
    assert "ct1.pem: expires in 9 days: issue a new one\n" in said.err
    assert "ca.pem: expires in 29 days: issue a new one\n" in said.err


def test_a_certificate_is_revoked(deid: Callable[..., Any], tmp_path: Path) -> None:
    deid("certs", "init", tmp_path / "pki")
    deid("certs", "issue", tmp_path / "pki", "ct1", "--ae", "CT1")
    before = (tmp_path / "pki" / "ca.crl").read_bytes()
    said = deid("certs", "revoke", tmp_path / "pki", tmp_path / "pki" / "ct1.pem")
    assert said.code == 0
    assert (tmp_path / "pki" / "ca.crl").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["init", "."], "is not empty: an authority needs a folder of its own"),
        (["issue", "none", "ct1", "--ae", "CT1"], "holds no authority: No such file"),
        (["issue", ".", "ct1"], "needs an AE title or a host"),
        (["issue", ".", "ct1", "--ae", "CT1"], "ct1.pem is there already"),
        (["issue", ".", "../ct1", "--ae", "CT1"], "a name has letters, digits"),
        (["issue", ".", "ca", "--ae", "CT1"], "a name has letters, digits"),
        (["issue", ".", "new", "--host", "http://x"], "neither a host name nor an IP address"),
        (["issue", ".", "new", "--host", "300.1.1.1"], "neither a host name nor an IP address"),
        (["revoke", ".", "stranger.pem"], "was issued by another authority"),
        (["revoke", ".", "none.pem"], "none.pem cannot be read: No such file"),
        (["revoke", ".", "ca.key"], "cannot be understood"),
        (["show", "none.pem"], "none.pem cannot be read: No such file"),
        (["show", "ca.key"], "holds no certificate in PEM form"),
    ],
)
def test_what_cannot_be_done_is_said(
    deid: Callable[..., Any], pki: Pki, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(pki.folder)
    said = deid("certs", *words)
    assert said.code == 2
    assert message in said.err


def test_a_folder_without_certificates_is_told(deid: Callable[..., Any], tmp_path: Path) -> None:
    assert "there is no certificate" in deid("certs", "show", tmp_path).err
