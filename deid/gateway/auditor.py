"""The audit trail of a gateway: what any thread tells is written at once, and synced in groups, a moment later."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.errors import BadState, Deferred
from deid.log import say

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from deid.store.audit import Audit

    Event = tuple[str, Mapping[str, str | int]]

_MOMENT: Final = 0.5  # seconds
_MOST_KEPT: Final = 1 << 14  # events, while there is no room on the disk


class Auditor:
    """Sees to it, until the gateway stops, that what was told lasts."""

    def __init__(self, audit: Audit, stop: threading.Event) -> None:
        """Nothing is synced before it runs."""
        self._audit = audit
        self._stop = stop
        self._failure: BadState | None = None
        self._paused = False
        self._lock = Lock()
        self._kept: list[Event] = []

    def tell(self, event: str, **fields: str | int) -> None:
        """Take an event down, without values of a data set; from any thread. Whatever ends the process, it is there.

        Raises nothing: a trail that cannot be written ends the gateway, and nobody else is to blame. On a full disk,
        where peers are refused, it is kept until there is room.
        """
        self.tell_all([(event, fields)])

    def tell_all(self, events: Iterable[Event]) -> None:
        """The same with several at once, which takes little longer than with one."""
        with self._lock:
            self._kept += events
            if not self._paused:  # else when it is synced
                self._write()

    def run(self) -> None:
        """Sync what is told. Raises BadState when the trail is not whole or cannot be written."""
        while not self._stop.is_set():
            self._stop.wait(_MOMENT)
            self.sync()

    def sync(self) -> None:
        """Make durable what was told so far, as far as there is room. Raises BadState as `run`."""
        with self._lock:
            if self._kept:
                self._write()
        if self._failure:
            raise self._failure
        with suppress(Deferred):
            self._audit.sync()

    def _write(self) -> None:
        try:
            self._audit.append(self._kept)
        except BadState as failure:
            self._failure = failure
        except Deferred as reason:
            if not self._paused:
                say("audit paused", reason=reason)
            self._paused = True
            if len(self._kept) > _MOST_KEPT:
                self._failure = BadState(str(reason))
        else:
            self._kept.clear()
            self._paused = False
