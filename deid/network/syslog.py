"""Syslog messages to an audit record repository (PS3.15 A.6): RFC 5424 over TLS with octet counting, RFC 5425.

Syslog has no answers. What tells that a repository has read everything is the end of the connection: it answers our
close_notify after it has read what came before (RFC 5425 4.4). So each batch has a connection of its own, and counts as
sent when that was ended by both sides.
"""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.network.tls import NotSecure, handshake
from deid.network.tls_reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.network.tls import LiveContext

MOST: Final = 32_768  # octets of a message that every repository takes (PS3.15 A.6)
NOTICE: Final = 5
WARNING: Final = 4  # "if that is appropriate to the more detailed information in the audit message" (PS3.15 A.6)

_SECURITY: Final = 10  # the facility (PS3.15 A.6: security/authorization messages)
_MSGID: Final = b"DICOM+RFC3881"  # PS3.15 A.6
_BOM: Final = b"\xef\xbb\xbf"  # RFC 5424 6.4: what follows is UTF-8
_APP_NAME: Final = b"deid-gateway"


@dataclass(frozen=True, slots=True)
class Record:
    """One message: when, how severe, and an XML document in UTF-8."""

    time: str  # RFC 3339
    severity: int
    xml: bytes

    def syslog(self) -> bytes:
        """SYSLOG-MSG of RFC 5424, without structured data."""
        head = f"<{_SECURITY * 8 + self.severity}>1 {self.time} {_host_name()} ".encode("ascii")
        return head + b"%s %d %s - " % (_APP_NAME, os.getpid(), _MSGID) + _BOM + self.xml


@dataclass(frozen=True, slots=True)
class Repository:
    """Where audit messages are kept; without TLS they go in the clear (RFC 6587)."""

    host: str
    port: int
    tls: LiveContext | None = None
    seconds: float = 30.0  # for each step of a connection

    def send(self, records: Iterable[Record]) -> None:
        """Send all of them. Raises Deferred when the repository has not read all: some may have come nevertheless."""
        framed = b"".join(b"%d %s" % (len(message), message) for message in map(Record.syslog, records))
        try:
            connection = socket.create_connection((self.host, self.port), self.seconds)
        except OSError as error:
            raise Deferred(f"{self} cannot be reached ({error.strerror or type(error).__name__})") from None
        try:
            if self.tls is None:
                with connection:
                    connection.sendall(framed)
                    connection.shutdown(socket.SHUT_WR)
                    _wait_for_the_end(connection, self.seconds)
            else:
                with handshake(connection, self.tls, self.seconds, server_name=self.host) as secured:
                    secured.settimeout(self.seconds)
                    secured.sendall(framed)
                    _end(secured, self.seconds)
        except NotSecure as error:
            raise Deferred(f"{self} and we found no secure connection: {error}") from None
        except TimeoutError:
            raise Deferred(f"{self} has not confirmed what was sent in {self.seconds:.0f} seconds") from None
        except OSError as error:  # ssl.SSLError is one
            raise Deferred(f"{self} has not confirmed what was sent: {reason_of(error)}") from None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"the audit repository {host}:{self.port}"


def _end(secured: ssl.SSLSocket, seconds: float) -> None:
    """Send close_notify, and wait for that of the other side: nothing else says that it has read everything.

    SSL_shutdown takes a fatal alert for an end as well, such as one that refuses our certificate (TLS 1.3 knows of it
    only by now). So it does not wait for the answer, which is read as data are. All other ends could be anybody's.
    """
    secured.setblocking(False)
    while True:
        try:
            secured.unwrap()
        except ssl.SSLWantWriteError:
            if not select.select((), (secured,), (), seconds)[1]:
                raise TimeoutError from None
        except ssl.SSLWantReadError:
            break
        else:
            raise ConnectionAbortedError
    secured.settimeout(seconds)
    with suppress(ssl.SSLZeroReturnError):
        _wait_for_the_end(secured, seconds)
        raise ConnectionAbortedError


def _wait_for_the_end(connection: socket.socket, seconds: float) -> None:
    by = time.monotonic() + seconds  # however what comes drips
    while connection.recv(4096):
        if time.monotonic() >= by:
            raise TimeoutError


def _host_name() -> str:
    name = socket.gethostname()
    return name if re.fullmatch("[!-~]{1,255}", name) else "-"
