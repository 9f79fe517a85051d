"""Watching the gateway over HTTP, on a port of its own: is it alive, does it let peers in, and how much is where."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from deid.errors import where
from deid.network.http11 import Exchange, Unclear
from deid.network.pdu import Ended, Limits
from deid.receive.listener import Listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from deid.network.http11 import Request
    from deid.receive.inlet import Inlet
    from deid.store.custody import Custody
    from deid.store.deliveries import Deliveries
    from deid.store.queue import Queue
    from deid.store.requests import Requests

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_MOST: Final = 32  # connections at a time, and threads
_MOST_OF_ONE: Final = 16  # from one address; beyond that, its oldest makes room
_MOST_READING: Final = 4  # threads that may wait for the ledger: who hangs up meanwhile wakes none of them
_LIMITS: Final = Limits(setup=10, stall=10, whole=60)
"""A connection, its request and its answer, each in all."""
_SECONDS_TO_END: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)  # the registry hashes it
class Facts(Collector):
    """What is counted, read from the ledger whenever somebody asks: it cannot be wrong after a restart."""

    queue: Queue
    deliveries: Deliveries
    requests: Requests
    custody: Custody
    inlets: Mapping[str, Inlet]  # by route
    former: Mapping[str, int]  # journeys, by name of a route that the settings have no more
    destinations: tuple[str, ...]
    associations: Callable[[], int]
    behind: Callable[[], int] | None  # lines of the audit trail that the repository does not have
    in_turn: Lock = field(default_factory=Lock)  # the connection to the ledger is for one thread at a time

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metrics; labels are names of the settings and words of ours."""
        tickets = GaugeMetricFamily("deid_tickets", "Objects by route and state.", labels=("route", "state"))
        deliveries = GaugeMetricFamily(
            "deid_deliveries", "Released objects by destination and state.", labels=("destination", "state")
        )
        uncommitted = GaugeMetricFamily(
            "deid_uncommitted", "Objects that a destination has yet to say that it keeps.", labels=("destination",)
        )
        free = GaugeMetricFamily("deid_spool_free_bytes", "Room on the disk of the spool.", labels=("route",))
        with self.in_turn:
            journeys = {route: inlet.journey for route, inlet in self.inlets.items()}
            for route, journey in (*journeys.items(), *self.former.items()):
                for state, count in self.queue.tally(journey).items():
                    tickets.add_metric((route, state.value), count)
            for route, inlet in self.inlets.items():
                free.add_metric((route,), inlet.spool.free_bytes())
            for destination in sorted(self.deliveries.destinations().union(self.destinations)):
                for word, count in self.deliveries.tally(destination).items():
                    deliveries.add_metric((destination, word), count)
            for destination in self.destinations:
                uncommitted.add_metric((destination,), self.custody.tally(destination))
        yield tickets
        yield deliveries
        yield uncommitted
        yield free
        waiting = self.requests.waiting()
        yield GaugeMetricFamily("deid_commitment_requests", "Storage Commitment: requests without a result.", waiting)
        if self.behind:
            about = "Lines of the audit trail that the audit repository has not confirmed."
            yield GaugeMetricFamily("deid_audit_lines_waiting", about, self.behind())
        yield GaugeMetricFamily("deid_associations", "Open associations of peers.", self.associations())


class Watch:
    """The HTTP server, from its making to `close`."""

    def __init__(self, address: str, port: int, facts: Collector, is_ready: Callable[[], bool]) -> None:
        """Take the port and answer. Raises OSError."""
        self._registry = CollectorRegistry()
        self._registry.register(facts)
        self._is_ready = is_ready
        self._reading = BoundedSemaphore(_MOST_READING)
        self._listener = Listener(address, port, self._talk, _MOST, _MOST_OF_ONE)
        self.port = self._listener.port
        self._listener.start()

    def close(self) -> None:
        """Answer no more."""
        self._listener.close(_SECONDS_TO_END)

    def _talk(self, connection: socket.socket, _stays: Callable[[], None]) -> None:
        """One request; nothing is logged, for these come every few seconds. Nobody stays: others get their turn."""
        with suppress(Ended, OSError), closing(Exchange(connection, _LIMITS)) as exchange:
            try:
                request = exchange.request(_LIMITS.setup)
            except Unclear as error:
                exchange.answer(error.code)
                raise
            if request:
                code, content = self._answer(request)
                exchange.answer(code, content, [("Content-Type", _TEXT), ("Connection", "close")])

    def _answer(self, request: Request) -> tuple[int, bytes]:
        if request.method != "GET":
            return HTTPStatus.NOT_IMPLEMENTED, b""
        if request.target == "/healthz":
            return HTTPStatus.OK, b"alive\n"
        if request.target == "/readyz":
            ready = self._is_ready()
            code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            return code, b"ready\n" if ready else b"no peer is let in now\n"
        if request.target == "/metrics":
            return self._metrics()
        return HTTPStatus.NOT_FOUND, b"there are /healthz, /readyz and /metrics\n"

    def _metrics(self) -> tuple[int, bytes]:
        if not self._reading.acquire(blocking=False):
            return HTTPStatus.SERVICE_UNAVAILABLE, b"the metrics are being read for others: ask again\n"
        try:
            return HTTPStatus.OK, generate_latest(self._registry)
        except Exception as error:  # noqa: BLE001 - whatever it is, he asks again; its text may hold a value
            return HTTPStatus.SERVICE_UNAVAILABLE, f"the metrics cannot be read now ({where(error)})\n".encode()
        finally:
            self._reading.release()
