"""At the start: what the spool holds and no ticket knows gets one, and what nobody would work at waits for a person."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from deid.errors import DeidError
from deid.log import say
from deid.part10.identity import SOP_CLASS, SOP_INSTANCE
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.store.inbox import Arrival
from deid.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from deid.model import State
    from deid.store.deliveries import Deliveries
    from deid.store.digest import Digest, FormerDigest
    from deid.store.inbox import Inbox
    from deid.store.queue import Queue

_CHUNK: Final = 1 << 20
NO_ROUTE: Final = "its route is not in the settings any more: put it back and retry the object, or discard it"
NO_DESTINATION: Final = (
    "this destination is not in the settings any more: put it back and retry the object, or discard the delivery"
)


def recover(  # noqa: PLR0913 - where they are, and what is known of them
    spool: Spool,
    inbox: Inbox,
    journey: int,
    work: Path,
    received: Callable[[int, State, str], None],
    held: str = "",
) -> int:
    """Make the tickets that a power cut has taken away, and tell each; says how many. Before anything arrives.

    `held` is why a person has to decide about them, if one has. What was deleted once, and is back, goes again: after a
    power cut, or where the state folder was moved before. It has had its end, and may have been discarded.
    """
    known = inbox.sources_here()
    unknown = [path for path in spool.kept() if path.name not in known]
    gone = inbox.gone_of({path.name for path in unknown})
    for path in unknown:
        if path.name in gone:
            path.unlink()
    missing = [path for path in unknown if path.name not in gone]
    for path in missing:
        arrival = replace(_arrival(path, inbox, journey, work), held=held)
        ticket, state = inbox.receive(arrival)
        received(ticket, state, arrival.peer)
    return len(missing)


def recover_former(
    spool: Path, inbox: Inbox, journey: int, work: Path, received: Callable[[int, State, str], None]
) -> None:
    """The same for a route that the settings have no more, and tell how much is left of it. Nothing of it goes on."""
    if spool.exists():
        recover(Spool(spool), inbox, journey, work, received, NO_ROUTE)
    if count := inbox.count(journey):
        say("route is not in the settings", route=spool.name, count=count)


def set_aside(
    queue: Queue,
    deliveries: Deliveries,
    journeys: Collection[int],
    destinations: Collection[str],
    tell: Callable[..., None],
) -> None:
    """What is acknowledged is never forgotten, although the settings do not know its route or destination any more."""
    for count, reason in (
        (queue.strand(journeys, NO_ROUTE), NO_ROUTE),
        (deliveries.strand(destinations, NO_DESTINATION), NO_DESTINATION),
    ):
        if count:
            say("set aside", count=count, reason=reason)
            tell("set aside", count=count, reason=reason)


def _arrival(path: Path, inbox: Inbox, journey: int, work: Path) -> Arrival:
    at = path.stat().st_mtime
    try:
        with closing(open_source(path, Limits(), work)) as source:
            layout = outline(source, Limits())
    except DeidError:
        # Its ticket will be held for that reason; until then it is like no other object.
        return Arrival(journey, path, path.name, path.name.encode(), "", at)
    instance = layout.text(SOP_INSTANCE)
    content = _content(path, inbox.digest(instance, source.transfer_syntax))
    return Arrival(journey, path, instance, content, source.sender, at, layout.text(SOP_CLASS))


def _content(path: Path, digest: Digest | FormerDigest) -> bytes:
    """Of the data set as it arrived, which may be deflated."""
    with path.open("rb") as file:
        # Our own File Meta Information begins with its length: (0002,0000) UL, 8 bytes of header, 4 of value.
        file.seek(128 + 4 + 8)
        file.seek(int.from_bytes(file.read(4), "little"), os.SEEK_CUR)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.end()
