"""Who was not let in, on record without filling it: the first at once, and then how many more there were each minute.

Anybody who reaches a port can be refused, or hang up, as often as he likes, and must not fill a disk by that.
"""

from __future__ import annotations

import time
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.log import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from deid.network.refusals import Stranger

_SUM_UP: Final = 60.0  # seconds
_MOST: Final = 256  # that are told apart in that time: by event, address and reason
_LOOK: Final = 0.5  # seconds, in which a stop is noticed
OTHERS: Final = "from other addresses, or for other reasons"


class Strangers:
    """Records them; any thread may."""

    def __init__(self, tell: Callable[..., None], stop: Event, every: float = _SUM_UP) -> None:
        """`tell` is the auditor's; what is repeated is told while it runs, every so many seconds, and at the end."""
        self._tell = tell
        self._stop = stop
        self._every = every
        self._lock = Lock()
        self._again: Counter[tuple[type[Stranger], str, str]] = Counter()  # with address and reason: after the first
        self._others: Counter[type[Stranger]] = Counter()

    def note(self, stranger: Stranger) -> None:
        """Tell the log, and the audit trail of who was refused, or count it for later."""
        kind = type(stranger)
        which = kind, stranger.address, stranger.reason
        with self._lock:
            if which in self._again:
                self._again[which] += 1
                return
            if len(self._again) >= _MOST:
                self._others[kind] += 1
                return
            self._again[which] = 0
        self._record(kind, **stranger.fields())

    def run(self) -> None:
        """Sum up until the gateway stops."""
        due = time.monotonic() + self._every
        while not self._stop.wait(_LOOK):
            if time.monotonic() >= due:
                self.sum_up()
                due = time.monotonic() + self._every
        self.sum_up()

    def sum_up(self) -> None:
        """Tell how often each has come again; who has not is forgotten."""
        with self._lock:
            again, self._again = self._again, Counter()
            self._again.update(dict.fromkeys((which for which, count in again.items() if count), 0))
            others, self._others = self._others, Counter()
        for (kind, address, reason), count in again.items():
            if count:
                self._record(kind, address=address, reason=reason, count=count)
        for kind, count in others.items():
            self._record(kind, reason=OTHERS, count=count)

    def _record(self, kind: type[Stranger], **fields: str | int) -> None:
        say(kind.event, **fields)
        if kind.audited:
            self._tell(kind.event, **fields)
