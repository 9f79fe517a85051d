"""May this object go out: nothing goes out twice under one SOP Instance UID, whatever a person has retried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deid.errors import Rejected
from deid.model import Outcome, State, Ticket
from deid.store.inbox import DIFFERENT

if TYPE_CHECKING:
    from deid.forward.folder import Folder
    from deid.store.queue import Queue


@dataclass(frozen=True, slots=True)
class Once:
    """Looks at what this journey has released before. Duplicates were told apart when they arrived."""

    queue: Queue
    journey: int
    folder: Folder

    def judge(self, outcome: Outcome, ticket: Ticket, group: dict[str, Ticket]) -> Outcome:
        """How the ticket ends; `group` are those that go out with it, by their original SOP Instance UID."""
        if outcome.result is None:
            return outcome
        uid = outcome.result.original_instance
        if uid in group or self.queue.released(self.journey, uid) is not None:
            return replace(outcome, state=State.HELD, reason=DIFFERENT, result=None)
        try:
            # An outbox is ours alone, and nothing was sent from it that the ledger does not call released.
            self.folder.make_room(ticket.number, outcome.result.path, alone=True)
        except Rejected as reason:
            return replace(outcome, state=State.HELD, reason=str(reason), result=None)
        return outcome
