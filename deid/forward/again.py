"""May this object go out: the same SOP Instance UID again, or something else in its place, is a duplicate or held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.errors import Deferred, DeidError, Rejected
from deid.model import Outcome, State, Ticket
from deid.part10.source import Limits, same_data_set

if TYPE_CHECKING:
    from pathlib import Path

    from deid.forward.folder import Folder
    from deid.store.queue import Queue


@dataclass(frozen=True, slots=True)
class Again:
    """Compares with what this journey has released before."""

    queue: Queue
    journey: int
    folder: Folder
    limits: Limits
    work: Path

    def judge(self, outcome: Outcome, ticket: Ticket, group: dict[str, Ticket]) -> Outcome:
        """How the ticket ends; `group` are those that go out with it, by their SOP Instance UID."""
        if outcome.result is None:
            return outcome
        uid = outcome.result.original_instance
        earlier = group.get(uid) or self.queue.released(self.journey, uid)
        try:
            if earlier is None:
                self.folder.make_room(ticket.number, outcome.result.path)
                return outcome
            self._check_same(earlier, ticket)
        except Rejected as reason:
            return replace(outcome, state=State.HELD, reason=str(reason), result=None)
        return replace(outcome, state=State.DUPLICATE)

    def _check_same(self, earlier: Ticket, ticket: Ticket) -> None:
        try:
            same = same_data_set(earlier.source, ticket.source, self.limits, self.work)
        except Deferred:
            raise
        except DeidError:
            reason = "its SOP Instance UID was released before, and that file cannot be compared any more"
            raise Rejected(reason) from None
        if not same:
            raise Rejected("another object with the same SOP Instance UID and different content was released before")
