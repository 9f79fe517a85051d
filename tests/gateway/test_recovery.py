"""What was acknowledged gets its ticket back; what has had its end does not begin anew."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from deid import samples
from deid.gateway.recovery import recover
from deid.model import Outcome, State
from deid.store.deliveries import Deliveries
from deid.store.inbox import Inbox
from deid.store.queue import Queue
from deid.store.spool import Spool
from deid.store.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("moved", [False, True])
def test_what_was_discarded_and_deleted_does_not_come_back(tmp_path: Path, moved: bool) -> None:  # noqa: FBT001 - pytest
    samples.make(tmp_path / "in")
    original = next((tmp_path / "in" / "CT").iterdir())
    spool, elsewhere = tmp_path / "spool", tmp_path / "moved"
    file = spool / f"{'0' * 32}-{original.stat().st_size}.dcm"
    told: list[State] = []

    with Vault.open(tmp_path / "state", shared=True) as vault:
        inbox, queue = Inbox(vault.connection, vault.keys), Queue(vault.connection, vault.keys)

        def recovered(folder: Path) -> int:
            journey = queue.journey(folder, tmp_path / "outbox", "route")
            return recover(Spool(folder), inbox, journey, vault.work, lambda _ticket, state, _peer: told.append(state))

        spool.mkdir()
        shutil.copy(original, file)
        assert recovered(spool) == 1
        assert recovered(spool) == 0
        (journey,) = queue.journeys()
        (ticket,) = queue.received(journey.number, 0, 9)
        queue.record_ends(journey.number, [Outcome(ticket.number, State.HELD, "something")])
        queue.discard(ticket.number)
        if moved:
            spool.rename(elsewhere)
        Deliveries(vault.connection, vault.keys).gone([ticket.number])
        assert recovered(elsewhere if moved else spool) == 0
        assert told == [State.RECEIVED]
        assert not list(tmp_path.glob(f"*/{file.name}"))
