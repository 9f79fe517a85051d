"""Storage Commitment SCP (PS3.4 J.3): what a peer asks for, and what it is told of the objects that it has sent.

A request is safe before it is answered. The peer may delete what it is told to be committed, so nothing is that is not
safe elsewhere: every destination has it, and keeps it where it is asked whether it does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred, Rejected
from deid.log import say
from deid.network import dimse, status
from deid.network.commitment import (
    CLASS_CONFLICT,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    Failure,
    Reference,
    Result,
    TooLong,
    answer,
    begin_to_tell,
    request_in,
)
from deid.network.contexts import STORAGE_COMMITMENT
from deid.network.status import Kind, judge
from deid.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from deid.network.association import Association, Message
    from deid.receive.results import Results
    from deid.store.requests import Asked, Requests
    from deid.store.standing import Standings

PATIENCE: Final = 86_400.0  # seconds; what is still on its way then is no longer waited for
_LONGEST_PAUSE: Final = 60.0  # seconds between two looks whether there is a result
REASONS: Final = {
    Standing.UNKNOWN: NO_SUCH_INSTANCE,
    Standing.OTHER_CLASS: CLASS_CONFLICT,
    Standing.NOT_SAFE: PROCESSING_FAILURE,
    Standing.PENDING: PROCESSING_FAILURE,
}
_LEASE: Final = 600.0  # seconds; longer than it takes to tell a result
_LOOK: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Committing:
    """All requests of all peers. Any thread may use it."""

    requests: Requests
    standings: Standings
    results: Results
    called_back: Collection[str]  # AE titles of peers that are told results over associations of ours
    tell: Callable[..., None]  # the auditor
    room: Callable[[], bool]  # whether there is room for one more request

    def claim(self, peers: Collection[str]) -> tuple[Asked, Result] | None:
        """A request of these peers of which there is a result by now. Raises Deferred."""
        while asked := self.requests.claim(peers, now := time.time(), _LEASE):
            result = self._result(asked, now)
            if result is not None:
                return asked, result
            self.requests.later(asked, now + min(_LONGEST_PAUSE, max(_LOOK, (now - asked.at) / 10)))
        return None

    def told(self, asked: Asked, result: Result, code: int) -> None:
        """The peer has answered; what it does not want to know is not told again. Raises Deferred."""
        said = judge(code)
        if said.kind is Kind.TRANSIENT:
            raise Deferred(f"the peer did not take the result: {said}")
        self.requests.done(asked)
        counts = {"committed": len(result.committed), "failed": len(result.failed)}
        event = "commitment told" if said.is_stored else "commitment not wanted"
        say(event, calling=asked.peer, **counts)
        self.tell(event, peer=asked.peer, **counts)

    def _result(self, asked: Asked, now: float) -> Result | None:
        committed: list[Reference] = []
        failed: list[Failure] = []
        for reference in asked.objects:
            standing = self.standings.of(asked.peer, *reference)
            if standing is Standing.SAFE:
                committed.append(Reference(*reference))
            elif standing is Standing.PENDING and now < asked.at + PATIENCE:
                return None
            else:
                failed.append(Failure(*reference, REASONS[standing]))
        return Result(asked.transaction, tuple(committed), tuple(failed))


class Commitment:
    """Storage Commitment over one association of a peer.

    A peer that is not called back is told results over the association on which it asks, also those of earlier ones.
    """

    def __init__(self, association: Association, committing: Committing, idle: float) -> None:
        """The peer is waited for as long as an association may be `idle`."""
        self._association = association
        self._committing = committing
        self._idle = idle
        self._waits = False
        self._telling: tuple[int, Asked, Result] | None = None  # and its message ID

    def take(self, message: Message) -> bool:
        """Answer what belongs to this service; says whether it does. Raises Ended."""
        if message.context.abstract_syntax != STORAGE_COMMITMENT:
            return False
        field = message.number(dimse.COMMAND_FIELD)
        results, peer = self._committing.results, self._association.calling
        if field == dimse.N_ACTION:
            answer(self._association, message, self._requested(message))
        elif field == dimse.N_EVENT_REPORT | dimse.RESPONSE:
            self._answered(message)
        elif field == dimse.N_EVENT_REPORT and peer in results.destinations:
            results.take(self._association, message, peer)
        else:
            return False
        return True

    def tell_while_quiet(self) -> None:
        """Tell what there is to tell until the peer says something. Raises Ended."""
        by = time.monotonic() + self._idle
        while self._waits and self._association.is_quiet(_LOOK) and time.monotonic() < by:
            if self._telling is None:
                self._tell()

    def _requested(self, message: Message) -> int:
        committing, peer = self._committing, self._association.calling
        try:
            asked = request_in(message)
        except TooLong:
            return status.RESOURCE_LIMITATION
        except Rejected:
            return status.INVALID_ARGUMENT
        if not committing.room():  # the last of the disk is for what lets objects go
            return status.RESOURCE_LIMITATION
        try:
            if not committing.requests.add(peer, asked.transaction, asked.references, time.time()):
                return status.RESOURCE_LIMITATION
        except Deferred:
            return status.PROCESSING_FAILURE
        say("commitment asked", calling=peer, count=len(asked.references))
        committing.tell("commitment asked", peer=peer, count=len(asked.references))
        self._waits = peer not in committing.called_back
        return status.SUCCESS

    def _tell(self) -> None:
        try:
            found = self._committing.claim((self._association.calling,))
        except Deferred:
            return
        if found is not None:
            self._telling = begin_to_tell(self._association, found[1]), *found

    def _answered(self, message: Message) -> None:
        telling, self._telling = self._telling, None
        if telling is None or message.number(dimse.RESPONDED_TO) != telling[0]:
            return
        try:
            self._committing.told(*telling[1:], message.number(dimse.STATUS))
        except Deferred as reason:
            say("commitment not told", calling=self._association.calling, reason=reason)
