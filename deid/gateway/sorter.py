"""Which inlet an object belongs to. What has no route is held; retried by a person, it is sorted again."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred, Rejected, Unreadable
from deid.gateway.heartbeat import LEASE
from deid.log import say
from deid.model import Outcome, State
from deid.part10.source import open_stored
from deid.receive.inlet import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deid.model import Ticket
    from deid.receive.inlet import Inlet
    from deid.receive.routing import Routing
    from deid.store.queue import Queue

UNROUTED: Final = ".unrouted"  # in place of a route's name, which never begins so
_AT_ONCE: Final = 64
_LOOK: Final = 1.0  # seconds between two looks for tickets that a person has retried


@dataclass(frozen=True, slots=True)
class Sorter:
    """Sorts by the rules of the settings that the gateway was started with."""

    routing: Routing
    inlets: Mapping[str, Inlet]  # by route, UNROUTED among them
    queue: Queue
    tell: Callable[..., None]  # the auditor
    stop: Event

    def choose(self, calling: str, called: str, file: Path) -> Choice:
        """Where an object goes that has arrived between these AE titles."""
        try:
            return Choice(self.inlets[self.routing.route(calling, called, file)])
        except (Rejected, Unreadable) as reason:
            return Choice(self.inlets[UNROUTED], str(reason))

    def run(self) -> None:
        """Work until the gateway stops."""
        while not self.stop.is_set():
            try:
                self.sort()
            except Deferred as reason:
                say("sorting paused", reason=reason)
            self.stop.wait(_LOOK)

    def sort(self) -> None:
        """Sort what has no route and was retried, up to a number."""
        here = self.inlets[UNROUTED]
        for ticket in self.queue.claim(here.journey, _AT_ONCE, time.time(), LEASE):
            choice = self._again(ticket)
            if choice.held:
                self.queue.record_ends(here.journey, [Outcome(ticket.number, State.HELD, choice.held)])
                self.tell(State.HELD, ticket=ticket.number, reason=choice.held)
            else:
                state = here.inbox.bring(ticket.number, choice.inlet.journey)
                route = choice.inlet.spool.folder.name
                self.tell("routed", ticket=ticket.number, state=state, route=route)

    def _again(self, ticket: Ticket) -> Choice:
        try:
            with closing(open_stored(ticket.source)) as source:
                return self.choose(source.sender, source.receiver, ticket.source)
        except (Rejected, Unreadable) as reason:
            return Choice(self.inlets[UNROUTED], str(reason))
