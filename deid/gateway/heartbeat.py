"""What workers have stays theirs while this process lives: the leases of their tickets are renewed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.log import say

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from deid.store.queue import Queue

LEASE: Final = 60.0  # seconds: three beats, and longer than what is at work may take when the gateway stops
_EVERY: Final = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One for all routes. An object may take minutes, and its worker has no eyes for the ledger meanwhile."""

    queue: Queue
    at_work: Sequence[Collection[int]]  # numbers of tickets, by route
    stop: Event

    def run(self) -> None:
        """Beat until the gateway stops."""
        while not self.stop.wait(_EVERY):
            try:
                self.beat()
            except Deferred as reason:  # the ledger cannot be written
                say("leases not renewed", reason=reason)

    def beat(self) -> None:
        """Renew all."""
        numbers = [number for route in self.at_work for number in list(route)]  # its workers change it meanwhile
        self.queue.extend(numbers, time.time() + LEASE)
