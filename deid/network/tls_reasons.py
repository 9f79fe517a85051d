"""Why a secure connection did not come about, in words that an administrator can act on; without any value."""

from __future__ import annotations

import ssl
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# X509_verify_cert_error_string's numbers: what is wrong with the certificate that the other side has shown.
_OF_CERTIFICATE: Final[Mapping[int, str]] = MappingProxyType(
    {
        2: "the authority of its certificate is not known here",
        3: "there is no revocation list of the authority of its certificate",
        7: "the signature of its certificate is wrong",
        8: "the signature of a revocation list is wrong",
        9: "its certificate is not valid yet; compare the clocks",
        10: "its certificate has expired",
        11: "a revocation list is not valid yet; compare the clocks",
        12: "a revocation list has expired: put a new one in place",
        18: "its certificate is self-signed and not known here",
        19: "the authority of its certificate is not known here",
        20: "the authority of its certificate is not known here",
        21: "the authority of its certificate is not known here, or is not in its chain",
        23: "its certificate was revoked",
        26: "its certificate was not issued for this use (extended key usage)",
        62: "its certificate does not have the name of the host that was called",
        64: "its certificate does not have the address of the host that was called",
        66: "the key of its certificate is too weak",
        67: "the key of an authority of its certificate is too weak",
        68: "its certificate is signed with a hash that is too weak",
    }
)

# Reasons of OpenSSL; "ALERT" in a name: the other side has said so about us.
_OF_HANDSHAKE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it has shown no certificate",
        "UNSUPPORTED_PROTOCOL": "it offers no TLS version newer than 1.1",
        "VERSION_TOO_LOW": "it offers no TLS version newer than 1.1",
        "TLSV1_ALERT_PROTOCOL_VERSION": "it does not take TLS 1.2 or 1.3",
        "NO_SHARED_CIPHER": "it offers no cipher suite of the TLS profile",
        "NO_SHARED_SIGNATURE_ALGORITHMS": "it offers no signature algorithm of the TLS profile",
        "NO_SUITABLE_SIGNATURE_ALGORITHM": "it offers no signature algorithm of the TLS profile",
        "NO_SHARED_GROUPS": "it offers no elliptic curve that is strong enough",
        "NO_SUITABLE_KEY_SHARE": "it offers no elliptic curve that is strong enough",
        "SSLV3_ALERT_HANDSHAKE_FAILURE": "it takes no cipher suite of the TLS profile, or wants a certificate",
        "WRONG_VERSION_NUMBER": "what it sends is not TLS",
        "HTTP_REQUEST": "what it sends is HTTP, not TLS",
        "HTTPS_PROXY_REQUEST": "what it sends is HTTP, not TLS",
        "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our certificate",
        "TLSV1_ALERT_ACCESS_DENIED": "it has refused our certificate",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate from us: name one in the settings",
        "SSLV3_ALERT_NO_CERTIFICATE": "it wants a certificate from us: name one in the settings",
        "SSLV3_ALERT_BAD_CERTIFICATE": "it has refused our certificate",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired",
        "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our certificate was revoked",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it has refused our certificate",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it has refused our certificate as one not issued for this use",
        "TLSV1_ALERT_DECRYPT_ERROR": "it says that a signature of ours is wrong",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY": "it wants stronger cipher suites than the TLS profile has",
    }
)


def reason_of(error: Exception) -> str:
    """The reason that a connection came to nothing, be it TLS or the network below; for a log."""
    if isinstance(error, ssl.SSLCertVerificationError):
        number = error.verify_code
        return _OF_CERTIFICATE.get(number, f"its certificate is refused (verification error {number})")
    if isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "it has ended the connection"
    if isinstance(error, ssl.SSLError):
        name = error.reason or type(error).__name__
        return _OF_HANDSHAKE.get(name, f"the TLS handshake failed ({name})")
    if isinstance(error, TimeoutError):
        return "nothing came within the time for a handshake"
    if isinstance(error, OSError):
        return f"the connection failed ({error.strerror or type(error).__name__})"
    return "its certificate, or the name to look for in it, cannot be read"
