"""At the start: what is safe in the spool and has no ticket gets one; a power cut may have taken it away."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Final

from deid.errors import DeidError
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.store.inbox import Arrival
from deid.store.spool import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from deid.store.inbox import Inbox
    from deid.store.spool import Spool

_CHUNK: Final = 1 << 20
_SOP_INSTANCE: Final = 0x00080018


def recover(spool: Spool, inbox: Inbox, journey: int, work: Path) -> int:
    """Make the tickets that are missing; says how many. Before anything arrives."""
    known = inbox.sources_here()
    missing = [path for path in spool.kept() if path.name not in known]
    for path in missing:
        inbox.receive(_arrival(path, journey, work))
    return len(missing)


def _arrival(path: Path, journey: int, work: Path) -> Arrival:
    at = path.stat().st_mtime
    try:
        with closing(open_source(path, Limits(), work)) as source:
            instance = outline(source, Limits()).text(_SOP_INSTANCE)
            digest = _digest(path, source.transfer_syntax)
    except DeidError:
        # Its ticket will be held for that reason; until then it is like no other object.
        return Arrival(journey, path, path.name, path.name.encode(), "", at)
    return Arrival(journey, path, instance, digest, source.sender, at)


def _digest(path: Path, transfer_syntax: str) -> bytes:
    """Of the data set as it arrived, which may be deflated."""
    digest = Digest(transfer_syntax)
    with path.open("rb") as file:
        # Our own File Meta Information begins with its length: (0002,0000) UL, 8 bytes of header, 4 of value.
        file.seek(128 + 4 + 8)
        file.seek(int.from_bytes(file.read(4), "little"), os.SEEK_CUR)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.value
