"""The secure transport connection profiles of PS3.15 Annex B: exactly their TLS versions and cipher suites."""

from __future__ import annotations

import platform
import ssl
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SecureProfile:
    """One profile; suites stand in the order in which a server prefers them."""

    name: str  # as in the settings
    clause: str
    tls_1_3: tuple[str, ...]  # names of RFC 8446, which are those of OpenSSL
    tls_1_2: Mapping[str, str]  # names of the standard to those of OpenSSL
    signatures: str  # algorithms as OpenSSL names them; empty: OpenSSL's own choice


# RFC 8446 9.1, in OpenSSL's order.
_TLS_1_3: Final = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")

# RFC 9325 4.2: what is recommended for TLS 1.2. All give forward secrecy and authenticated encryption.
_RFC_9325: Final = MappingProxyType(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    }
)

# PS3.15 B.13: "Servers shall support all of the following cipher suites", in the standard's order.
_MODIFIED: Final = MappingProxyType(
    {
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CCM": "ECDHE-ECDSA-AES256-CCM",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8": "ECDHE-ECDSA-AES256-CCM8",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CCM": "ECDHE-ECDSA-AES128-CCM",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": "ECDHE-ECDSA-AES128-CCM8",
    }
)

PROFILES: Final[Mapping[str, SecureProfile]] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            SecureProfile("bcp195", "PS3.15 B.12", _TLS_1_3, _RFC_9325, signatures=""),
            SecureProfile(
                "bcp195-modified",
                "PS3.15 B.13",
                (*_TLS_1_3, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"),
                _MODIFIED,
                # PS3.15 B.13: ECDSA, RSA PKCS #1 v1.5 and RSA-PSS, with SHA-256 and SHA-384 alone.
                signatures="ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384",
            ),
        )
    }
)

_LEVEL: Final = 2  # of OpenSSL's security levels: 112 bits, so RSA from 2048 bits, no SHA-1
_SHORT_TAG_LEVEL: Final = _LEVEL if ssl.OPENSSL_VERSION_INFO < (3, 2) else 0  # OpenSSL 3.2 counts CCM_8 as level 0
_SSL_CTRL_SET_SIGALGS_LIST: Final = 98  # SSL_CTX_set1_sigalgs_list is a macro of SSL_CTX_ctrl


def offer(context: ssl.SSLContext, profile: SecureProfile) -> None:
    """Let a context offer what the profile lists, and nothing else. Raises BadProfile where that cannot be."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    level = _SHORT_TAG_LEVEL if any("CCM_8" in name for name in profile.tls_1_2) else _LEVEL
    try:
        context.set_ciphers(f"{':'.join(profile.tls_1_2.values())}:@SECLEVEL={level}")
    except ssl.SSLError:
        raise BadProfile(f"TLS profile {profile.name}: {ssl.OPENSSL_VERSION} has none of its cipher suites") from None
    offered = [cipher["name"] for cipher in context.get_ciphers()]
    if profile.signatures or tuple(offered[: -len(profile.tls_1_2)]) != profile.tls_1_3:
        _set_tls_1_3(context, profile)
        offered = [cipher["name"] for cipher in context.get_ciphers()]
    if offered != [*profile.tls_1_3, *profile.tls_1_2.values()]:
        raise BadProfile(
            f"TLS profile {profile.name} ({profile.clause}) is refused, not claimed in part: {ssl.OPENSSL_VERSION}"
            " does not offer exactly its cipher suites; look at the system's openssl.cnf"
        )


def _set_tls_1_3(context: ssl.SSLContext, profile: SecureProfile) -> None:
    """Tell OpenSSL itself: before Python 3.15 the module ssl has no word for suites of TLS 1.3 and for signatures.

    The pointer to OpenSSL's context is the first field after the head of the object, in CPython 3.11 to 3.14.
    """
    if platform.python_implementation() != "CPython" or sys.version_info >= (3, 15):
        raise BadProfile(
            f"TLS profile {profile.name} needs CPython 3.11 to 3.14, which this is not; profile bcp195 needs nothing"
        )
    import _ssl  # noqa: PLC0415 - as the next
    import ctypes  # noqa: PLC0415 - only this profile needs them

    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    suites = ctypes.c_char_p(":".join(profile.tls_1_3).encode("ascii"))
    signatures = ctypes.c_char_p(profile.signatures.encode("ascii"))
    try:
        openssl = ctypes.CDLL(getattr(_ssl, "__file__", None))
        done = openssl.SSL_CTX_set_ciphersuites(pointer, suites)
        if done and profile.signatures:
            done = openssl.SSL_CTX_ctrl(pointer, _SSL_CTRL_SET_SIGALGS_LIST, ctypes.c_long(0), signatures)
    except (OSError, AttributeError):  # a Python whose OpenSSL cannot be called from outside
        done = 0
    if not done:
        raise BadProfile(f"TLS profile {profile.name}: {ssl.OPENSSL_VERSION} lacks algorithms that it asks for")
