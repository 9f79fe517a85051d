"""Where what has arrived goes, by whatever way in: into the spool, onto the disk, and into the ledger.

What is sent is written as it arrives and never decoded, but for the UIDs by which it is filed. Whoever sends is told
success when the object is safe: its file is on the disk, and recovery would find it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.errors import Deferred, Rejected
from deid.network import status
from deid.part10.identity import Identity, identity_in
from deid.part10.target import file_meta
from deid.store.inbox import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from deid.model import State
    from deid.store.inbox import Inbox
    from deid.store.spool import Spool

_HEAD: Final = 4096  # bytes of a data set in which its UIDs stand; what comes before them is short


@dataclass(frozen=True, slots=True)
class Inlet:
    """Where the objects of one route go."""

    journey: int
    spool: Spool
    inbox: Inbox
    arrived: Callable[[int, State, str], None]  # called with each ticket, its state, and the AE title of its sender
    room: Callable[[], bool]  # whether there is room for one more object
    choose: Callable[[str, str, Path], Choice] | None = None
    """Called with the AE titles of both sides and the file of an object that arrives here: where it goes."""


class Choice(NamedTuple):
    """Where an object goes, and why it is held there; "" where it is not."""

    inlet: Inlet
    held: str = ""


class Announced(NamedTuple):
    """What was said of an object before its data set came."""

    identity: Identity
    transfer_syntax: str
    calling: str
    called: str


def keep(
    inlet: Inlet,
    announced: Announced,
    data_set: Iterable[bytes | memoryview],
    check: Callable[[Path], bool] | None = None,
) -> int:
    """Take one object; says with which status. `check` looks at its file before it is kept: else A900.

    Raises Deferred and Rejected where it cannot be kept, and what `data_set` raises.
    """
    identity, syntax, calling, called = announced
    digest, head = inlet.inbox.digest(identity.instance, syntax), bytearray()
    with inlet.spool.arriving(file_meta(*identity, syntax, calling, called)) as arriving:
        for chunk in data_set:
            if not inlet.room():  # an object may be larger than what was left
                return status.OUT_OF_RESOURCES
            arriving.write(chunk)
            digest.update(chunk)
            if len(head) < _HEAD:
                head += chunk[:_HEAD]
        if not _is_as_announced(head, announced) or (check and not check(arriving.path)):
            return status.DATA_SET_MISMATCH
        held = ""
        if inlet.choose:
            inlet, held = inlet.choose(calling, called, arriving.path)
        # The folder is what tells the route, should a power cut take the ticket away.
        kept = arriving.keep(inlet.spool)
    arrival = Arrival(
        inlet.journey, kept, identity.instance, digest.end(), calling, time.time(), identity.sop_class, held
    )
    try:
        ticket, state = inlet.inbox.receive(arrival)
    except Deferred:
        kept.unlink(missing_ok=True)  # the peer will be told that we do not have it
        raise
    inlet.arrived(ticket, state, calling)
    return status.SUCCESS


def _is_as_announced(head: bytearray, announced: Announced) -> bool:
    """Whether a data set says that it is the object it was announced as (PS3.4 B.2.3: else A900)."""
    try:
        return identity_in(head, announced.transfer_syntax) == announced.identity
    except Rejected:
        return False
