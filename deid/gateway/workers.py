"""The middle of the way: the tickets of one route go through the same straight path as those of a batch."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.gateway.heartbeat import LEASE
from deid.log import say
from deid.scale import as_they_come, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deid.forward.folder import Folder
    from deid.forward.release import Release
    from deid.gateway.auditor import Auditor
    from deid.model import Outcome, Ticket
    from deid.pipeline import Pipeline
    from deid.processes import Processes
    from deid.scale import Staged
    from deid.store.queue import Queue

_GROUP: Final = 16  # tickets that are written down together at most; as many are claimed for each process
_LARGE: Final = 8 << 20  # bytes of an object that may take long: no other is in a group with it
_MOMENT: Final = 0.02  # seconds in which more may arrive: what is claimed and ends together is written down at once
_LOOK: Final = 1.0  # seconds between two looks for tickets that a person has retried
_PAUSE: Final = 5.0  # seconds, where the world was not ready


@dataclass(frozen=True, slots=True)
class Workers:
    """Those of one route. `news` is set when there is work or an end, `released` called when there is a release."""

    route: str
    journey: int
    queue: Queue
    folder: Folder
    release: Release
    pipeline: Pipeline
    jobs: int
    room: Callable[[], bool]  # whether there is room for what is made
    news: Event
    released: Callable[[], None]
    auditor: Auditor
    stop: Event

    def run(self) -> None:
        """Work until the gateway stops; what is at work then is finished. Raises what is a defect."""
        while not self.stop.is_set():
            try:
                self._give_back()
                with as_they_come(self.pipeline, self.jobs, self.news.set) as processes:
                    self._work(processes)
            except Deferred as reason:
                say("work paused", route=self.route, reason=reason)
                self.stop.wait(_PAUSE)

    def _work(self, processes: Processes[Staged, Outcome]) -> None:
        processes.start()
        large: deque[Ticket] = deque()  # that nobody has begun
        begun: list[int] = []  # large ones as well
        while not self.stop.is_set():
            self.news.clear()
            while ended := processes.ended():
                self._write_down(ended)
            tickets = self._claim() if processes.has_room() and len(large) < _GROUP * self.jobs else ()
            large.extend(ticket for ticket in tickets if _is_large(ticket.source))
            for group in self._shared_out([ticket for ticket in tickets if ticket not in large]):
                processes.begin(staged(group, self.folder.unpublished))
            begun = [number for number in begun if number in self.release.at_work]
            # While there is anything else to do, one process is left for that.
            while large and (len(begun) < max(1, self.jobs - 1) or processes.is_idle()):
                begun.append(large[0].number)
                processes.begin(staged((large.popleft(),), self.folder.unpublished))
            if not tickets:
                self.news.wait(_LOOK)
            elif len(tickets) < _GROUP * self.jobs:
                self.stop.wait(_MOMENT)
        for ended in processes.rest():
            self._write_down(ended)

    def _write_down(self, ended: list[Outcome]) -> None:
        for at in range(0, len(ended), _GROUP):  # whoever is killed then leaves no more untold
            self._end(ended[at : at + _GROUP])

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

    def _claim(self) -> tuple[Ticket, ...]:
        """What waits, but for what is at work here although its lease has ended: that only has it renewed by this."""
        if not self.room():  # a ledger that cannot be written lets nothing go either, and room is made no more
            raise Deferred("what is left of the disk is for the ledger and the audit trail: make room")
        claimed = self.queue.claim(self.journey, _GROUP * self.jobs, time.time(), LEASE)
        tickets = tuple(ticket for ticket in claimed if ticket.number not in self.release.at_work)
        self.release.begin(tickets)
        return tickets

    def _shared_out(self, tickets: list[Ticket]) -> Iterator[tuple[Ticket, ...]]:
        """As many for each process, so that none waits while another has a pile."""
        size = -(-len(tickets) // self.jobs)
        return (tuple(tickets[at : at + size]) for at in range(0, len(tickets), size or 1))


def _is_large(source: Path) -> bool:
    try:
        return source.stat().st_size > _LARGE
    except OSError:  # the work will say so
        return False
