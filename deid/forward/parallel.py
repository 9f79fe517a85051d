"""Many objects to one destination over several associations at once.

Each object waits for its answer, so on a long way one association is idle most of the time.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from deid.errors import BrokenOff, Deferred, Rejected, Unreadable, where
from deid.forward.fall_back import convert
from deid.forward.scu import Need, Sender, Sent, need_of
from deid.network.negotiation import REJECTED_PERMANENT, Refused
from deid.network.pdu import Ended
from deid.network.status import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from deid.forward.scu import Convert, Destination

    Outcome = Sent | Rejected | Unreadable | Deferred

_PAUSES: Final = (1.0, 3.0, 9.0)
"""Seconds to wait after an association ended before its object is tried again; after the last, it is given up."""
_IN_A_ROW: Final = 3
"""Objects at which associations ended, and none was sent in between: then it is the destination's fault, not theirs."""


@dataclass(slots=True)
class Sendings:
    """What became of a batch: found = sent + failed + waiting."""

    sent: int = 0
    warnings: int = 0  # of those sent
    failed: int = 0  # unreadable, or refused for good
    waiting: int = 0  # the destination was away, or had no room
    converted: int = 0  # of those sent: in another transfer syntax, because the destination refuses their own
    bytes: int = 0
    dicomdir: int = 0  # indexes of files: never sent, and not counted as found
    reasons: dict[str, int] = field(default_factory=dict)  # of warnings, failures, and of waiting

    def add(self, outcome: Outcome, need: Need | None) -> None:
        """Count one object."""
        if isinstance(outcome, Sent):
            self.sent += 1
            self.bytes += outcome.length
            self.converted += need is not None and outcome.transfer_syntax != need.transfer_syntax
            if outcome.status.kind is Kind.WARNING:
                self.warnings += 1
                self._because(f"sent with a warning: {outcome.status}")
            return
        if isinstance(outcome, Deferred):
            self.waiting += 1
        else:
            self.failed += 1
        self._because(str(outcome))

    def _because(self, reason: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def send_all(
    destination: Destination,
    paths: Iterable[Path],
    associations: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    converted: Convert = convert,
) -> Sendings:
    """Send all files; returns when each was sent or refused, or when the destination stays away."""
    sendings = Sendings()
    needs: list[tuple[Need, Path]] = []
    for path in paths:
        try:
            need = need_of(path)
        except (Rejected, Unreadable) as error:
            sendings.add(error, None)
            continue
        if need is None:
            sendings.dicomdir += 1
        else:
            needs.append((need, path))
    needs.sort(key=lambda each: each[0])  # stable: files of a folder stay together
    batch = _Batch(destination, deque(needs), tuple(dict.fromkeys(need for need, _ in needs)), converted)
    total = sendings.failed + len(needs)
    left = total + 1
    while 0 < len(batch.waiting) < left:  # what an association left behind when all others had ended goes once more
        left = len(batch.waiting)
        for outcome, need in batch.run(min(associations, left)):
            sendings.add(outcome, need)
            progress(sendings.sent + sendings.failed + sendings.waiting, total)
    for need, _ in batch.waiting:
        sendings.add(batch.because, need)
    return sendings


@dataclass(slots=True)
class _Batch:
    """What the associations share. One that cannot go on leaves its object to the others."""

    destination: Destination
    waiting: deque[tuple[Need, Path]]
    needs: tuple[Need, ...]
    converted: Convert
    outcomes: SimpleQueue[tuple[Outcome, Need] | None] = field(default_factory=SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)
    broke_off: int = 0  # objects in a row at which associations ended
    because: Deferred = field(default_factory=lambda: Deferred("interrupted"))  # why some are left

    def run(self, associations: int) -> Iterator[tuple[Outcome, Need]]:
        """What becomes of each object, until all are done or no association can go on."""
        threads = [threading.Thread(target=self._work) for _ in range(associations)]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                yield from iter(self.outcomes.get, None)
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()
        self.stopped.clear()

    def _work(self) -> None:
        """Send one after another over one association."""
        try:
            with Sender(self.destination, self.needs, converted=self.converted) as sender:
                while not self.stopped.is_set() and self.waiting:
                    try:
                        need, path = self.waiting.popleft()
                    except IndexError:  # another one took the last
                        return
                    outcome = self._send(sender, path)
                    self.broke_off = self.broke_off + 1 if isinstance(outcome, BrokenOff) else 0
                    if isinstance(outcome, Ended) or (isinstance(outcome, BrokenOff) and self.broke_off >= _IN_A_ROW):
                        self.because = outcome
                        self.waiting.appendleft((need, path))
                        return
                    self.outcomes.put((outcome, need))
        finally:
            self.outcomes.put(None)

    def _send(self, sender: Sender, path: Path) -> Outcome:
        for pause in _PAUSES:
            try:
                return sender.send(path)
            except (Ended, BrokenOff) as error:
                if isinstance(error, Refused) and error.refusal.result == REJECTED_PERMANENT:
                    return error
                ended = error
            except (Rejected, Unreadable, Deferred) as error:
                return error
            except Exception as defect:  # noqa: BLE001 - a traceback and the text of an error may hold values
                return Rejected(f"this is a defect of deid: {where(defect)}")
            self.stopped.wait(pause)
        return ended
