"""What a gateway does at the same time: each part in a thread of its own, and none goes on without the others."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING

from deid.errors import DeidError, where
from deid.log import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Parts:
    """They end by themselves when the gateway stops."""

    def __init__(self, runs: Sequence[Callable[[], None]], fail: Callable[[], None]) -> None:
        """`fail` is called where a part fails: half of a gateway would lie about what it does."""
        self._fail = fail
        self._threads = [Thread(target=self._guarded, args=(run,)) for run in runs]

    def start(self) -> None:
        """All of them."""
        for thread in self._threads:
            thread.start()

    def have_ended(self, seconds: float) -> bool:
        """Whether all of them end by themselves in so many seconds."""
        by = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, by - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as defect:  # noqa: BLE001 - its text may hold a value
            said = str(defect) if isinstance(defect, DeidError) else ""
            say("defect", where=where(defect), reason=said)
            self._fail()
