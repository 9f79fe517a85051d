"""The middle of the way: the tickets of one route go through the same straight path as those of a batch."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.gateway.heartbeat import LEASE
from deid.log import say
from deid.scale import outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.forward.folder import Folder
    from deid.forward.release import Release
    from deid.gateway.auditor import Auditor
    from deid.model import Outcome, Ticket
    from deid.pipeline import Pipeline
    from deid.store.queue import Queue

_GROUP: Final = 16  # tickets that are written down together at most; as many are claimed for each process
_MOMENT: Final = 0.02  # seconds in which more may arrive: what is claimed and ends together is written down at once
_LOOK: Final = 1.0  # seconds between two looks for tickets that a person has retried
_PAUSE: Final = 5.0  # seconds, where the world was not ready


@dataclass(frozen=True, slots=True)
class Workers:
    """Those of one route. `arrived` is set when there is work, `released` called when there is something to deliver."""

    route: str
    journey: int
    queue: Queue
    folder: Folder
    release: Release
    pipeline: Pipeline
    jobs: int
    room: Callable[[], bool]  # whether there is room for what is made
    arrived: Event
    released: Callable[[], None]
    auditor: Auditor
    stop: Event

    def run(self) -> None:
        """Work until the gateway stops; what is at work then is finished. Raises what is a defect."""
        while not self.stop.is_set():
            try:
                self._give_back()
                with closing(
                    outcomes(self.pipeline, self._groups(), self.folder.unpublished, self.jobs, apart=True)
                ) as worked:
                    for ended in worked:
                        for at in range(0, len(ended), _GROUP):  # whoever is killed then leaves no more untold
                            self._end(ended[at : at + _GROUP])
            except Deferred as reason:
                say("work paused", route=self.route, reason=reason)
                self.stop.wait(_PAUSE)

    def _give_back(self) -> None:
        """What was at work when the world was not ready: else it would wait for the end of its lease."""
        self.queue.extend(self.release.at_work, time.time())
        self.release.at_work.clear()

    def _end(self, group: list[Outcome]) -> None:
        ends = self.release.end(group)
        self.auditor.tell_all(
            (end.state, {"ticket": end.ticket} | ({"reason": end.reason} if end.reason else {})) for end in ends
        )
        self.released()

    def _groups(self) -> Iterator[tuple[Ticket, ...]]:
        while not self.stop.is_set():
            if not self.room():  # a ledger that cannot be written lets nothing go either, and room is made no more
                raise Deferred("what is left of the disk is for the ledger and the audit trail: make room")
            self.arrived.clear()
            tickets = self._claim()
            if tickets:
                self.release.begin(tickets)
                # Of what is left when it stops, nobody has begun any: the next start gives it back.
                yield from takewhile(lambda _: not self.stop.is_set(), self._shared_out(tickets))
                if len(tickets) < _GROUP * self.jobs:
                    self.stop.wait(_MOMENT)
            elif self.release.at_work:
                yield ()  # so that what is at work comes back
            else:
                self.arrived.wait(_LOOK)

    def _shared_out(self, tickets: tuple[Ticket, ...]) -> Iterator[tuple[Ticket, ...]]:
        """As many for each process, so that none waits while another has a pile.

        Where much waits, all have enough to go on with behind an object that takes long: ends keep their order.
        """
        size = -(-len(tickets) // self.jobs)
        return (tickets[at : at + size] for at in range(0, len(tickets), size))

    def _claim(self) -> tuple[Ticket, ...]:
        """What waits, but for what is at work here although its lease has ended: that only has it renewed by this."""
        claimed = self.queue.claim(self.journey, _GROUP * self.jobs, time.time(), LEASE)
        return tuple(ticket for ticket in claimed if ticket.number not in self.release.at_work)
