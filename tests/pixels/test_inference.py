"""Networks keep memory for as long as it saves time, and no longer."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from deid.pixels import looks, taught
from deid.pixels.inference import Network, content_of


class Compiled:
    """What stands for a network that was compiled: whether it keeps memory."""

    def __init__(self, *_: object) -> None:
        self.keeps = False

    def create_infer_request(self) -> Compiled:
        return self

    def infer(self, blob: Any, **_: object) -> Any:
        self.keeps = True
        return [blob]

    def release_memory(self) -> None:
        self.keeps = False


def blob(side: int) -> Any:
    return np.zeros((1, 3, side, side), np.float32)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[Network]:
    monkeypatch.setattr(Network, "_ran", [])
    monkeypatch.setattr(Network, "_compiled", Compiled)
    return [Network(content_of(looks._MODEL, looks._SHA256)), Network(taught._MODEL.read_bytes())]


def test_an_input_is_not_kept() -> None:
    given = blob(64)
    kept = weakref.ref(given)
    looks._network().run(given)
    del given
    assert kept() is None


def test_networks_keep_memory_until_they_rest(networks: list[Network]) -> None:
    one, other = networks
    for _ in range(2):
        for each in networks:
            each.run(blob(64))
        assert one._any.keeps
        assert other._any.keeps
        Network.rest()
        assert not one._any.keeps
        assert not other._any.keeps


def test_a_network_of_another_shape_keeps_none(networks: list[Network]) -> None:
    one, _ = networks
    one.run(blob(1024))
    before = one._planned
    assert before.keeps
    one.run(blob(1056))
    assert one._planned is not before
    assert not before.keeps


def test_a_plan_that_cannot_be_made_spoils_no_other(networks: list[Network], monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = networks
    one.run(blob(1024))

    def cannot(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as failing:
        failing.setattr(Network, "_compiled", cannot)
        with pytest.raises(RuntimeError):
            one.run(blob(1056))
    assert one.run(blob(1024)).shape == blob(1024)[0].shape
    Network.rest()
