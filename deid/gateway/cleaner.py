"""After the way: files that nobody needs any more are deleted, originals and what was made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.log import say
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        finished = self.deliveries.let_go(now - self.days * _DAY, _AT_ONCE)
        gone, left, reason = [], [], ""
        for each in finished:
            try:
                self._delete(each)
            except OSError as error:  # the files of others go nevertheless
                left.append(each.ticket)
                reason = error.strerror or type(error).__name__
            else:
                gone.append(each.ticket)
        if left:
            say("files cannot be deleted", count=len(left), reason=reason)
            self.deliveries.not_gone(left)
        _make_last({each.source.parent for each in finished})
        self.deliveries.gone(gone)  # last: after a crash, deleted again
        return len(gone)

    def _delete(self, finished: Finished) -> None:
        finished.source.unlink(missing_ok=True)
        outbox = self.outboxes.get(finished.journey)
        if finished.path and outbox:
            outbox.withdraw(finished.path)


def _make_last(spools: set[Path]) -> None:
    """A power cut must not bring back what the ledger calls gone: it would be taken for an arrival, and go out."""
    for spool in spools:
        try:
            sync_folder(spool)
        except FileNotFoundError:  # of a route that is no more; a person has taken it away
            continue
        except OSError as error:
            raise Deferred(f"the spool cannot be written ({error.strerror})") from None
