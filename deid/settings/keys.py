"""The keys of a settings file: their forms, which are needed, and what they mean; the one place they are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.network.suites import PROFILES
from deid.settings.criteria import Comparison, SopClass
from deid.settings.shape import HOST_ADDRESS, NETWORK, File, Host, Key, Many, Number, OneOf, Sentence, Table, Text, Word

if TYPE_CHECKING:
    from deid.settings.shape import Schema

IN_THE_CLEAR: Final = "yes, I accept that names travel in the clear"

# PS3.5 6.2: AE has 16 characters of the default repertoire, no backslash; spaces around it have no meaning.
_AE_TITLE: Final = Text(
    r"(?! )[ -\[\]-~]{1,16}(?<! )",
    "an AE title: 1 to 16 ASCII characters, no backslash, no spaces around it (PS3.5 6.2)",
)
_NAME: Final = Text("[A-Za-z0-9_-]{1,64}", "a name of letters A-Z and a-z, digits, '_' and '-'")
_PORT: Final = Number(1, 65535)
_PRIVATE: Final = Text(
    # PS3.5 9.1; what the standard calls so is stored already, or is another service.
    r"(?!1\.2\.840\.10008\.)(?=.{1,64}$)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+",
    "a UID of a manufacturer, in quotes: digits and dots, 64 at most, and none that the standard defines",
)
_USER: Final = Text("[!-9;-~]{1,64}", "a user's name of 1 to 64 ASCII characters without spaces and colons")
_URL: Final = Text(
    r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~%-]{1,64}){0,8}/?",
    "the address of a service: https://HOST or https://HOST:PORT/PATH",
)

_OURS: Final = "Our certificate in PEM form, with its chain up to the authority."
_KEY: Final = "Its private key in PEM form; the file is open to its owner alone (0600)."
_TLS: Final = {
    "profile": Key(Word(tuple(PROFILES)), "Secure transport connection profile of PS3.15 Annex B.", default="bcp195"),
    "authorities": Key(File(), "Certificates of the authorities whose word is taken, PEM.", required=True),
    "crl": Key(File(), "Revocation lists of all these authorities, PEM; left out, nothing counts as revoked."),
    "key_password_file": Key(File(), "One line with the password of the key, where it is encrypted (0600)."),
}
_SERVER: Final = Table(
    {
        **_TLS,
        "certificate": Key(File(), _OURS, required=True),
        "key": Key(File(), _KEY, required=True),
    }
)
_CLIENT: Final = Table(
    {**_TLS, "certificate": Key(File(), _OURS), "key": Key(File(), _KEY)},
    together=("certificate", "key"),
)
_UNENCRYPTED: Final = Key(Sentence(IN_THE_CLEAR), "Plain DICOM, which anybody on the way can read.")

_LISTENER: Final = Table(
    {
        "port": Key(_PORT, "TCP port; 2762 is registered for DICOM over TLS, 11112 for plain DICOM.", required=True),
        "address": Key(HOST_ADDRESS, "Address of this machine to listen on.", default="0.0.0.0"),  # noqa: S104 - that is what a service is for
        "dicomweb": Key(
            Text("(?:/[A-Za-z0-9_-]{1,64}){1,8}", "a path such as /dicom-web"),
            "Peers send by STOW-RS over HTTP to this path and /studies; left out, over associations.",
        ),
        "tls": Key(_SERVER, "Encrypted; peers show certificates of these authorities."),
        "unencrypted": _UNENCRYPTED,
    },
    one_of=("tls", "unencrypted"),
)
_RESULTS: Final = Table(
    {
        "host": Key(Host(), "Host name or IP address; over TLS its certificate must have it.", required=True),
        "port": Key(_PORT, "TCP port.", required=True),
        "tls": Key(_CLIENT, "Encrypted; it shows a certificate of these authorities."),
        "unencrypted": _UNENCRYPTED,
    },
    one_of=("tls", "unencrypted"),
)
_KNOWN_BY: Final = {
    "certificate": Key(
        Table(
            {
                "san": Key(
                    Text(r"[!-~]{1,255}", "a subject alternative name: a URI such as dicom-ae:CT1, or a DNS name"),
                    "A URI or DNS name among the certificate's subject alternative names.",
                ),
                "subject": Key(Text(".{1,64}", "a common name"), "The common name of the certificate's subject."),
                "sha256": Key(
                    Text("(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}", "a SHA-256 fingerprint: 64 hexadecimal digits"),
                    "The fingerprint of its certificate.",
                ),
            },
            some_of=("san", "subject", "sha256"),
        ),
        "Whose certificate it shows; all that is given must hold.",
    ),
    "addresses": Key(Many(NETWORK, "an address"), "Where it connects from: addresses or networks."),
}
_PEER: Final = Table(
    {
        "ae_title": Key(_AE_TITLE, "The AE title it calls itself.", required=True),
        **_KNOWN_BY,
        "user": Key(_USER, "The user who must name himself, with his passcode (PS3.7 D.3.3.7)."),
        "private_sop_classes": Key(
            Many(_PRIVATE, "a private SOP class"), "SOP classes of its manufacturer that are stored as well."
        ),
        "results": Key(
            _RESULTS,
            "Where it is told the results of Storage Commitment; left out, over the association on which it asks.",
        ),
        "route": Key(_NAME, "The route of its objects; of those for which no rule holds, where there are rules."),
    },
    some_of=("certificate", "addresses"),
)
_COMMITMENT: Final = Table(
    {
        "wait_seconds": Key(
            Number(1, 604_800), "It has so long to say what it keeps; then it is asked again.", required=True
        ),
        **_KNOWN_BY,
    }
)
_CALLED: Final = Key(_NAME, "What routes call it.", required=True)
_DESTINATION: Final = OneOf(
    {
        "host": Table(
            {
                "name": _CALLED,
                "ae_title": Key(_AE_TITLE, "The AE title to call.", required=True),
                "host": Key(
                    Host(),
                    "Host name or IP address; over TLS its certificate must have it.",
                    required=True,
                ),
                "port": Key(_PORT, "TCP port.", required=True),
                "tls": Key(_CLIENT, "Encrypted; it shows a certificate of these authorities."),
                "unencrypted": _UNENCRYPTED,
                "associations": Key(Number(1, 32), "Most associations with it at a time.", default=1),
                "commitment": Key(
                    _COMMITMENT, "It is asked whether it keeps what it was sent (PS3.4 J); nothing is deleted before."
                ),
            },
            one_of=("tls", "unencrypted"),
        ),
        "folder": Table(
            {"name": _CALLED, "folder": Key(File(), "Folder that objects are put into, as files.", required=True)}
        ),
        "url": Table(
            {
                "name": _CALLED,
                "url": Key(_URL, "Address of a DICOMweb service, without /studies at its end.", required=True),
                "tls": Key(_CLIENT, "Encrypted; it shows a certificate of these authorities that has the host's name."),
                "unencrypted": _UNENCRYPTED,
                "token_file": Key(File(), "One line with the bearer token that it wants (0600)."),
                "connections": Key(Number(1, 32), "Most connections with it at a time.", default=1),
            },
            one_of=("tls", "unencrypted"),
        ),
    }
)
_ROUTE: Final = Table(
    {
        "name": Key(_NAME, "What peers and rules call it.", required=True),
        "profile": Key(
            Text(".+", "the name of a shipped profile, or a file"),
            "A shipped profile by its name, or a profile file with its ending.",
            default="default",
        ),
        "options": Key(Many(Text("[a-z-]+", "an option of PS3.15"), "an option", least=0), "Options of PS3.15 on top."),
        "destinations": Key(
            Many(_NAME, "a destination"), "Names of destinations; each gets the object.", required=True
        ),
    }
)
_RULE: Final = Table(
    {
        "calling": Key(Many(_AE_TITLE, "an AE title"), "AE titles of peers."),
        "called": Key(Many(_AE_TITLE, "an AE title"), "AE titles that the peer may call then, besides ours."),
        "sop_class": Key(Many(SopClass(), "a SOP Class"), "SOP Classes, by name or UID."),
        "modality": Key(
            Many(Text("[A-Z0-9_]{1,16}", "a Modality such as CT (0008,0060)"), "a modality"), "Modality (0008,0060)."
        ),
        "match": Key(
            Many(Comparison(), "a condition"), "What values at the top level of the object have to be, all of them."
        ),
        "route": Key(_NAME, "The route of what satisfies all that is given here.", required=True),
    },
    some_of=("calling", "called", "sop_class", "modality", "match"),
)
LIMITS: Final = Table(
    {
        "associations": Key(
            Number(1, 1000),
            "Most associations at a time. Of connections that are none yet there are twice as many on each port, half "
            "of them from one address; with more, the oldest are closed.",
            default=50,
        ),
        "associations_per_peer": Key(Number(1, 1000), "Most of them from one peer.", default=10),
        "idle_seconds": Key(
            Number(1, 86_400), "An association on which nothing comes for so long is aborted.", default=60
        ),
        "pdu_bytes": Key(
            Number(4096, 1 << 20), "The longest P-DATA PDU that peers may send (PS3.8 D.1).", default=131_072
        ),
        "free_megabytes": Key(
            Number(1, 1 << 24),
            "With less room on the disk no association is accepted, and with less than half of it no object.",
            default=1024,
        ),
    }
)
RETENTION: Final = Table(
    {
        "originals_days": Key(
            Number(0, 3650),
            "Days that originals stay after they have arrived, and at least until every destination has the object.",
            default=0,
        )
    }
)
_WATCH: Final = Table(
    {
        "address": Key(HOST_ADDRESS, "Address of this machine to answer on.", default="127.0.0.1"),
        "port": Key(_PORT, "TCP port of /healthz, /readyz and /metrics.", required=True),
    }
)
_AUDIT: Final = Table(
    {
        "host": Key(Host(), "Host name or IP address; over TLS its certificate must have it.", required=True),
        "port": Key(_PORT, "TCP port; 6514 is registered for syslog over TLS.", default=6514),
        "tls": Key(_CLIENT, "Encrypted (PS3.15 A.6); it shows a certificate of these authorities."),
        "unencrypted": Key(Sentence(IN_THE_CLEAR), "Plain syslog over TCP, which anybody on the way can read."),
    },
    one_of=("tls", "unencrypted"),
)
SETTINGS: Final = Table(
    {
        "version": Key(Number(1, 1), "The version of this format.", required=True),
        "ae_title": Key(_AE_TITLE, "Our AE title, called by peers and shown to destinations.", required=True),
        "state": Key(
            File(), "State folder: the key, the queue, originals, the crosswalk, the audit trail.", required=True
        ),
        "key": Key(File(), "The project key, if it is not in the state folder."),
        "passcodes": Key(
            File(), "Users and hashes of their passcodes, as 'deid settings passcode' prints them (0600)."
        ),
        "listen": Key(Many(_LISTENER, "a listener"), "The ports that peers connect to.", required=True),
        "peers": Key(Many(_PEER, "a peer"), "Who may send; nobody else is let in.", required=True),
        "destinations": Key(Many(_DESTINATION, "a destination"), "Where objects may go.", required=True),
        "routes": Key(Many(_ROUTE, "a route"), "What is done to objects, and where they go.", required=True),
        "rules": Key(
            Many(_RULE, "a rule"), "Routes by what an object is; the first that holds, then the route of its peer."
        ),
        "limits": Key(LIMITS, "What peers may ask for."),
        "retention": Key(RETENTION, "How long originals stay."),
        "audit": Key(_AUDIT, "The audit record repository that gets audit messages (PS3.15 A.5) by syslog."),
        "watch": Key(_WATCH, "Plain HTTP for those who watch the service; it tells counts and names of this file."),
    }
)


def schema() -> Schema:
    """A JSON Schema of the settings file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of deid serve",
        **SETTINGS.schema(),
    }
