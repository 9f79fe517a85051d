"""After the way: files that nobody needs any more are deleted, originals and what was made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.log import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.forward.folder import Folder
    from deid.store.deliveries import Deliveries, Finished

_DAY: Final = 86_400
_AT_ONCE: Final = 256
_LOOK: Final = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Deletes the files of objects that every destination has, so many days after they arrived."""

    deliveries: Deliveries
    outboxes: Mapping[int, Folder]  # by journey
    days: int
    stop: Event

    def run(self) -> None:
        """Work until the gateway stops."""
        while not self.stop.is_set():
            try:
                cleaned = self.clean()
            except Deferred as reason:
                say("cleaning paused", reason=reason)
                cleaned = 0
            if cleaned < _AT_ONCE:
                self.stop.wait(_LOOK)

    def clean(self) -> int:
        """Delete what can be deleted now, up to a number; says how many objects it was."""
        now = time.time()
        self.deliveries.arrived_by(now)
        finished = self.deliveries.finished(now - self.days * _DAY, _AT_ONCE)
        gone, reason = [], ""
        for each in finished:
            try:
                self._delete(each)
            except OSError as error:  # the files of others go nevertheless
                reason = error.strerror or type(error).__name__
            else:
                gone.append(each.ticket)
        if reason:
            say("files cannot be deleted", count=len(finished) - len(gone), reason=reason)
        self.deliveries.gone(gone)  # last: after a crash, deleted again
        return len(gone)

    def _delete(self, finished: Finished) -> None:
        finished.source.unlink(missing_ok=True)
        outbox = self.outboxes.get(finished.journey)
        if finished.path and outbox:
            outbox.withdraw(finished.path)
