"""The audit trail of a gateway: what is told by any thread goes into it in groups, a moment later."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from deid.store.audit import Audit

_AT_ONCE: Final = 256  # lines
_MOMENT: Final = 0.5  # seconds


class Auditor:
    """Writes until the gateway stops and everything is written."""

    def __init__(self, audit: Audit, stop: Event) -> None:
        """Nothing is written before it runs."""
        self._audit = audit
        self._stop = stop
        self._told: SimpleQueue[tuple[str, Mapping[str, str | int]]] = SimpleQueue()

    def tell(self, event: str, **fields: str | int) -> None:
        """Take an event down, without values of a data set; from any thread, and without waiting."""
        self._told.put((event, fields))

    def run(self) -> None:
        """Write what is told. Raises BadState when the trail is not whole or cannot be written."""
        while not self._stop.is_set():
            self._stop.wait(_MOMENT)
            self.write()

    def write(self) -> None:
        """Write what was told so far."""
        while events := self._next():
            self._audit.record_all(events)

    def _next(self) -> list[tuple[str, Mapping[str, str | int]]]:
        events: list[tuple[str, Mapping[str, str | int]]] = []
        while len(events) < _AT_ONCE:
            try:
                events.append(self._told.get_nowait())
            except Empty:
                break
        return events
