"""Protocol data units on a connection (PS3.8 9.3): read into one buffer, every length checked, nothing awaited forever.

The upper layer is ours, a blocking socket and one thread per association: nothing polls, and no data set is ever whole
in memory.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.network.tls import shown_on
from deid.network.tls_reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Piece = bytes | bytearray | memoryview

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

HEADER: Final = Struct(">BxI")  # type, length of what follows
MOST_ASSOCIATE: Final = 256 << 10
"""Bytes of an A-ASSOCIATE PDU: 128 presentation contexts with every registered transfer syntax take 160 kB."""
BY_US, BY_PROVIDER = 0, 2  # sources of A-ABORT
UNEXPECTED: Final = 2  # one of its reasons: a PDU that belongs to another state
_OF_FOUR: Final = frozenset({ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT})
_NO_REASON: Final = b"\0\0\0\0"
_LAST_WORDS: Final = 1.0  # seconds for what was sent last to be read
_MOST_DROPPED: Final = 4 << 20  # bytes that are read only so that the other side gets to see our last words


class Ended(Deferred):
    """The association is over: what was not acknowledged goes with another one."""


class Aborted(Ended):
    """By the other side: it aborted, hung up, or can no longer be reached."""


class Stalled(Ended):
    """By us: the other side took too long."""


class Malformed(Ended):
    """By us: the other side broke the protocol. `reason` is that of the A-ABORT (PS3.8 9.3.8)."""

    def __init__(self, message: str, reason: int = 6) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What one association may ask for: seconds, and bytes of a P-DATA PDU (which the other side is told)."""

    pdu: int = 128 << 10  # no peer that was tried gets faster with larger ones
    setup: float = 30.0  # the ARTIM timer of PS3.8 9.1.5: to ask for an association, to answer, to hang up
    idle: float = 60.0  # between two messages
    stall: float = 60.0  # for one PDU, from its first byte to its last, and between those of one message
    message: float = 3600.0  # for one message and its data set
    grace: float = 300.0  # for a data set, and a second more for each 1,024 bytes of it that have come
    whole: float = 86_400.0  # for an association that we have accepted; then the peer asks for another one


class Wire:
    """One connection as a stream of PDUs; a plain or a TLS socket that is connected."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        """Take the connection over: from here on, `close` closes it."""
        self._connection = connection
        self._encrypted = isinstance(connection, ssl.SSLSocket)
        self._limits = limits
        self._buffer = bytearray(HEADER.size + max(MOST_ASSOCIATE, limits.pdu))
        self._view = memoryview(self._buffer)
        self._start = self._end = 0  # what was received and not yet read
        # PS3.8 says nothing of Nagle's algorithm, but with the delayed acknowledgement of the other side it costs 40 ms
        # an object. It is no error where the connection is not TCP.
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge_quickly = _knows_quick_acknowledgement(connection)

    @property
    def address(self) -> str:
        """Of the other side, without its port; "" where it has none."""
        with suppress(OSError):
            name = self._connection.getpeername()
            return str(name[0]) if isinstance(name, tuple) else ""
        return ""

    @property
    def certificate(self) -> bytes | None:
        """What the other side proved itself with, as DER."""
        return shown_on(self._connection)

    def read(self, by: float, within: float | None = None) -> tuple[int, memoryview]:
        """Type and content of the next PDU, whose first byte must be here `by` then (time.monotonic).

        From then on it may take as long as a PDU may, or `within` seconds. The content is valid until the next call.
        Raises Aborted, Stalled or Malformed.
        """
        if self._end == self._start:
            self._fill(1, by)
        by = time.monotonic() + (self._limits.stall if within is None else within)
        self._fill(HEADER.size, by)
        kind, length = HEADER.unpack_from(self._buffer, self._start)
        self._check(kind, length)
        self._fill(HEADER.size + length, by)
        start = self._start + HEADER.size
        self._start = start + length
        return kind, self._view[start : self._start]

    def _check(self, kind: int, length: int) -> None:
        if kind in _OF_FOUR:
            sound = length == 4
        elif kind == P_DATA:
            sound = length <= self._limits.pdu
        elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            sound = length <= MOST_ASSOCIATE
        else:
            raise Malformed("what the peer sends is no PDU of DICOM", 1)
        if not sound:
            raise Malformed("a PDU has a length that it may not have")

    def _fill(self, count: int, by: float) -> None:
        """Have `count` bytes in the buffer, from `_start` on."""
        while self._end - self._start < count:
            if self._start + count > len(self._buffer) or self._start == self._end:
                left = self._end - self._start
                self._view[:left] = self._view[self._start : self._end]
                self._start, self._end = 0, left
            self._end += self._receive(self._view[self._end :], by)

    def _receive(self, target: memoryview, by: float) -> int:
        connection = self._connection
        try:
            connection.settimeout(_left(by))
            if self._acknowledge_quickly:  # the kernel forgets it by and by
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            received = connection.recv_into(target)
        except TimeoutError:
            raise Stalled("the peer sent nothing, or too little, for too long") from None
        except (OSError, ValueError) as error:  # ValueError: the socket was closed by another thread
            raise _lost(error) from None
        if not received:
            raise Aborted("the peer closed the connection")
        return received

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long; what is lost or closed is not quiet."""
        connection = self._connection
        if self._end > self._start or (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            return False
        waiting = select.poll()
        try:
            waiting.register(connection, select.POLLIN)
        except (OSError, ValueError):  # it was closed by another thread
            return False
        return not waiting.poll(1000 * seconds)

    def write(self, pieces: Sequence[Piece]) -> None:
        """Send whole PDUs, given in pieces, at once. Raises Aborted or Stalled."""
        by = time.monotonic() + self._limits.stall
        try:
            if self._encrypted:  # it would encrypt and send each piece on its own
                self._connection.settimeout(_left(by))
                self._connection.sendall(b"".join(pieces))
            else:
                self._gather(pieces, by)
        except TimeoutError:
            raise Stalled("the peer took nothing, or too little, for too long") from None
        except (OSError, ValueError) as error:
            raise _lost(error) from None

    def _gather(self, pieces: Sequence[Piece], by: float) -> None:
        waiting = [memoryview(piece) for piece in pieces]
        while waiting:
            self._connection.settimeout(_left(by))
            sent = self._connection.sendmsg(waiting)
            done = 0
            while done < len(waiting) and sent >= len(waiting[done]):
                sent -= len(waiting[done])
                done += 1
            del waiting[:done]
            if sent:
                waiting[0] = waiting[0][sent:]

    def abort(self, source: int, reason: int) -> None:
        """Send A-ABORT as far as that is possible (PS3.8 9.3.8), and close."""
        with suppress(Ended, OSError, ValueError):
            self._connection.settimeout(_LAST_WORDS)
            self._connection.sendall(HEADER.pack(ABORT, 4) + bytes((0, 0, source, reason)))
        self.hang_up()

    def hang_up(self) -> None:
        """Give the other side the time to read what was sent last and to close first (PS3.8 9.2, Sta13), then close.

        A connection that is closed with unread bytes in it is reset, and what was sent last may be lost.
        """
        by, dropped = time.monotonic() + _LAST_WORDS, 0
        with suppress(Ended, OSError, ValueError):
            if not self._encrypted:
                self._connection.shutdown(socket.SHUT_WR)
            while dropped < _MOST_DROPPED:
                dropped += self._receive(self._view, by)
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        with suppress(OSError):
            self._connection.close()


@contextmanager
def told(wire: Wire) -> Iterator[None]:
    """Whatever ends an association within is told to the other side, as far as it can be, and the connection closed."""
    try:
        yield
    except Malformed as error:
        wire.abort(BY_PROVIDER, error.reason)
        raise
    except Stalled:
        wire.abort(BY_US, 0)
        raise
    except Ended:
        wire.close()
        raise
    except BaseException:  # it has nothing to do with the network, and breaks off a message
        wire.abort(BY_US, 0)
        raise


def control(kind: int) -> bytes:
    """A PDU that says no more than its type: A-RELEASE-RQ or A-RELEASE-RP."""
    return HEADER.pack(kind, 4) + _NO_REASON


def _left(by: float) -> float:
    left = by - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _lost(error: Exception) -> Aborted:
    # In TLS 1.3 a client learns only now that the server does not take its certificate.
    reason = reason_of(error) if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
    return Aborted(f"the connection was lost ({reason or type(error).__name__})")


def _knows_quick_acknowledgement(connection: socket.socket) -> bool:
    """Linux acknowledges at once when asked; a peer that does not disable Nagle's algorithm gains 40 ms an object."""
    return hasattr(socket, "TCP_QUICKACK") and connection.family in (socket.AF_INET, socket.AF_INET6)
