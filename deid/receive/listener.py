"""A TCP port: each connection has a thread of its own, so that no peer waits for what another one does not say."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Talk = Callable[[socket.socket, Callable[[socket.socket], None]], None]

_WAITING: Final = 128  # connections that the kernel holds until they are accepted
_PAUSE: Final = 0.1  # seconds
_CUT_OFF: Final = 1.0  # seconds, in which they notice


class Listener:
    """One port, from `start` to `close`."""

    def __init__(self, address: str, port: int, talk: Talk, most: int, each: int) -> None:
        """Take the port; `talk` gets each connection, up to `most` at a time and `each` from one address.

        It says what takes the place of a connection, if anything does, such as the same one with TLS. Not associations
        count, but connections: whoever is silent holds a place as well. Raises OSError.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server(
            (address, port), family=family, backlog=_WAITING, dualstack_ipv6=address == "::"
        )
        self._talk = talk
        self._most = most
        self._each = each
        self._lock = Lock()
        self._connections: dict[Thread, tuple[socket.socket, str]] = {}
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
            threads = list(self._connections)
        _join(threads, seconds)
        with self._lock:
            left = list(self._connections.values())
        for connection, _ in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
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
        with self._lock:
            there = Counter(place for _, place in self._connections.values())[address]
            if len(self._connections) >= self._most or there >= self._each:
                return False
            thread = Thread(target=self._serve, args=(connection, address), daemon=True)
            self._connections[thread] = connection, address
        try:
            thread.start()
        except RuntimeError:  # there is no thread to be had now; the next peer may find one
            with self._lock:
                del self._connections[thread]
            return False
        return True

    def _serve(self, connection: socket.socket, address: str) -> None:
        def becomes(other: socket.socket) -> None:
            with self._lock:
                self._connections[current_thread()] = other, address

        try:
            self._talk(connection, becomes)
        finally:
            with self._lock:
                last, _ = self._connections.pop(current_thread())
            last.close()


def _join(threads: list[Thread], seconds: float) -> None:
    by = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, by - time.monotonic()))


def _is_listening(there: socket.socket) -> bool:
    return bool(there.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
