"""What the files of a context must be; told before anybody connects."""

from __future__ import annotations

import os
import shutil
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from deid.errors import BadProfile
from deid.network import authority
from deid.network.tls import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.network.tls import Tls
    from tests.conftest import Pki
    from tests.network.conftest import TlsServer


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


def test_a_revocation_list_of_another_version_is_damaged(pki: Pki, tmp_path: Path) -> None:
    listed = x509.load_pem_x509_crl((pki.folder / "ca.crl").read_bytes()).public_bytes(Encoding.DER)
    odd = listed.replace(b"\x02\x01\x01", b"\x02\x01\x09", 1)
    pem = ssl.DER_cert_to_PEM_cert(odd).replace("CERTIFICATE", "X509 CRL")
    (tmp_path / "odd.crl").write_text(pem)
    assert "not in PEM form, or damaged" in refusal(replace(pki.tls(), crl=tmp_path / "odd.crl"))


class In2020(datetime):
    @classmethod
    def now(cls, _zone: object = None) -> datetime:  # type: ignore[override]  # UTC is all that is asked for
        return datetime(2020, 7, 1, tzinfo=UTC)


def test_an_old_revocation_list_lets_nobody_in(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Callable[..., TlsServer]
) -> None:
    own = pki.copy(tmp_path / "pki")
    key = load_pem_private_key((own.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_crl((own.folder / "ca.crl").read_bytes()).issuer
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer)
    old = builder.last_update(datetime(2020, 1, 1, tzinfo=UTC)).next_update(datetime(2021, 1, 1, tzinfo=UTC))
    (own.folder / "ca.crl").write_bytes(old.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert "ca.crl expired on 2021-01-01: put a new one there" in refusal(own.tls())
    with monkeypatch.context() as patched:  # the gateway has been running since then
        patched.setattr("deid.network.tls.datetime", In2020)
        server = serving(own.tls())
    assert not server.echoes(own.client("ct1"))
    assert server.ended() == ["a revocation list has expired: put a new one in place"]


def test_one_of_several_authorities_may_have_expired(pki: Pki, tmp_path: Path) -> None:
    own = pki.copy(tmp_path / "pki")
    for name in ("stranger-ca", "expired"):
        with (own.folder / "ca.pem").open("ab") as authorities:
            authorities.write((own.folder / f"{name}.pem").read_bytes())
        build(own.tls(crl=None), server=True)
    (own.folder / "ca.pem").write_bytes((own.folder / "expired.pem").read_bytes())
    assert "expired on" in refusal(own.tls(crl=None))


def test_a_chain_needs_the_revocation_lists_of_all_its_authorities(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Callable[..., TlsServer]
) -> None:
    # A site's root, an authority below it, and ct1, which shows its chain up to the root.
    constraints = x509.BasicConstraints
    monkeypatch.setattr(
        "deid.network.authority.x509.BasicConstraints",
        lambda ca, path_length: constraints(ca, path_length if path_length is None else 1),
    )
    site, below = type(pki)(tmp_path / "site"), tmp_path / "below"
    root = authority.Authority.create(site.folder, "root", 10)
    root.issue(authority.Subject("gateway", hosts=("localhost",)), 10)
    authority.Authority.create(below, "below", 10).issue(authority.Subject("ct1", ("CT1",)), 5)
    root_key = load_pem_private_key((site.folder / "ca.key").read_bytes(), None)
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    alone = x509.load_pem_x509_certificate((below / "ca.pem").read_bytes())
    between = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")]),
        alone.subject,
        alone.public_key(),
        alone.serial_number,
        alone.not_valid_before_utc,
        alone.not_valid_after_utc,
        list(alone.extensions),
    ).sign(root_key, hashes.SHA256())
    shutil.copy(below / "ct1.key", site.folder)
    (site.folder / "ct1.pem").write_bytes((below / "ct1.pem").read_bytes() + between.public_bytes(Encoding.PEM))

    def ends(tls: Tls) -> list[str]:
        server = serving(tls)
        server.echoes(site.client("ct1"))
        return server.ended()

    assert ends(site.tls(crl=None)) == ["secure"]
    assert ends(site.tls()) == ["there is no revocation list of the authority of its certificate"]
    of_root, empty = ((folder / "ca.crl").read_bytes() for folder in (site.folder, below))
    (site.folder / "both.crl").write_bytes(of_root + empty)
    assert ends(site.tls(crl="both.crl")) == ["secure"]
    authority.Authority(below).revoke(site.folder / "ct1.pem")
    (site.folder / "both.crl").write_bytes(of_root + (below / "ca.crl").read_bytes())
    assert ends(site.tls(crl="both.crl")) == ["its certificate was revoked"]
    (site.folder / "between.pem").write_bytes(between.public_bytes(Encoding.PEM))
    authority.Authority(site.folder).revoke(site.folder / "between.pem")
    (site.folder / "both.crl").write_bytes((site.folder / "ca.crl").read_bytes() + empty)
    assert ends(site.tls(crl="both.crl")) == ["its certificate was revoked"]


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
    ("key", "profile", "level", "reason"),
    [
        (rsa.generate_private_key(65537, 1024), "bcp195", 2, "the key of its certificate is too weak"),  # noqa: S505 - as above
        # From OpenSSL 3.2 on, CCM_8 is at level 0 alone, where OpenSSL itself takes every key.
        (rsa.generate_private_key(65537, 1024), "bcp195-modified", 0, "its RSA key has less than 2048 bits"),  # noqa: S505 - as above
        (
            ed25519.Ed25519PrivateKey.generate(),
            "bcp195",
            2,
            "its key is neither RSA nor on an elliptic curve for ECDSA",
        ),
    ],
)
def test_a_peer_with_a_weak_certificate_is_refused(
    pki: Pki,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serving: Callable[..., TlsServer],
    key: authority.Key,
    profile: str,
    level: int,
    reason: str,
) -> None:
    own = pki.copy(tmp_path / "pki")
    monkeypatch.setattr(authority, "_new_key", lambda **_kind: key)
    authority.Authority(own.folder).issue(authority.Subject("weak", ("WEAK",)), 5)
    monkeypatch.setattr("deid.network.suites._SHORT_TAG_LEVEL", level)
    server = serving(own.tls(profile=profile))
    context = own.client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(own.folder / "weak.pem", own.folder / "weak.key")
    assert not server.echoes(context)
    (end,) = server.ended()
    assert end.endswith(reason)
