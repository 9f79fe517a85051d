"""Security profiles and character sets."""

from __future__ import annotations

from deid.conformance.markdown import table
from deid.gateway.audit_message import EVENTS
from deid.network.suites import PROFILES
from deid.network.syslog import MOST
from deid.part10.charsets import CODECS


def security() -> str:
    """The section on security."""
    suites = (
        (profile.name, profile.clause, version, suite)
        for profile in PROFILES.values()
        for version, listed in (("1.3", profile.tls_1_3), ("1.2", profile.tls_1_2))
        for suite in listed
    )
    signatures = (
        (each.name, each.signatures or "those of OpenSSL, of 112 bits at least") for each in PROFILES.values()
    )
    events = ((event.value, event.meaning) for event in EVENTS)
    return (
        "## 6 Security\n\n"
        "### 6.1 Secure transport connection\n\n"
        "Each listener and each destination has one of these profiles, for DICOM and for HTTP, and offers exactly"
        " these cipher suites, in this order; where the system's OpenSSL cannot, the profile is refused. No other"
        " version of TLS is spoken. Whoever connects to us must show a certificate of the authorities that the settings"
        " name, and who is connected to must show one with its host name; we show ours where the settings name one."
        " Certificates, keys and revocation lists are files in PEM form that are read again when they change."
        " Connections without TLS are possible where the settings say so in words.\n\n"
        + table(("Profile", "Clause", "TLS", "Cipher suite"), suites)
        + "\n\nSignature algorithms:\n\n"
        + table(("Profile", "As OpenSSL names them"), signatures)
        + "\n\n### 6.2 User identity\n\n"
        "A peer may have a user, who must name himself by User Identity Negotiation, type 2 (PS3.7 D.3.3.7), or over"
        " HTTP by his passcode as bearer token. Kerberos, SAML and JWT are not accepted.\n\n"
        "### 6.3 Audit trail\n\n"
        "Where the settings name an audit repository, it gets messages in the format of PS3.15 A.5 by syslog over TLS"
        f" (A.6), none longer than {MOST} bytes. None identifies a patient. Their events:\n\n"
        + table(("Code (DCM)", "Event"), events)
    )


def character_sets() -> str:
    """The section on character sets."""
    single = (f"`{term}`" for term in CODECS if term)
    return (
        "## 7 Character sets\n\n"
        "Text that is kept is copied byte for byte, whatever its Specific Character Set (0008,0005). Text that is"
        " written is of the default repertoire (ISO_IR 6), which all of them share. To search for identifying values,"
        f" text is decoded in {', '.join(single)}, and with the code extensions of ISO 2022; what declares another set"
        " is read as ISO_IR 100, and what is valid UTF-8 as that too."
    )
