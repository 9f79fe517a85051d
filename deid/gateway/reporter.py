"""Results of Storage Commitment to peers that are called back: over new associations, until they know."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred, Rejected
from deid.log import say
from deid.network.commitment import PROPOSAL, REPORTER, tell
from deid.network.pdu import Ended
from deid.store.deliveries import pause_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.forward.scu import Destination
    from deid.network.commitment import Result
    from deid.receive.commitment import Committing
    from deid.store.requests import Asked

_LOOK: Final = 1.0  # seconds
_GIVE_UP: Final = 3 * 86_400.0  # seconds; a peer that is not told by then keeps its objects, or asks again


@dataclass(frozen=True, slots=True)
class Reporter:
    """Calls one peer after the other."""

    committing: Committing
    there: Mapping[str, Destination]  # by AE title
    stop: Event

    def run(self) -> None:
        """Work until the gateway stops."""
        while not self.stop.is_set():
            try:
                self._forget()
                found = self.committing.claim(self.there.keys())
                if found is not None:
                    self._report(*found)
                    continue
            except Deferred as reason:  # the ledger cannot be written
                say("commitment paused", reason=reason)
            self.stop.wait(_LOOK)

    def _report(self, asked: Asked, result: Result) -> None:
        """Tell one result, or put off what this peer is to be told."""
        try:
            with self.there[asked.peer].associate((PROPOSAL,), roles=(REPORTER,)) as association:
                status = tell(association, result)
                with suppress(Ended):  # the peer knows, whatever comes of the release
                    association.release()
            self.committing.told(asked, result, status.code)
        except (Deferred, Rejected) as reason:  # Rejected: it accepts no context for this now
            seconds = pause_after(asked.attempts)
            say("commitment not told", calling=asked.peer, reason=reason, seconds=seconds)
            self.committing.requests.not_told(asked, time.time() + seconds)

    def _forget(self) -> None:
        for peer, count in self.committing.requests.expire(time.time() - _GIVE_UP).items():
            say("commitment given up", calling=peer, count=count)
            self.committing.tell("commitment given up", peer=peer, count=count)
