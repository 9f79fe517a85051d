"""What an X.509 certificate says of its holder: names, validity, strength. Of all that, only names are ever logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

# PS3.15 B.13, and what RFC 9325 4.4 to 4.5 ask of certificates.
_RSA_BITS: Final = 2048
_EC_BITS: Final = 256
_MOST_SHOWN: Final = 256  # characters of all names together
_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """The names in a certificate, by which a peer is known, and how long it is valid."""

    common_name: str  # of the subject; empty where it has none, or several
    names: tuple[str, ...]  # subject alternative names: URIs, DNS names, IP addresses
    sha256: str  # fingerprint of the whole certificate: 64 lower-case hexadecimal digits
    not_before: datetime
    not_after: datetime
    weakness: str  # why it is too weak to be relied on; empty if it is not

    def __str__(self) -> str:
        """What a log may say of it; names are the authority's words, so that they are made harmless."""
        shown = ", ".join((f"CN={self.common_name}", *self.names))
        if len(shown) > _MOST_SHOWN:
            shown = f"{shown[:_MOST_SHOWN]}..."
        return f"{''.join(each if each.isprintable() else '?' for each in shown)} (SHA-256 {self.sha256[:16]}...)"


def from_der(encoded: bytes) -> Certificate:
    """The certificate a peer has shown. Raises ValueError when it is not to be understood."""
    from cryptography import x509  # noqa: PLC0415 - 40 ms, not needed to print help

    (certificate,) = _all_told(lambda: [x509.load_der_x509_certificate(encoded)])
    return certificate


def from_pem(path: Path, what: str) -> tuple[Certificate, ...]:
    """All certificates of a file; `what` is what errors call it. Raises BadProfile when there are none."""
    from cryptography import x509  # noqa: PLC0415 - as above

    try:
        return _all_told(lambda: x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise BadProfile(f"{what} {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadProfile(f"{what} {path} holds no certificate in PEM form that can be understood") from None


def _all_told(load: Callable[[], Iterable[x509.Certificate]]) -> tuple[Certificate, ...]:
    from cryptography import x509  # noqa: PLC0415 - as above

    try:
        return tuple(map(_told, load()))
    except (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):  # they are no ValueError
        raise ValueError("a certificate that nobody here understands") from None


def _told(certificate: x509.Certificate) -> Certificate:
    from cryptography import x509  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - as above

    common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names: tuple[str, ...] = ()
    else:
        uris = alternative.get_values_for_type(x509.UniformResourceIdentifier)
        addresses = map(str, alternative.get_values_for_type(x509.IPAddress))
        names = (*uris, *alternative.get_values_for_type(x509.DNSName), *addresses)
    return Certificate(
        common_name=str(common_names[0].value) if len(common_names) == 1 else "",
        names=names,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        weakness=_weakness(certificate),
    )


def _weakness(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - as above

    try:
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "its algorithm is not known"
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS:
            return f"its RSA key has less than {_RSA_BITS} bits"
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        return "its key is neither RSA nor on an elliptic curve for ECDSA"
    elif key.key_size < _EC_BITS:
        return f"its key has less than {_EC_BITS} bits"
    if digest is None or digest.name not in _HASHES:
        return "it is signed with a hash weaker than SHA-256"
    return ""
