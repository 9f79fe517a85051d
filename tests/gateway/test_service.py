"""What runs while a gateway does."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from deid.gateway import heartbeat
from deid.gateway.service import Gateway
from deid.settings.document import load
from tests.journeys.site import IN_THE_CLEAR, PATIENCE, Site
from tests.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_leases_are_renewed_for_every_route_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[int] = []  # for how many routes
    has_beaten, stop = Event(), Event()

    def beat(self: heartbeat.Heartbeat) -> None:
        beats.append(len(self.at_work))
        has_beaten.set()

    monkeypatch.setattr(heartbeat, "_EVERY", 0.01)
    monkeypatch.setattr(heartbeat.Heartbeat, "beat", beat)
    routes = [{"name": name, "profile": "basic", "destinations": ["archive"]} for name in ("research", "teaching")]
    peer = {"ae_title": "CT2", "addresses": ["127.0.0.1"], "route": "teaching"}
    known = {"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"}
    listener = {"port": free_port(), "address": "127.0.0.1", "unencrypted": IN_THE_CLEAR}
    site = Site(tmp_path, free_port(), routes=routes, peers=[known, peer], listen=[listener])
    gateway = Gateway(load(site.settings), stop)
    thread = Thread(target=gateway.run)
    thread.start()
    try:
        assert has_beaten.wait(PATIENCE)
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not gateway.failed
    assert set(beats) == {2}
