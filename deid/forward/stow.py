"""STOW-RS (PS3.18 10.5): objects to a DICOMweb service, one in each request, over a connection that stays open.

http.client, since it sends a body as it is read, over a connection that `network` has made secure, and follows nothing
that a server says about other places.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import secrets
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

from deid.errors import BadProfile, BrokenOff, Deferred
from deid.forward.scu import identity_of
from deid.forward.stow_answer import STORED, judge
from deid.network.private_file import read_password
from deid.network.tls import NotSecure, handshake, shown_on
from deid.part10.source import open_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

    from deid.network.tls import LiveContext

_CHUNK: Final = 256 << 10
_MOST_SAID: Final = 1 << 20  # bytes of an answer: it is about one object
_SETUP, _STALL, _ANSWER = 30.0, 60.0, 300.0  # seconds: to connect, for one piece to be taken, for a whole answer
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 2.1


@dataclass(frozen=True, slots=True)
class Service:
    """Where to, and with which token; the path is that of the service, without `/studies`."""

    host: str
    port: int
    path: str
    tls: LiveContext | None = None
    token_file: Path | None = None
    made: Callable[[str, bytes | None], None] = lambda _address, _certificate: None  # of each connection

    def token(self) -> str:
        """The token, read again each time: whoever renews it replaces the file. Raises BadProfile."""
        return read_token(self.token_file) if self.token_file else ""

    def connect(self) -> http.client.HTTPConnection:
        """A connection, secure where it has to be. Raises Deferred."""
        try:
            connected: socket.socket = socket.create_connection((self.host, self.port), _SETUP)
            address = str(connected.getpeername()[0])
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Deferred(f"the service cannot be reached ({error.strerror or type(error).__name__})") from None
        if self.tls is not None:
            try:
                connected = handshake(connected, self.tls, _SETUP, server_name=self.host)
            except NotSecure as error:
                raise Deferred(f"the service and we found no secure connection: {error}") from None
        self.made(address, shown_on(connected))
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.auto_open = 0  # it would connect anew by itself, and not securely
        connection.sock = connected
        return connection


def read_token(path: Path) -> str:
    """The bearer token in a file that nobody else may read. Raises BadProfile."""
    token = read_password(path, "the token file")
    if not _TOKEN.fullmatch(token):
        raise BadProfile(f"the token file {path} holds no bearer token (RFC 6750)")
    return token


class _Reading(io.RawIOBase):
    """What comes on a connection until a time: however it drips, all of an answer is there by then."""

    def __init__(self, connection: socket.socket, by: float) -> None:
        self._connection = connection
        self._file = connection.makefile("rb", buffering=0)  # http.client may close the connection before this
        self._by = by

    def close(self) -> None:
        """The connection as well, where nobody else has it."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Some bytes. Raises TimeoutError, and OSError."""
        left = self._by - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._file.readinto(buffer)


class _Response(http.client.HTTPResponse):
    """The final one (RFC 9110 15.2): http.client takes all but 100 of those that come before for it."""

    def begin(self) -> None:
        """Read all but the body. Raises OSError and HTTPException."""
        super().begin()
        while HTTPStatus.SWITCHING_PROTOCOLS < self.status < HTTPStatus.OK:
            self.headers = None  # type: ignore[assignment] # it has not begun
            super().begin()


def _answer(connection: socket.socket, method: str | None = None, *, by: float) -> http.client.HTTPResponse:
    answer = _Response(connection, method=method)
    answer.fp.close()
    answer.fp = io.BufferedReader(_Reading(connection, by))
    return answer


class _Closed(BrokenOff):
    """By the service, while an object was sent or an answer awaited."""


class Stow:
    """A service while objects are sent to it."""

    def __init__(self, service: Service) -> None:
        """Nothing happens yet."""
        self._service = service
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def send(self, path: Path) -> None:
        """Send one object. Returns when the service has said that it stored it.

        Raises Rejected when this object will never be taken, Unreadable, and Deferred when it may be later: BrokenOff
        where the connection ended at it.
        """
        with closing(open_stored(path)) as source:
            _, instance = identity_of(source)
        was_open = self._connection is not None
        try:
            status, said = self._post(path)
        except _Closed:
            if not was_open:
                raise
            status, said = self._post(path)  # services close what was idle for a while, and that shows when it is used
        judge(status, said, instance)

    def _post(self, path: Path) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError for the file, and Deferred when the connection has ended."""
        with path.open("rb") as file:
            try:
                return self._ask(file)
            except TimeoutError:
                self._hang_up()
                raise BrokenOff("the service takes too long over this object") from None
            except (OSError, http.client.HTTPException):
                self._hang_up()
                raise _Closed("the service ended the connection before it answered") from None
            except Deferred:
                self._hang_up()
                raise

    def _ask(self, file: BinaryIO) -> tuple[int, bytes]:
        """As above. Raises OSError and HTTPException besides."""
        if self._connection is None:
            self._connection = self._service.connect()
        connection = self._connection
        boundary = secrets.token_hex(16)  # by no chance within the object
        before = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        after = f"\r\n--{boundary}--\r\n".encode()
        size = os.fstat(file.fileno()).st_size
        connection.sock.settimeout(_STALL)
        connection.putrequest("POST", f"{self._service.path}/studies")
        connection.putheader("Content-Type", f'multipart/related; type="application/dicom"; boundary={boundary}')
        connection.putheader("Content-Length", str(len(before) + size + len(after)))
        connection.putheader("Accept", "application/dicom+json")
        if token := self._token():
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        is_whole = _send(connection, chain((before,), _pieces(file, size), (after,)))
        connection.response_class = partial(_answer, by=time.monotonic() + _ANSWER)  # type: ignore[assignment] # makes one
        with closing(connection.getresponse()) as answer:
            said = answer.read(_MOST_SAID + 1)
            if not answer.headers or (answer.length and len(said) <= _MOST_SAID):
                raise http.client.IncompleteRead(b"")  # half an answer is none, and http.client does not mind
            if not is_whole and answer.status in STORED:
                raise _Closed("the service says that it stored the object, and has not taken all of it")
            if not is_whole or len(said) > _MOST_SAID or answer.will_close:
                self._hang_up()
            return answer.status, said[:_MOST_SAID]

    def _token(self) -> str:
        try:
            return self._service.token()
        except BadProfile as error:
            raise Deferred(str(error)) from None

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _send(connection: http.client.HTTPConnection, pieces: Iterable[bytes]) -> bool:
    """Whether the service took all of it: one that has seen enough answers early and closes. Raises TimeoutError."""
    try:
        for piece in pieces:
            connection.send(piece)
    except TimeoutError:
        raise
    except OSError:
        return False  # what it said may still be there to be read
    return True


def _pieces(file: BinaryIO, left: int) -> Iterator[bytes]:
    """So many bytes of a file. Raises Deferred where it has no more as many."""
    while left:
        try:
            chunk = file.read(min(_CHUNK, left))
        except OSError:
            raise Deferred("a file of the outbox cannot be read") from None
        if not chunk:
            raise Deferred("the file became shorter while it was sent")
        left -= len(chunk)
        yield chunk
