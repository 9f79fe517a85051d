"""The end of a group of tickets: what passes gets its name in the output folder, and all of it goes into the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from deid.model import Outcome, State, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deid.forward.folder import Folder
    from deid.model import Replacement
    from deid.store.queue import Queue


_PATIENT: Final = "patient"
_REMEMBERED: Final = 1 << 16
ONE_OF_TWO: Final = (
    "another patient has the same new Patient ID by chance, and both would be taken for one: let the profile give it"
    " more digits (patient_id)"
)


class Judge(Protocol):
    """Whether an object may go out, beside those that go out with it and those that have gone before."""

    def judge(self, outcome: Outcome, ticket: Ticket, group: dict[str, Ticket]) -> Outcome:
        """How the ticket ends; `group` are those that go out with it, by their original SOP Instance UID."""


class Release:
    """The tickets of one journey that are at work, from the ledger to the output folder and back."""

    def __init__(
        self, queue: Queue, journey: int, folder: Folder, judge: Judge, destinations: Sequence[str] = ()
    ) -> None:
        """What is released waits for each of the destinations."""
        self._queue = queue
        self._journey = journey
        self._folder = folder
        self._judge = judge
        self._destinations = destinations
        self._patients: dict[str, str] = {}  # new Patient IDs that were looked up, each with the original
        self.at_work: dict[int, Ticket] = {}

    def begin(self, tickets: Iterable[Ticket]) -> None:
        """Remember tickets that are given to a worker."""
        self.at_work.update((ticket.number, ticket) for ticket in tickets)

    def end(self, group: list[Outcome]) -> list[Outcome]:
        """Publish what a group made and record how its tickets ended: files first, then the ledger. Gives the ends.

        Raises Deferred when either cannot be written.
        """
        going_out: dict[str, Ticket] = {}
        ends: list[Outcome] = []
        for outcome in group:
            ticket = self.at_work[outcome.ticket]
            end = self._judge.judge(self._apart_from_others(outcome), ticket, going_out)
            if end.state is State.RELEASED and end.result:
                going_out[end.result.original_instance] = ticket
            else:  # what a process that died has left, too
                self._folder.discard(ticket.number)
            ends.append(end)
        self._folder.publish(
            (end.ticket, end.result.path) for end in ends if end.result and end.state is State.RELEASED
        )
        if self._destinations:  # what a power cut takes away was sent to nobody, and may be made anew, even otherwise
            self._folder.make_names_last()
        self._queue.record_ends(self._journey, ends, self._destinations)
        for end in ends:
            del self.at_work[end.ticket]
        return ends

    def _apart_from_others(self, outcome: Outcome) -> Outcome:
        """The same end, unless the object would get a Patient ID that another patient has."""
        for new in outcome.result.replacements if outcome.result else ():
            if new.kind == _PATIENT and self._is_taken(new):
                return replace(outcome, state=State.HELD, reason=ONE_OF_TWO, result=None)
        return outcome

    def _is_taken(self, new: Replacement) -> bool:
        if new.replacement not in self._patients:
            if self._queue.is_of_another(new):
                return True
            if len(self._patients) >= _REMEMBERED:
                self._patients.clear()
            self._patients[new.replacement] = new.original
        return self._patients[new.replacement] != new.original
