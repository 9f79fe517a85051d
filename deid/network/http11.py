"""HTTP/1.1 as a server, on a connection that is secure already: a blocking socket and one thread, as for associations.

What is sent is read by h11, which knows the protocol and no sockets. Here is what it leaves open: how long a peer may
take, and that a body never stands in memory. A server that brings its own sockets could neither follow certificates
that change, nor refuse weak and revoked ones, nor tell who has shown which.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11

from deid.network.pdu import Aborted, Ended, Malformed, Stalled
from deid.network.tls import shown_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deid.network.pdu import Limits

_RECEIVE: Final = 256 << 10  # bytes
_MOST_HEAD: Final = 16 << 10  # bytes of a request line and header fields, of a line between chunks, and of trailers
_SLOWEST: Final = 64 << 10  # bytes a second that a body must have in the end, however long it is
_LAST_WORDS: Final = 1.0  # seconds for an answer to be read by one who is still sending
_MOST_DROPPED: Final = 4 << 20  # bytes that are read only for that


class Unclear(Malformed):
    """What was sent is no HTTP/1.1; `code` is what the answer says."""

    def __init__(self, code: int) -> None:
        super().__init__(f"what the peer sends is not HTTP/1.1, or too long ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    method: str
    target: str
    headers: Mapping[str, str]  # by name in lower case; what is said several times is joined by commas


class Exchange:
    """One connection: request and answer, one after another."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        """Take the connection over; it is closed by `close`."""
        self._socket = connection
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        self._in_full = True  # whether all that was sent was read
        self._until = time.monotonic() + limits.whole
        with suppress(OSError):  # Nagle's algorithm waits for an acknowledgement that the other side delays
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def certificate(self) -> bytes | None:
        """What the other side proved itself with, as DER."""
        return shown_on(self._socket)

    def request(self, seconds: float) -> Request | None:
        """The next request, which must begin within so many seconds; None where the peer asks for nothing more.

        Raises Aborted, Stalled and Unclear.
        """
        if self._http.our_state is not h11.IDLE:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return None
            self._http.start_next_cycle()
        by = time.monotonic() + seconds
        started = bool(self._http.trailing_data[0])
        while (event := self._event()) is h11.NEED_DATA:
            if not self._receive(by) and not started:
                return None
            if not started:
                started, by = True, time.monotonic() + self._limits.setup
        if not isinstance(event, h11.Request):
            return None  # it has hung up
        self._in_full = False
        headers: dict[str, str] = {}
        for name, value in event.headers:
            known = name.decode("ascii")
            said = value.decode("latin-1")
            headers[known] = f"{headers[known]}, {said}" if known in headers else said
        if not headers.keys() & {"content-length", "transfer-encoding"}:
            self._in_full = isinstance(self._event(), h11.EndOfMessage)  # there is no body
        return Request(event.method.decode("ascii"), event.target.decode("ascii"), headers)

    def body(self) -> Iterator[bytes]:
        """What comes with the request, as it comes. Raises Aborted, Stalled and Unclear."""
        began, received = time.monotonic(), 0
        if self._http.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
        while not self._in_full:
            event = self._event()
            if event is h11.NEED_DATA:
                latest = began + self._limits.message + received / _SLOWEST
                self._receive(min(time.monotonic() + self._limits.stall, latest))
            elif isinstance(event, h11.Data):
                received += len(event.data)
                yield bytes(event.data)
            else:
                self._in_full = True

    def answer(self, code: int, content: bytes = b"", headers: Iterable[tuple[str, str]] = ()) -> None:
        """Answer the request. Where it was not read to its end, nothing more can follow. Raises Aborted and Stalled."""
        fields = [("Date", formatdate(usegmt=True)), ("Content-Length", str(len(content))), *headers]
        if not self._in_full:
            fields.append(("Connection", "close"))
        response = h11.Response(status_code=code, headers=fields, reason=HTTPStatus(code).phrase.encode())
        self._send(response, h11.Data(data=content), h11.EndOfMessage())

    def close(self) -> None:
        """Give the connection back; who is still sending gets the time to read the answer.

        A connection that is closed with unread bytes in it is reset, and the answer may be lost.
        """
        if not self._in_full:
            by, dropped = time.monotonic() + _LAST_WORDS, 0
            with suppress(Ended, OSError, ValueError):
                if not isinstance(self._socket, ssl.SSLSocket):
                    self._socket.shutdown(socket.SHUT_WR)
                while dropped < _MOST_DROPPED and (more := len(self._receive_some(by))):
                    dropped += more
        with suppress(OSError):
            self._socket.close()

    def _event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            self._in_full = False
            raise Unclear(error.error_status_hint) from None

    def _receive(self, by: float) -> bool:
        """Give h11 what comes next; says whether there is more to come."""
        if time.monotonic() >= self._until:  # a body, and requests one after another, need have no end
            raise Stalled("the connection has been there for too long")
        received = self._receive_some(min(by, self._until))
        self._http.receive_data(received)
        return bool(received)

    def _receive_some(self, by: float) -> bytes:
        try:
            self._socket.settimeout(_left(by))
            return self._socket.recv(_RECEIVE)
        except TimeoutError:
            raise Stalled("the peer sent nothing, or too little, for too long") from None
        except (OSError, ValueError):  # ValueError: the socket was closed by another thread
            raise Aborted("the connection was lost") from None

    def _send(self, *events: h11.Event) -> None:
        try:
            content = b"".join(self._http.send(event) or b"" for event in events)
            self._socket.settimeout(self._limits.stall)
            self._socket.sendall(content)
        except TimeoutError:
            raise Stalled("the peer took nothing, or too little, for too long") from None
        except (OSError, ValueError, h11.LocalProtocolError):  # the last: what was sent cannot be answered any more
            raise Aborted("the connection was lost") from None


def _left(by: float) -> float:
    left = by - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
