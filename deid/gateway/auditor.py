"""The audit trail of a gateway: what any thread tells is written at once, and synced in groups, a moment later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.errors import BadState

if TYPE_CHECKING:
    from threading import Event

    from deid.store.audit import Audit

_MOMENT: Final = 0.5  # seconds


class Auditor:
    """Sees to it, until the gateway stops, that what was told lasts."""

    def __init__(self, audit: Audit, stop: Event) -> None:
        """Nothing is synced before it runs."""
        self._audit = audit
        self._stop = stop
        self._failure: BadState | None = None

    def tell(self, event: str, **fields: str | int) -> None:
        """Take an event down, without values of a data set; from any thread. Whatever ends the process, it is there.

        Raises nothing: a trail that cannot be written ends the gateway, and nobody else is to blame.
        """
        try:
            self._audit.append([(event, fields)])
        except BadState as failure:
            self._failure = failure

    def run(self) -> None:
        """Sync what is told. Raises BadState when the trail is not whole or cannot be written."""
        while not self._stop.is_set():
            self._stop.wait(_MOMENT)
            self.sync()

    def sync(self) -> None:
        """Make durable what was told so far. Raises BadState as `run`."""
        if self._failure:
            raise self._failure
        self._audit.sync()
