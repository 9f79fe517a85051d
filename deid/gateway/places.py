"""How many peers are served at a time, by whatever way in they come."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from deid.network.negotiation import CONGESTION, LIMIT_EXCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.network.negotiation import Refusal
    from deid.network.peers import Peer
    from deid.settings.document import Limits


class Places:
    """Associations of peers, and connections over which they send by HTTP. Any thread may use it."""

    def __init__(self, limits: Limits, has_room: Callable[[], bool]) -> None:
        """There are none while the disk has no room."""
        self._limits = limits
        self._has_room = has_room
        self._lock = Lock()
        self._taken: Counter[str] = Counter()  # by AE title

    def take(self, peer: Peer) -> Refusal | None:
        """Take one, or say why there is none."""
        if not self._has_room():
            return CONGESTION
        with self._lock:
            there = self._taken[peer.ae_title]
            if self._taken.total() >= self._limits.associations or there >= self._limits.associations_per_peer:
                return LIMIT_EXCEEDED
            self._taken[peer.ae_title] += 1
        return None

    def leave(self, peer: Peer) -> None:
        """Give one back."""
        with self._lock:
            self._taken[peer.ae_title] -= 1

    def taken(self) -> int:
        """How many there are now."""
        with self._lock:
            return self._taken.total()
