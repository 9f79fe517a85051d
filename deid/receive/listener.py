"""A TCP port: each connection has a thread of its own, so that no peer waits for what another one does not say."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Final

from deid.network.pdu import Aborted

if TYPE_CHECKING:
    from collections.abc import Callable

    Talk = Callable[[socket.socket, Callable[[], None]], None]
    Closed = Callable[[str, int, str], None]

_WAITING: Final = 128  # connections that the kernel holds until they are accepted
_PAUSE: Final = 0.1  # seconds
_CUT_OFF: Final = 1.0  # seconds, in which they notice
CROWDED: Final = "others wait for its place"
CROWDED_ADDRESS: Final = "too many connections of its address are silent"
NO_MEANS: Final = "there is no descriptor or thread for it"


@dataclass(slots=True)
class _Place:
    """What a connection takes up. The socket is one of our own: a connection can be cut off whatever became of it."""

    socket: socket.socket
    address: str
    stays: bool = False
    gone: str = ""  # why it had to go

    def cut_off(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class Listener:
    """One port, from `start` to `close`."""

    def __init__(  # noqa: PLR0913 - a port, and what happens there
        self,
        address: str,
        port: int,
        talk: Talk,
        most: int,
        each: int,
        closed: Closed | None = None,
    ) -> None:
        """Take the port; `talk` gets each connection. How many may stay is its business, and it says when one does.

        To say so raises Ended where the connection has been cut off already; afterwards it is not cut off any more.
        There are `most` others at a time, and `each` from one address. One more takes the place of the oldest of its
        address, or of the address that has most of them: whoever is silent keeps nobody out. `closed` gets the address
        of one that had to go, the port, and why. Raises OSError.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server(
            (address, port), family=family, backlog=_WAITING, dualstack_ipv6=address == "::"
        )
        self._talk = talk
        self._most = most
        self._each = each
        self._closed = closed
        self._lock = Lock()
        self._places: dict[Thread, _Place] = {}  # oldest first
        self._accepting = Thread(target=self._accept, name=f"port {self.port}", daemon=True)

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to accept."""
        self._accepting.start()

    def close(self, seconds: float) -> None:
        """Accept no more, give those that are here so long to end, and cut the others off."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._accepting.join()
        self._socket.close()
        with self._lock:
            threads = list(self._places)
        _join(threads, seconds)
        with self._lock:
            left = list(self._places.values())
        for place in left:
            place.cut_off()
        _join(threads, _CUT_OFF)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._socket.accept()
            except OSError:
                if self._socket.fileno() < 0 or not _is_listening(self._socket):
                    return
                time.sleep(_PAUSE)  # the peer has gone already, or no descriptor is free
                continue
            if not self._admit(connection, str(address[0])):
                connection.close()

    def _admit(self, connection: socket.socket, address: str) -> bool:
        try:
            place = _Place(connection.dup(), address)
        except OSError:
            self._tell_closed(address, NO_MEANS)
            return False
        thread = Thread(target=self._serve, args=(connection, place), daemon=True)
        with self._lock:
            had_to_go = self._make_room(address)
            self._places[thread] = place
        if had_to_go:
            self._tell_closed(*had_to_go)
        try:
            thread.start()
        except RuntimeError:  # there is no thread to be had now; the next peer may find one
            self._leave(thread, place)
            self._tell_closed(address, NO_MEANS)
            return False
        return True

    def _make_room(self, address: str) -> tuple[str, str] | None:
        """Whose connection had to go, if one had to, and why."""
        silent = {thread: place for thread, place in self._places.items() if not place.stays}
        there = Counter(place.address for place in silent.values())
        if there[address] >= self._each:
            crowd, why = address, CROWDED_ADDRESS
        elif len(silent) >= self._most:
            ((crowd, _),) = there.most_common(1)
            why = CROWDED
        else:
            return None
        oldest = next(thread for thread, place in silent.items() if place.address == crowd)
        place = self._places.pop(oldest)
        place.gone = why
        place.cut_off()
        return crowd, why

    def _tell_closed(self, address: str, why: str) -> None:
        if self._closed:
            self._closed(address, self.port, why)

    def _serve(self, connection: socket.socket, place: _Place) -> None:
        def stays() -> None:
            with self._lock:
                if place.gone:
                    raise Aborted(place.gone)
                place.stays = True

        try:
            self._talk(connection, stays)
        finally:
            connection.close()
            self._leave(current_thread(), place)

    def _leave(self, thread: Thread, place: _Place) -> None:
        with self._lock:
            self._places.pop(thread, None)  # it may have been given up
        place.socket.close()


def _join(threads: list[Thread], seconds: float) -> None:
    by = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, by - time.monotonic()))


def _is_listening(there: socket.socket) -> bool:
    return bool(there.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
