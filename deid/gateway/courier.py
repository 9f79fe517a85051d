"""The way out: what was released goes to one destination, a group of objects at a time, until it is there."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, Protocol

from deid.errors import BrokenOff, Declined, Deferred, Rejected, Unreadable, where
from deid.log import say
from deid.model import State
from deid.store.deliveries import pause_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from deid.store.deliveries import Deliveries, Delivery
    from deid.store.queue import Queue

_AT_ONCE: Final = 64  # deliveries that are claimed together, and go over one association
_RECORD: Final = 16  # that are recorded together; after a crash no more are sent twice
_ASK_AFTER: Final = 2.0  # seconds: what is sent together is asked for together
_LEASE: Final = 3600.0  # seconds
_LOOK: Final = 1.0  # seconds between two looks for what has become due
_OPEN: Final = 600.0  # seconds; what has changed of certificates and revocation lists counts for the next association
_LATELY: Final = 3600.0  # seconds; who took others since is not full, as far as nothing else is known
_IN_A_ROW: Final = 8  # objects at which the way there ended: then the destination is to blame, and has its pause
_TURN: Final = 16  # claims, of which one is for a suspect: else it would wait for ever behind others that never end
_AGAIN: Final = (
    "; this happens again and again: see the log of the destination, then retry the object, or discard its delivery"
)
_LONGEST_PAUSE: Final = 60.0  # seconds; each object has a pause of its own besides, which grows further


class Sender(Protocol):
    """A destination that is open for some objects."""

    def send(self, path: Path, /) -> object:
        """Send one object; returns when the destination has it. Raises what becomes of the object otherwise."""


@dataclass(slots=True)
class Together:
    """What the couriers of one destination know of it."""

    took: float = -_LATELY  # when it took something (time.monotonic)
    broke_off: int = 0  # objects in a row at which the way there ended
    put_off: dict[int, float] = field(default_factory=dict)  # when an object was last not taken; by ticket
    claims: int = 0
    at_work: set[int] = field(default_factory=set)  # tickets that one of them has, whatever has become of its lease


@dataclass(slots=True)
class Courier:
    """One of those that go to a destination."""

    name: str
    opened: Callable[[Sequence[Path]], AbstractContextManager[Sender]]  # with the objects that will come
    deliveries: Deliveries
    queue: Queue
    outboxes: Mapping[int, Path]  # by journey
    outgoing: Event
    tell: Callable[..., None]  # the auditor
    commits: bool  # it will be asked whether it keeps what it was sent
    stop: Event
    together: Together
    _owed: list[int] = field(default_factory=list)  # tickets whose lease is not given back, and would last for long
    _failures: int = 0  # since the destination last took what there was

    def run(self) -> None:
        """Deliver until the gateway stops."""
        while not self.stop.is_set():
            try:
                self.deliveries.extend(self.name, self._owed, time.time())
                self._owed.clear()
                self.outgoing.clear()  # before the look: what comes after it is seen
                claimed = self._claim()
                if not claimed:
                    self.outgoing.wait(_LOOK)
                    continue
                failed = self._deliver(claimed)
            except Deferred as reason:  # the ledger cannot be written
                failed = str(reason)
            if failed:
                seconds = min(pause_after(self._failures), _LONGEST_PAUSE)
                self._failures += 1
                say("delivery paused", destination=self.name, reason=failed, seconds=seconds)
                self.stop.wait(seconds)

    def _claim(self) -> list[Delivery]:
        """What is due, but for what another courier is still at: that only has its lease renewed by this."""
        self.together.claims += 1
        turn = self.together.claims % _TURN == 0
        claimed = self.deliveries.claim(self.name, _AT_ONCE, time.time(), _LEASE, suspect=turn)
        claimed = [delivery for delivery in claimed if delivery.ticket not in self.together.at_work]
        self.together.at_work.update(delivery.ticket for delivery in claimed)
        return claimed

    def _deliver(self, claimed: list[Delivery]) -> str:
        """Send what was claimed, and what becomes due until nothing more does for a moment: over one association.

        Says why the destination takes no more for now, "" where it took what there was.
        """
        sender: Sender | None = None
        until = time.monotonic() + _OPEN
        with ExitStack() as ending:
            while claimed:
                with self._giving_back(claimed):
                    sender = sender or ending.enter_context(self.opened(self._files(claimed)))
                    failed = self._send_all(sender, claimed)
                if not failed:
                    self._failures = 0
                if failed or self.stop.is_set() or time.monotonic() > until:
                    return failed
                self.outgoing.clear()
                claimed = self._claim()
                if not claimed and self.outgoing.wait(_LOOK):
                    claimed = self._claim()
        return ""

    @contextmanager
    def _giving_back(self, claimed: list[Delivery]) -> Iterator[None]:
        """Afterwards the leases are given back of all that have no end on record."""
        self._owed = [delivery.ticket for delivery in claimed]
        try:
            yield
        finally:
            self.together.at_work.difference_update(self._owed)
            self.deliveries.extend(self.name, self._owed, time.time())
        self._owed = []

    def _send_all(self, sender: Sender, claimed: list[Delivery]) -> str:
        """Send one after the other; says why the destination takes no more."""
        sent: list[int] = []
        failed = ""
        try:
            for delivery in claimed:
                if failed or self.stop.is_set():
                    break
                failed = self._send(sender, delivery, sent)
                if delivery.ticket not in sent:
                    self._let_go([delivery.ticket])
                if len(sent) >= _RECORD:
                    self._record(sent)
                    sent.clear()
        finally:
            self._record(sent)
        return failed

    def _record(self, sent: list[int]) -> None:
        if not sent:
            return
        self.deliveries.sent(self.name, sent, time.time() + _ASK_AFTER if self.commits else None)
        self._let_go(sent)

    def _let_go(self, tickets: list[int]) -> None:
        """It is on record what became of them: whoever claims one from now on is at it, be it before the others end."""
        self.together.at_work.difference_update(tickets)
        self._owed = [ticket for ticket in self._owed if ticket not in tickets]

    def _send(self, sender: Sender, delivery: Delivery, sent: list[int]) -> str:
        """Send one object, or put on record why not; says why the destination takes nothing for now."""
        ticket = delivery.ticket
        try:
            sender.send(self._file(delivery))
        except FileNotFoundError:
            # Somebody has taken it away: it is delivered when it was made again.
            reason = self.queue.make_again(ticket)
            self.deliveries.extend(self.name, [ticket], time.time())
            if reason:
                self.tell(State.HELD, ticket=ticket, reason=reason)
        except (Rejected, Unreadable) as reason:
            self._give_up(ticket, str(reason))
        except Declined as reason:
            if self._took_another_since(ticket):
                return self._decline(ticket, str(reason), blamed=True)
            self.deliveries.again(self.name, ticket, str(reason), time.time())  # it is full, and nothing is to blame
            return str(reason)
        except BrokenOff as reason:
            # Whether the destination is there, and takes others, is seen with the next one.
            self.together.broke_off += 1
            put_off = self._decline(ticket, f"{reason}{_AGAIN}", blamed=self._took_another_since(ticket))
            return str(reason) if put_off and self.together.broke_off >= _IN_A_ROW else ""
        except (Deferred, OSError) as error:
            failed = str(error) if isinstance(error, Deferred) else "a file of the outbox cannot be read"
            # Only this one waits for longer: if it is to blame itself, the others go past it.
            self.deliveries.again(self.name, ticket, failed, time.time())
            return failed
        except Exception as defect:  # noqa: BLE001 - one object must not keep all others here; its text may hold a value
            self._give_up(ticket, f"defect: {where(defect)}")
        else:
            self.together.took = time.monotonic()
            self.together.broke_off = 0
            self.together.put_off.pop(ticket, None)
            sent.append(ticket)
            # Now, not when it is recorded: the next one may take minutes, or the gateway be killed before that.
            self.tell("delivered", ticket=ticket, destination=self.name)
        return ""

    def _took_another_since(self, ticket: int) -> bool:
        """Whether the destination took something since it last did not take this one, which it does not now."""
        now = time.monotonic()
        last = self.together.put_off.get(ticket, now - _LATELY)
        self.together.put_off[ticket] = now
        return self.together.took > last

    def _decline(self, ticket: int, reason: str, *, blamed: bool) -> str:
        """Put on record that it was not taken; says why it is put off, "" where a person decides."""
        if self.deliveries.declined(self.name, ticket, reason, time.time(), blamed=blamed):
            self._tell_failed(ticket, reason)
            return ""
        return reason

    def _give_up(self, ticket: int, reason: str) -> None:
        self.deliveries.failed(self.name, ticket, reason)
        self._tell_failed(ticket, reason)

    def _tell_failed(self, ticket: int, reason: str) -> None:
        self.together.put_off.pop(ticket, None)
        say("delivery failed", destination=self.name, reason=reason)
        self.tell("delivery failed", ticket=ticket, destination=self.name, reason=reason)

    def _file(self, delivery: Delivery) -> Path:
        outbox = self.outboxes.get(delivery.journey)
        if outbox is None:
            raise Rejected("its route is not in the settings any more")
        file = outbox / delivery.path
        file.stat()
        return file

    def _files(self, claimed: list[Delivery]) -> list[Path]:
        return [self.outboxes[each.journey] / each.path for each in claimed if each.journey in self.outboxes]
