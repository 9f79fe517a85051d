from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from deid.errors import BadProfile
from deid.network.certificate import Certificate, from_der, from_pem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki


def test_what_stands_in_a_certificate(pki: Pki) -> None:
    (shown,) = from_pem(pki.folder / "ct1.pem", "the file")
    assert (shown.common_name, shown.weakness) == ("ct1", "")
    assert shown.names == ("dicom-ae:CT1", "localhost", "127.0.0.1")
    assert shown == from_der(ssl.PEM_cert_to_DER_cert((pki.folder / "ct1.pem").read_text()))


def test_a_file_may_hold_several(pki: Pki, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes((pki.folder / "ct1.pem").read_bytes() + (pki.folder / "ca.pem").read_bytes())
    assert [each.common_name for each in from_pem(both, "the file")] == ["ct1", "Authority of the tests"]


def test_a_name_commands_no_terminal_and_breaks_no_line(pki: Pki) -> None:
    (shown,) = from_pem(pki.folder / "ct1.pem", "the file")
    hostile = Certificate("a\nb\x1b[2J", ("\x9b",), shown.sha256, shown.not_before, shown.not_after, "")
    assert str(hostile) == f"CN=a?b?[2J, ? (SHA-256 {shown.sha256[:16]}...)"


def test_however_many_names_there_are_a_log_shows_some(pki: Pki) -> None:
    (shown,) = from_pem(pki.folder / "ct1.pem", "the file")
    many = replace(shown, names=tuple(f"{number}.example" for number in range(10_000)))
    assert len(str(many)) < 300
    assert str(many).endswith(f"... (SHA-256 {shown.sha256[:16]}...)")


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x00"]
)
def test_what_is_no_certificate_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "none.pem").write_bytes(content)
    with pytest.raises(BadProfile, match="holds no certificate in PEM form"):
        from_pem(tmp_path / "none.pem", "the file")


@pytest.mark.parametrize("encoded", [b"", b"\x30\x00", b"\x30\x80" * 1000])
def test_what_a_peer_shows_may_be_anything(encoded: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is a library's
        from_der(encoded)


EDI_PARTY_NAME = bytes.fromhex("3006a504a1020c00")  # a kind of alternative name that has gone out of use
VERSION_3, VERSION_10 = bytes.fromhex("a003020102"), bytes.fromhex("a003020109")


def test_what_the_library_does_not_understand_is_told(tmp_path: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, EDI_PARTY_NAME)
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, now, now + timedelta(days=1))
    odd = builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    plain = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert from_der(plain).names == ()
    for encoded in (odd, plain.replace(VERSION_3, VERSION_10, 1)):
        assert encoded != plain
        with pytest.raises(ValueError, match="nobody here understands"):
            from_der(encoded)
        (tmp_path / "odd.pem").write_text(ssl.DER_cert_to_PEM_cert(encoded))
        with pytest.raises(BadProfile, match="can be understood"):
            from_pem(tmp_path / "odd.pem", "the file")
