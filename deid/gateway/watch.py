"""Watching the gateway over HTTP, on a port of its own: is it alive, does it let peers in, and how much is where."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deid.receive.inlet import Inlet
    from deid.store.custody import Custody
    from deid.store.deliveries import Deliveries
    from deid.store.queue import Queue
    from deid.store.requests import Requests

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


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


class _Server(ThreadingHTTPServer):
    """A thread for each request; one that comes to nothing is no line in the log that is none of JSON."""

    daemon_threads = True

    def handle_error(self, _request: object, _address: object) -> None:
        """Whoever asks has hung up, or the ledger cannot be read now; he asks again."""


class Watch:
    """The HTTP server, from its making to `close`."""

    def __init__(self, address: str, port: int, facts: Facts, is_ready: Callable[[], bool]) -> None:
        """Take the port and answer. Raises OSError."""
        registry = CollectorRegistry()
        registry.register(facts)

        class Handler(BaseHTTPRequestHandler):
            """One request; nothing is logged, for these come every few seconds."""

            timeout = 10  # seconds
            server_version = "deid"
            sys_version = ""

            def do_GET(self) -> None:
                if self.path == "/healthz":
                    self._answer(HTTPStatus.OK, b"alive\n")
                elif self.path == "/readyz":
                    ready = is_ready()
                    code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                    self._answer(code, b"ready\n" if ready else b"no peer is let in now\n")
                elif self.path == "/metrics":
                    self._answer(HTTPStatus.OK, generate_latest(registry))
                else:
                    self._answer(HTTPStatus.NOT_FOUND, b"there are /healthz, /readyz and /metrics\n")

            def _answer(self, code: HTTPStatus, content: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", _TEXT)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server((address, port), Handler)
        self.port = int(self._server.server_address[1])
        Thread(target=self._server.serve_forever, name="watch", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
