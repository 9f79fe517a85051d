"""Secure transport: contexts by PS3.15 Annex B, read again when their files change, and handshakes with a deadline.

Both sides show a certificate: a server asks for one always, a client has one where the settings name it.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile, Deferred
from deid.network import certificate
from deid.network.private_file import read_password, read_private
from deid.network.suites import PROFILES, offer
from deid.network.tls_reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PLAIN_DICOM: Final = b"\x01"  # PS3.8 Table 9-11: the type of an A-ASSOCIATE-RQ; a TLS handshake begins with 0x16
_AT_ONCE: Final = 0.001  # seconds; 0 would mean not to wait at all, and none to wait without end
_LAST_WORDS: Final = 1.0  # seconds for an alert to be read
_MOST_DROPPED: Final = 1 << 16  # bytes that are read only for that
_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class NotSecure(Deferred):
    """No secure connection came about, so nothing was exchanged; it is closed, and may be tried again."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files and the profile of one side of a connection; all files in PEM form."""

    authorities: Path  # certificates of those whose word is taken
    certificate: Path | None = None  # ours, with the chain up to the authority; a server must have one
    key: Path | None = None
    key_password_file: Path | None = None
    crl: Path | None = None  # revocation lists of all the authorities; without it nothing counts as revoked
    profile: str = "bcp195"

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, to see when one changes."""
        named = (self.authorities, self.certificate, self.key, self.key_password_file, self.crl)
        return tuple(path for path in named if path is not None)


class LiveContext:
    """A context that follows its files: what is put there holds for the next handshake, without a restart.

    A set that cannot be used, perhaps because it is only half there, leaves the context before it in use.
    `say` is called with a line when files were read again, and when they could not be.
    """

    def __init__(self, tls: Tls, *, server: bool, say: Callable[[str], None]) -> None:
        """Read the files. Raises BadProfile when they cannot be used."""
        self._tls = tls
        self.server = server
        self._say = say
        self._lock = threading.Lock()
        self._stamps = self._stamp()  # before the files are read: what changes meanwhile is read again
        self._context = build(tls, server=server)

    def context(self) -> ssl.SSLContext:
        """What the next handshake uses; any thread may ask."""
        with self._lock:
            stamps = self._stamp()
            if stamps != self._stamps:
                self._stamps = stamps
                try:
                    self._context = build(self._tls, server=self.server)
                except BadProfile as error:
                    self._say(f"{error}; what was read before stays in use")
                else:
                    self._say(f"read again, as it has changed: {', '.join(path.name for path in self._tls.files)}")
            return self._context

    def _stamp(self) -> list[tuple[int, ...]]:
        return [_stamp(path) for path in self._tls.files]


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def build(tls: Tls, *, server: bool) -> ssl.SSLContext:
    """The context of a server, or of a client that checks the server's name. Raises BadProfile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    offer(context, PROFILES[tls.profile])
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # A session that goes on from an earlier one looks at no revocation list: no tickets (num_tickets is for TLS 1.3).
    context.options |= ssl.OP_NO_TICKET
    if server:
        context.num_tickets = 0
    _see_valid(tls.authorities, "the file of authorities")
    try:
        context.load_verify_locations(tls.authorities)
    except (ssl.SSLError, OSError):
        raise BadProfile(f"the file of authorities {tls.authorities} cannot be used") from None
    if tls.crl is not None:
        _load_revocations(context, tls.crl, tls.authorities)
    if tls.certificate is not None and tls.key is not None:
        _load_own(context, tls.certificate, tls.key, tls.key_password_file)
    elif server:
        raise BadProfile("a server needs a certificate and its key")
    return context


def _load_own(context: ssl.SSLContext, own: Path, key: Path, password_file: Path | None) -> None:
    _see_valid(own, "the certificate", only_first=True)
    read_private(key, "the private key")

    def password() -> str:  # called for an encrypted key; without it OpenSSL would ask at the terminal
        if password_file is None:
            raise BadProfile(f"the private key {key} is encrypted: name its key_password_file")
        return read_password(password_file, "the password file")

    try:
        context.load_cert_chain(own, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadProfile(f"the private key {key} does not belong to the certificate {own}") from None
        hint = " with the password of its file" if password_file else ""
        raise BadProfile(f"the certificate {own} cannot be used with the key {key}{hint}") from None
    except OSError as error:
        raise BadProfile(f"the certificate {own} cannot be read: {error.strerror}") from None


def _see_valid(path: Path, what: str, *, only_first: bool = False) -> None:
    """Certificates that nobody could rely on are told at once, and not connection by connection."""
    now = datetime.now(UTC)
    listed = certificate.from_pem(path, what)
    relied_on = listed[:1] if only_first else listed
    for each in relied_on:
        if each.weakness:
            raise BadProfile(f"{what} {path} cannot be relied on: {each}: {each.weakness}")
    if all(each.not_after < now for each in relied_on):  # one of several authorities may be on its way out
        raise BadProfile(f"{what} {path} expired on {relied_on[0].not_after:%Y-%m-%d}: put a new one there")


def _load_revocations(context: ssl.SSLContext, crl: Path, authorities: Path) -> None:
    """OpenSSL refuses everybody whose authority has no list, or an old one: told here, before it happens."""
    from cryptography import x509  # noqa: PLC0415 - 40 ms, not needed to print help

    what = f"the revocation list {crl}"
    try:
        listed = [x509.load_pem_x509_crl(each) for each in _CRL.findall(crl.read_bytes())]
        subjects = [each.subject for each in x509.load_pem_x509_certificates(authorities.read_bytes())]
        context.load_verify_locations(crl)
    except ssl.SSLError:
        raise BadProfile(f"{what} cannot be used") from None
    except OSError as error:
        raise BadProfile(f"{what} cannot be read: {error.strerror}") from None
    except (ValueError, x509.InvalidVersion):
        raise BadProfile(f"{what} is not in PEM form, or damaged") from None
    now = datetime.now(UTC)
    for each in listed:
        if each.next_update_utc is not None and each.next_update_utc < now:
            raise BadProfile(f"{what} expired on {each.next_update_utc:%Y-%m-%d}: put a new one there")
    for subject in subjects:
        if subject not in [each.issuer for each in listed]:
            raise BadProfile(f"{what} has no list of the authority {subject.rfc4514_string()}")
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN  # includes the leaf


def handshake(
    connection: socket.socket, live: LiveContext, seconds: float, *, server_name: str | None = None
) -> ssl.SSLSocket:
    """The connection made secure, within so many seconds in all, on the thread of the caller.

    A client gives the name that the server's certificate must have. Raises NotSecure, and closes, when it cannot be.
    """
    deadline = time.monotonic() + seconds
    secured: socket.socket = connection
    try:
        if live.server:
            _see_tls(connection, seconds)
        connection.settimeout(max(deadline - time.monotonic(), _AT_ONCE))
        secured = handshaking = live.context().wrap_socket(
            connection, server_side=live.server, server_hostname=server_name, do_handshake_on_connect=False
        )
        handshaking.do_handshake()  # its time-out is for the whole of it
        _see_peer(handshaking)
    except NotSecure:
        secured.close()
        raise
    except ssl.SSLError as error:
        _hang_up(secured)
        raise NotSecure(reason_of(error)) from None
    except (OSError, ValueError) as error:  # ValueError: a certificate or a server name that cannot be one
        secured.close()
        raise NotSecure(reason_of(error)) from None
    handshaking.settimeout(None)
    return handshaking


def _see_tls(connection: socket.socket, seconds: float) -> None:
    """OpenSSL would call it a wrong version; who looks for the reason is helped by the right word."""
    connection.settimeout(seconds)
    if connection.recv(1, socket.MSG_PEEK) == _PLAIN_DICOM:
        raise NotSecure("plain DICOM on a port for TLS")


def shown_on(connection: socket.socket) -> bytes | None:
    """The certificate that the other side has shown on a connection, as DER; None in the clear."""
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None


def _hang_up(refused: socket.socket) -> None:
    """Give the other side the time to read the alert that says why: closed with unread bytes, it would be lost."""
    with suppress(OSError), socket.socket(fileno=refused.detach()) as connection:
        connection.shutdown(socket.SHUT_WR)
        by, dropped = time.monotonic() + _LAST_WORDS, 0
        while dropped < _MOST_DROPPED and (left := by - time.monotonic()) > 0:
            connection.settimeout(left)
            if not (received := len(connection.recv(_MOST_DROPPED))):
                return
            dropped += received


def _see_peer(secured: ssl.SSLSocket) -> None:
    """What OpenSSL does not look at: the strength of the leaf, and its validity where a session is resumed."""
    shown = certificate.from_der(secured.getpeercert(binary_form=True) or b"")
    if shown.weakness:
        raise NotSecure(f"the certificate of {shown} cannot be relied on: {shown.weakness}")
    if shown.not_after < datetime.now(UTC):  # a session of TLS 1.2 that goes on from an earlier one
        raise NotSecure(f"the certificate of {shown} has expired")
