"""Who was not let in, on record without filling it: the first at once, and then how many more there were each minute.

Anybody who reaches a port can be refused, or hang up, as often as he likes, and must not fill a disk by that.
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.log import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from deid.network.refusals import Stranger

_HOSTS: Final = 64  # bits of an IPv6 address that whoever has one may choose as he likes (RFC 4291 2.5.1)
_SUM_UP: Final = 60.0  # seconds
_MOST: Final = 64  # networks that are told apart in that time, of all that come alike
_LOOK: Final = 0.5  # seconds, in which a stop is noticed
OTHERS: Final = "more, from other addresses"

_Alike = tuple[type["Stranger"], int, str]
"""Event, port and reason, of which there are few: who scans a port takes no place of a peer whose key has expired."""


class Strangers:
    """Records them; any thread may."""

    def __init__(self, tell: Callable[..., None], stop: Event, every: float = _SUM_UP) -> None:
        """`tell` is the auditor's; what is repeated is told while it runs, every so many seconds, and at the end."""
        self._tell = tell
        self._stop = stop
        self._every = every
        self._lock = Lock()
        self._again: dict[_Alike, Counter[str]] = {}  # by network: how many after the first
        self._others: Counter[_Alike] = Counter()

    def note(self, stranger: Stranger) -> None:
        """Tell the log, and the audit trail of who was refused, or count it for later."""
        alike = type(stranger), stranger.listener, stranger.reason
        network = _network_of(stranger.address)
        with self._lock:
            again = self._again.setdefault(alike, Counter())
            if network in again:
                again[network] += 1
                return
            if len(again) >= _MOST:
                self._others[alike] += 1
                return
            again[network] = 0
        self._record(type(stranger), **stranger.fields())

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
            known, others = self._again, self._others
            self._again, self._others = {}, Counter()
            for alike, again in known.items():
                if still := [network for network, count in again.items() if count]:
                    self._again[alike] = Counter(dict.fromkeys(still, 0))
        for (kind, listener, reason), again in known.items():
            for network, count in again.items():
                if count:
                    self._record(kind, address=network, listener=listener, reason=reason, count=count)
        for (kind, listener, reason), count in others.items():
            self._record(kind, listener=listener, reason=f"{reason} ({OTHERS})", count=count)

    def _record(self, kind: type[Stranger], **fields: str | int) -> None:
        say(kind.event, **fields)
        if kind.audited:
            self._tell(kind.event, **fields)


def _network_of(address: str) -> str:
    """What is told apart: an address of IPv4, and of IPv6 the network in which somebody has all addresses."""
    try:
        there = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return address if there.ipv4_mapped else str(ipaddress.IPv6Network((int(there) >> _HOSTS << _HOSTS, _HOSTS)))
