"""Storage Commitment SCU (PS3.4 J.3.3): results that a destination brings, over whichever association."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.errors import Deferred, Rejected
from deid.log import say
from deid.network import status
from deid.network.commitment import answer, result_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deid.network.association import Association, Message
    from deid.store.custody import Custody, Settled


@dataclass(frozen=True, slots=True)
class Results:
    """Takes them down. Any thread may use it."""

    custody: Custody
    destinations: Mapping[str, Sequence[str]]  # their names by AE title: those that are asked
    tell: Callable[..., None]  # the auditor

    def take(self, association: Association, message: Message, ae_title: str) -> None:
        """Answer the N-EVENT-REPORT of this destination, once what it says is safe. Raises Ended."""
        answer(association, message, self._taken(message, ae_title))

    def settled(self, name: str, settled: Settled, reason: str = "") -> None:
        """Put on record what became of objects that a destination, or several of one AE title, has been sent."""
        for event, tickets in (
            ("committed", settled.kept),
            ("not committed", settled.again),
            ("delivery failed", settled.given_up),
        ):
            for ticket in tickets:
                self.tell(event, ticket=ticket, destination=name)
        say(
            "commitment",
            destination=name,
            committed=len(settled.kept),
            waiting=len(settled.again),
            failed=len(settled.given_up),
            reason=reason,
        )

    def _taken(self, message: Message, ae_title: str) -> int:
        try:
            result = result_in(message)
        except Rejected:
            return status.INVALID_ARGUMENT
        names = self.destinations[ae_title]
        failed = {
            each.instance: f"the destination does not keep the object (failure reason {each.reason:04X})"
            for each in result.failed
        }
        kept = {each.instance for each in result.committed}
        try:
            settled = self.custody.settle(names, result.transaction, kept, failed, time.time())
        except Deferred:
            return status.PROCESSING_FAILURE
        # Of a transaction that was settled before, or given up: it is told once more, and there is nothing to do.
        self.settled(" ".join(names), settled)
        return status.SUCCESS
