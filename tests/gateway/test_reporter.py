"""A peer is told its results over associations of ours, and not for ever."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from deid.forward.scu import Destination
from deid.gateway.reporter import Reporter
from deid.network.pdu import Limits
from deid.receive.commitment import Committing
from deid.receive.results import Results
from deid.store.custody import Custody
from deid.store.requests import Requests
from deid.store.standing import Standings
from deid.store.vault import Vault
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CT, DAY = "1.2.840.10008.5.1.4.1.1.2", 86_400.0


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        yield vault


def test_a_peer_that_stays_away_is_given_up_after_three_days(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, dict[str, str | int]]] = []
    given_up, stop = Event(), Event()

    def tell(event: str, **fields: str | int) -> None:
        told.append((event, fields))
        given_up.set()

    connection = vault.another_connection()
    requests = Requests(connection, vault.keys)
    results = Results(Custody(vault.another_connection(), vault.keys), {}, tell)
    committing = Committing(requests, Standings(connection, vault.keys), results, ("CT1",), tell, lambda: True)
    for days in (4, 2):
        requests.add("CT1", f"1.2.{days}", [(CT, "1.2.5")], time.time() - days * DAY)
    there = Destination("CT1", "127.0.0.1", free_port(), limits=Limits(setup=10.0))
    running = Thread(target=Reporter(committing, {"CT1": there}, stop).run)
    running.start()
    assert given_up.wait(20)
    lines = ""
    while "commitment not told" not in lines:
        assert running.is_alive()
        time.sleep(0.05)
        lines += capsys.readouterr().err
    stop.set()
    running.join(20)
    assert told == [("commitment given up", {"peer": "CT1", "count": 1})]
    assert requests.waiting() == 1
    asked = requests.claim(["CT1"], time.time() + DAY, lease=1)
    assert asked is not None
    assert (asked.transaction, asked.attempts) == ("1.2.2", 1)
