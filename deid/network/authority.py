"""A certification authority in a folder, for tests and pilots: its key, the certificates it issued, what it revoked.

A site with an authority of its own does not need it. Keys are open to their owner alone and are never overwritten.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deid.errors import BadState
from deid.network.private_file import read_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_RSA_BITS: Final = 3072  # as strong as P-256: 128 bits (RFC 9325 4.5, NIST SP 800-57)
_SKEW: Final = timedelta(minutes=10)  # clocks of devices are seldom right
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOST: Final = re.compile(r"(?=.{1,253}$)([A-Za-z0-9-]{1,63}\.)*[A-Za-z-][A-Za-z0-9-]{0,62}")  # no IPv4: a letter last
CERTIFICATE, PRIVATE_KEY, REVOKED = "ca.pem", "ca.key", "ca.crl"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate is for."""

    name: str  # of the files, and the common name
    ae_titles: tuple[str, ...] = ()  # as URIs: dicom-ae:CT1
    hosts: tuple[str, ...] = ()  # DNS names and IP addresses


class Authority:
    """An authority whose folder was opened."""

    def __init__(self, folder: Path) -> None:
        """Open it. Raises BadState when it is none."""
        self._folder = folder
        try:
            self._certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
            key = load_pem_private_key(read_private(folder / PRIVATE_KEY, "the authority's key"), None)
        except OSError as error:
            raise BadState(f"{folder} holds no authority: {error.strerror}; 'deid certs init' makes one") from None
        except (ValueError, TypeError):  # TypeError: the key is encrypted
            raise BadState(f"{folder} holds an authority that cannot be read") from None
        if not isinstance(key, Key):
            raise BadState(f"{folder} holds the key of another kind of authority")
        self._key = key

    @classmethod
    def create(cls, folder: Path, name: str, days: int, *, use_rsa: bool = False) -> Authority:
        """Make an authority in a folder that is new or empty. Raises BadState."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise BadState(f"{folder} is not empty: an authority needs a folder of its own")
            folder.chmod(0o700)
        except OSError as error:
            raise BadState(f"{folder} cannot be used: {error.strerror}") from None
        key = _new_key(use_rsa=use_rsa)
        subject = _common_name(name)
        made = (
            _valid(x509.CertificateBuilder(), _in_days(days))
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_new(folder / PRIVATE_KEY, _pem(key), 0o600)
        _write_new(folder / CERTIFICATE, made.public_bytes(Encoding.PEM), 0o644)
        authority = cls(folder)
        authority._publish_revoked([])
        return authority

    def issue(self, subject: Subject, days: int, *, use_rsa: bool = False) -> Path:
        """Write NAME.pem and NAME.key, fit for both sides of a connection. Raises BadState if they are there."""
        if not _NAME.fullmatch(subject.name) or subject.name == "ca":
            raise BadState("a name has letters, digits, '_' and '-' only, and is not 'ca'")
        if not subject.ae_titles and not subject.hosts:
            raise BadState("a certificate needs an AE title or a host that it is for")
        path = self._folder / f"{subject.name}.pem"
        if path.exists():
            raise BadState(f"{path} is there already: move it and its key away first, or choose another name")
        key = _new_key(use_rsa=use_rsa)
        made = (
            _valid(x509.CertificateBuilder(), min(_in_days(days), self._certificate.not_valid_after_utc))
            .subject_name(_common_name(subject.name))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(_alternative_names(subject)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write_new(path.with_suffix(".key"), _pem(key), 0o600)
        _write_new(path, made.public_bytes(Encoding.PEM), 0o644)
        return path

    def revoke(self, certificate: Path) -> None:
        """Put a certificate of ours on the revocation list. Raises BadState when it is not ours."""
        try:
            revoked = x509.load_pem_x509_certificate(certificate.read_bytes())
            listed = list(self._revoked())
        except OSError as error:
            raise BadState(f"{error.filename} cannot be read: {error.strerror}") from None
        except ValueError:
            raise BadState(f"{certificate} or the revocation list cannot be understood") from None
        if revoked.issuer != self._certificate.subject:
            raise BadState(f"{certificate} was issued by another authority")
        if revoked.serial_number not in [each.serial_number for each in listed]:
            entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number)
            listed.append(entry.revocation_date(datetime.now(UTC)).build())
        self._publish_revoked(listed)

    def _revoked(self) -> Iterable[x509.RevokedCertificate]:
        return x509.load_pem_x509_crl((self._folder / REVOKED).read_bytes())

    def _publish_revoked(self, revoked: Iterable[x509.RevokedCertificate]) -> None:
        """The whole list, put in place at once; it holds as long as the authority, and is replaced by the next."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - _SKEW)
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(each)
        path = self._folder / REVOKED
        beside = path.with_name(f".{REVOKED}.new")
        beside.unlink(missing_ok=True)
        _write_new(beside, builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM), 0o644)
        beside.replace(path)


def ae_uri(ae_title: str) -> str:
    """The URI by which a certificate names an AE title."""
    return f"dicom-ae:{quote(ae_title)}"


def _alternative_names(subject: Subject) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(ae_uri(each)) for each in subject.ae_titles]
    for host in subject.hosts:
        if _HOST.fullmatch(host):
            names.append(x509.DNSName(host))
            continue
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            raise BadState(f"{host} is neither a host name nor an IP address") from None
    return names


def _new_key(*, use_rsa: bool) -> Key:
    return rsa.generate_private_key(65537, _RSA_BITS) if use_rsa else ec.generate_private_key(ec.SECP256R1())


def _pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def _valid(builder: x509.CertificateBuilder, until: datetime) -> x509.CertificateBuilder:
    return builder.not_valid_before(datetime.now(UTC) - _SKEW).not_valid_after(until)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except OSError as error:
        raise BadState(f"{path} cannot be written: {error.strerror}") from None
