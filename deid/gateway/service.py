"""The gateway from its start to its end: what it is made of, and in which order that begins and stops."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from threading import Event
from typing import TYPE_CHECKING, Final, NoReturn

from deid.cores import cores
from deid.forward.folder import Folder
from deid.forward.once import Once
from deid.forward.release import Release
from deid.gateway.audit_source import audit_source
from deid.gateway.auditor import Auditor
from deid.gateway.cleaner import Cleaner
from deid.gateway.commitments import Commitments
from deid.gateway.courier import Courier, Together
from deid.gateway.dicomweb import DicomWeb
from deid.gateway.heartbeat import Heartbeat
from deid.gateway.journeys import beside, former, journeys_of
from deid.gateway.notify import READY, STOPPING, notify
from deid.gateway.parts import Parts
from deid.gateway.places import Places
from deid.gateway.ports import taking
from deid.gateway.reception import Reception
from deid.gateway.recovery import recover, recover_former, set_aside
from deid.gateway.sorter import UNROUTED, Sorter
from deid.gateway.strangers import Strangers
from deid.gateway.watch import Facts, Watch
from deid.gateway.ways_out import opened
from deid.gateway.workers import Workers
from deid.log import say
from deid.network.passcodes import Passcodes
from deid.network.pdu import Limits as Waiting
from deid.network.peers import Peers
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.process import kill_all
from deid.receive.inlet import Choice, Inlet
from deid.receive.routing import NO_ROUTE, Routing
from deid.settings.destinations import Destination
from deid.store.audit import Audit
from deid.store.custody import Custody
from deid.store.deliveries import Deliveries
from deid.store.inbox import Inbox
from deid.store.queue import Queue
from deid.store.requests import Requests
from deid.store.spool import Spool
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deid.gateway.audit_source import AuditSource
    from deid.gateway.ways_out import Opened
    from deid.model import State, Ticket
    from deid.receive.commitment import Committing
    from deid.settings.destinations import Onward
    from deid.settings.document import Route, Settings
    from deid.store.database import Connection

_FOR_THE_LEDGER: Final = 32 << 20  # bytes that no object takes: what cannot be written down cannot be deleted either
_SECONDS_TO_END: Final = 5.0  # for associations that are open when the gateway stops
_SECONDS_TO_FINISH: Final = 20.0  # for objects that are at work or on their way then


class Gateway:
    """One gateway on one state folder. `stop` ends it; `failed` tells afterwards that a defect did."""

    def __init__(self, settings: Settings, stop: Event) -> None:
        """Nothing happens yet."""
        self.stop = stop
        self.failed = False
        self._settings = settings
        self._outgoing: list[Event] = []  # of each courier
        self._runs: list[Callable[[], None]] = []  # each in a thread of its own
        self._inlets: dict[str, Inlet] = {}  # by route
        self._choose: Callable[[str, str, Path], Choice] | None = None  # an inlet
        self._at_work: list[Mapping[int, Ticket]] = []  # of each route, by number
        self._outboxes: dict[int, Path] = {}  # by journey
        self._folders: dict[int, Folder] = {}  # that write these, and those of former routes
        self._former: dict[str, int] = {}  # journeys, by name of a route that the settings have no more

    def run(self) -> None:
        """Serve until it is stopped. Raises BadState, BadProfile, Deferred and OSError when it cannot start."""
        settings = self._settings
        with Vault.open(settings.state, settings.key, shared=True) as vault, ExitStack() as ending:

            def connection() -> Connection:
                return ending.enter_context(closing(vault.another_connection()))

            self._auditor = Auditor(Audit(vault.audit, vault.keys), self.stop)
            self._runs.append(self._auditor.run)
            journeys = journeys_of(settings, vault)
            ends = {journeys[route.name]: route.destinations for route in settings.routes}
            inbox = Inbox(connection(), vault.keys, beside(settings, journeys), ends)
            for name in ("spool", "outbox"):  # what is below the outbox has the modes of what leaves, by the umask
                (settings.state / name).mkdir(mode=0o700, exist_ok=True)
            if UNROUTED in journeys:
                self._sort(journeys[UNROUTED], inbox, Queue(connection(), vault.keys), vault)
            for route in settings.routes:
                folder = ending.enter_context(closing(Folder(settings.state / "outbox" / route.name)))
                self._open(route, journeys[route.name], folder, inbox, Queue(connection(), vault.keys), vault)
            self._former = former(settings, vault)
            self._runs.append(Heartbeat(Queue(connection(), vault.keys), self._at_work, self.stop).run)
            for name, journey in self._former.items():
                self._keep(name, journey, inbox, vault, ending)
            deliveries = Deliveries(vault.connection, vault.keys)
            deliveries.free_leases()
            queue = Queue(vault.connection, vault.keys)
            queue.free_leases()
            known = [destination.name for destination in settings.destinations]
            set_aside(queue, deliveries, journeys.values(), known, self._auditor.tell)
            for destination in settings.destinations:
                way = opened(destination, settings, vault.work, ending)
                self._send_to(destination, way, [connection() for _ in range(destination.couriers)], vault)
            cleaner = Cleaner(Deliveries(connection(), vault.keys), self._folders, settings.originals_days, self.stop)
            self._runs.append(cleaner.run)
            places = Places(settings.limits, self._has_room)
            commitments = Commitments(
                settings, vault.keys, connection, self._outboxes, self._auditor.tell, self._takes, self.stop, self._runs
            )
            reception = self._reception(commitments.open(), places, vault.work)
            ending.callback(self._auditor.sync)
            source = audit_source(settings, vault, connection(), self.stop)
            if source:
                self._runs.append(source.run)
            if settings.watch:
                facts = self._facts(places, connection(), vault, source)
                with taking(settings.watch.address, settings.watch.port):
                    watch = Watch(settings.watch.address, settings.watch.port, facts, self._is_ready)
                ending.callback(watch.close)
            self._auditor.tell("started")
            self._serve(reception)
            self._auditor.tell("stopped")
            self._auditor.sync()
            if source:
                source.finish()

    def _sort(self, journey: int, inbox: Inbox, queue: Queue, vault: Vault) -> None:
        """What belongs to which route, and where that is which belongs to none."""
        settings = self._settings
        routes = {peer.ae_title: peer.route for peer in settings.peers if peer.route}
        routing = Routing(settings.rules, routes, vault.work)
        sorter = Sorter(routing, self._inlets, queue, self._auditor.tell, self.stop)
        self._choose = sorter.choose
        self._runs.append(sorter.run)
        spool = Spool(settings.state / "spool" / UNROUTED)

        def received(ticket: int, state: State, sender: str) -> None:
            self._auditor.tell("received", ticket=ticket, state=state, peer=sender)

        recover(spool, inbox, journey, vault.work, received, NO_ROUTE)
        self._inlets[UNROUTED] = Inlet(journey, spool, inbox, received, self._has_half(spool), self._choose)

    def _open(  # noqa: PLR0913 - what a route is made of
        self, route: Route, journey: int, folder: Folder, inbox: Inbox, queue: Queue, vault: Vault
    ) -> None:
        """One route: what was left in its spool, its workers, and where its objects arrive."""
        spool = Spool(self._settings.state / "spool" / route.name)

        def received(ticket: int, state: State, sender: str) -> None:
            self._auditor.tell("received", ticket=ticket, state=state, peer=sender, route=route.name)

        recovered = recover(spool, inbox, journey, vault.work, received)
        if recovered:
            say("recovered", route=route.name, count=recovered)
        workers = Workers(
            route=route.name,
            journey=journey,
            queue=queue,
            folder=folder,
            release=Release(queue, journey, folder, Once(queue, journey, folder), route.destinations),
            pipeline=Pipeline(route.plan, vault.keys, Limits(), vault.work),
            jobs=max(1, cores() // len(self._settings.routes)),
            room=self._has_the_last(spool),
            news=Event(),
            released=self._tell_couriers,
            auditor=self._auditor,
            stop=self.stop,
        )
        self._runs.append(workers.run)
        self._at_work.append(workers.release.at_work)
        self._outboxes[journey] = folder.target
        self._folders[journey] = folder

        def arrived(ticket: int, state: State, sender: str) -> None:
            received(ticket, state, sender)
            workers.news.set()

        self._inlets[route.name] = Inlet(journey, spool, inbox, arrived, self._has_half(spool), self._choose)

    def _keep(self, name: str, journey: int, inbox: Inbox, vault: Vault, ending: ExitStack) -> None:
        """What is here of a route that the settings have no more."""

        def received(ticket: int, state: State, sender: str) -> None:
            self._auditor.tell("received", ticket=ticket, state=state, peer=sender, route=name)

        recover_former(self._settings.state / "spool" / name, inbox, journey, vault.work, received)
        if (outbox := self._settings.state / "outbox" / name).exists():
            self._folders[journey] = ending.enter_context(closing(Folder(outbox)))

    def _has_half(self, spool: Spool) -> Callable[[], bool]:
        least = self._settings.limits.free_megabytes << 19  # half of what a new association needs
        return lambda: spool.free_bytes() > least

    def _has_the_last(self, spool: Spool) -> Callable[[], bool]:
        least = min(self._settings.limits.free_megabytes << 18, _FOR_THE_LEDGER)
        return lambda: spool.free_bytes() > least

    def _tell_couriers(self) -> None:
        for outgoing in self._outgoing:
            outgoing.set()

    def _send_to(self, named: Onward, way: Opened, connections: list[Connection], vault: Vault) -> None:
        """The couriers of one destination."""
        together = Together()
        for connection in connections:
            self._outgoing.append(Event())
            courier = Courier(
                name=named.name,
                opened=way,
                deliveries=Deliveries(connection, vault.keys),
                queue=Queue(connection, vault.keys),
                outboxes=self._outboxes,
                outgoing=self._outgoing[-1],
                tell=self._auditor.tell,
                commits=isinstance(named, Destination) and named.commitment_seconds > 0,
                stop=self.stop,
                together=together,
            )
            self._runs.append(courier.run)

    def _reception(self, committing: Committing, places: Places, work: Path) -> Reception:
        settings = self._settings
        passcodes = Passcodes(settings.passcodes) if settings.passcodes else None
        peers = Peers(settings.ae_title, settings.peers, passcodes)
        strangers = Strangers(self._auditor.tell, self.stop)
        self._runs.append(strangers.run)
        limits = Waiting(pdu=settings.limits.pdu_bytes, idle=float(settings.limits.idle_seconds))
        web = DicomWeb(settings.ae_title, peers, self._inlets, places, strangers.note, limits, work)
        return Reception(settings, peers, self._inlets, committing, places, web, strangers.note)

    def _has_room(self) -> bool:
        least = self._settings.limits.free_megabytes << 20
        return all(inlet.spool.free_bytes() > least for inlet in self._inlets.values())

    def _takes(self) -> bool:
        return all(inlet.room() for inlet in self._inlets.values())

    def _is_ready(self) -> bool:
        return not self.stop.is_set() and self._has_room()

    def _facts(self, places: Places, connection: Connection, vault: Vault, source: AuditSource | None) -> Facts:
        return Facts(
            queue=Queue(connection, vault.keys),
            deliveries=Deliveries(connection, vault.keys),
            requests=Requests(connection, vault.keys),
            custody=Custody(connection, vault.keys),
            inlets=self._inlets,
            former=self._former,
            destinations=tuple(destination.name for destination in self._settings.destinations),
            associations=places.taken,
            behind=source.behind if source else None,
        )

    def _serve(self, reception: Reception) -> None:
        parts = Parts(self._runs, self._fail)
        parts.start()
        try:
            reception.start()
            notify(READY)
            self.stop.wait()
        finally:
            self.stop.set()
            notify(STOPPING)
            say("stopping")
            reception.close(_SECONDS_TO_END)
            if not parts.have_ended(_SECONDS_TO_FINISH):
                self._break_off()
            say("stopped")

    def _break_off(self) -> NoReturn:
        """End as a power cut would, from which everything recovers: an image, or a destination, takes too long."""
        self._auditor.tell("stopped")
        self._auditor.sync()
        say("stopped", reason="what is at work or on its way is done again after the next start")
        kill_all()  # what hangs in native code would not see that this process is gone
        os._exit(int(self.failed))

    def _fail(self) -> None:
        self.failed = True
        self.stop.set()
