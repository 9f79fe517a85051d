"""Storage Commitment SCU (PS3.4 J.3.2): a destination is asked whether it keeps what it has been sent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from deid.errors import Deferred, Rejected, Unreadable
from deid.forward.scu import need_of
from deid.log import say
from deid.network.commitment import PROPOSAL, Reference, Request, ask
from deid.network.dimse import COMMAND_FIELD, N_EVENT_REPORT
from deid.network.pdu import Ended
from deid.network.status import UNRECOGNIZED_OPERATION, Kind
from deid.store.deliveries import pause_after

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deid.forward.scu import Destination
    from deid.network.association import Association, Message
    from deid.receive.results import Results
    from deid.store.custody import Owed

_AT_ONCE: Final = 1000  # objects of one request
_LOOK: Final = 1.0  # seconds
_MOMENT: Final = 5.0  # seconds in which a destination that may call us may answer over the association of the request
_LONGEST_PAUSE: Final = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one destination."""

    name: str
    destination: Destination
    results: Results
    outboxes: Mapping[int, Path]  # by journey
    wait: float  # seconds that it has for its result
    calls: bool  # whether it may bring a result over an association of its own
    stop: Event

    def run(self) -> None:
        """Ask until the gateway stops."""
        failures = 0
        while not self.stop.is_set():
            try:
                custody, now = self.results.custody, time.time()
                late = custody.overdue(self.name, now)
                if late.again or late.given_up:
                    self.results.settled(self.name, late, "no result in time")
                owed = custody.due(self.name, _AT_ONCE, now)
                if owed:
                    self._ask(owed)
                failures = 0
            except Deferred as reason:  # it cannot be reached, or the ledger cannot be written
                failures += 1
                seconds = min(pause_after(failures - 1), _LONGEST_PAUSE)
                say("commitment paused", destination=self.name, reason=reason, seconds=seconds)
                self.stop.wait(seconds)
            else:
                if not owed:
                    self.stop.wait(_LOOK)

    def _ask(self, owed: list[Owed]) -> None:
        """One request, and the results that come over its association. Raises Deferred when it could not be made."""
        custody, now = self.results.custody, time.time()
        references = self._references(owed)
        if not references:
            return
        request = Request(f"2.25.{uuid4().int}", tuple(references.values()))
        tickets = list(references)
        # Before the request: the result may be here, over another association, before the answer to it.
        custody.ask(self.name, tickets, request.transaction, now)
        try:
            with self.destination.associate((PROPOSAL,)) as association:
                self._make(request, association)
                custody.asked(request.transaction, time.time() + self.wait)
                self._listen(association, request.transaction)
        except Rejected as reason:
            self._refused(tickets, str(reason), request.transaction)
        except Deferred:
            custody.ask_later(self.name, tickets, now)
            raise

    def _references(self, owed: list[Owed]) -> dict[int, Reference]:
        """By ticket, the new UIDs of what is in the outbox."""
        references: dict[int, Reference] = {}
        missing: list[int] = []
        for each in owed:
            outbox = self.outboxes.get(each.journey)
            try:
                need = need_of(outbox / each.path) if outbox else None
            except (Rejected, Unreadable, OSError):
                need = None
            if need is None:
                missing.append(each.ticket)
            else:
                references[each.ticket] = Reference(need.sop_class, each.instance)
        if missing:
            self._refused(
                missing, "its file in the outbox cannot be read, or its route is not in the settings any more"
            )
        return references

    def _refused(self, tickets: list[int], reason: str, transaction: str = "") -> None:
        settled = self.results.custody.refused(self.name, tickets, reason, time.time() + self.wait, transaction)
        self.results.settled(self.name, settled, reason)

    def _listen(self, association: Association, transaction: str) -> None:
        """Take results that come over this association, as long as there is one to come."""
        by = time.monotonic() + (min(_MOMENT, self.wait) if self.calls else self.wait)
        try:
            while self.results.custody.awaits(transaction) and time.monotonic() < by and not self.stop.is_set():
                if association.is_quiet(_LOOK):
                    continue
                message = association.receive()
                if message is None:
                    return
                self._hear(association, message)
            association.release()
        except Ended as reason:  # the request was taken: a result may come another way
            say("association ended", destination=self.name, reason=reason)

    def _make(self, request: Request, association: Association) -> None:
        said = ask(association, request, partial(self._hear, association))
        if not said.is_stored:
            kind = Deferred if said.kind is Kind.TRANSIENT else Rejected
            raise kind(f"the destination does not take the request: {said}")

    def _hear(self, association: Association, message: Message) -> None:
        if message.number(COMMAND_FIELD) == N_EVENT_REPORT:
            self.results.take(association, message, self.destination.ae_title)
        else:
            association.send(message.context.id, message.response(UNRECOGNIZED_OPERATION))
