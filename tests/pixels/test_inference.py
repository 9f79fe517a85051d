"""Networks keep memory for as long as it saves time, and no longer."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from deid.pixels import inference, looks, taught
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


def test_what_is_enlarged_otherwise_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    content = content_of(looks._MODEL, looks._SHA256)
    given = np.random.default_rng(1).standard_normal((1, 3, 96, 128), np.float32)
    monkeypatch.setitem(inference._SETTINGS, "INFERENCE_PRECISION_HINT", "f32")  # the processor's own rounds
    network = Network(content)
    assert "ConvolutionBackpropData" not in {each.get_type_name() for each in network._model.get_ordered_ops()}
    monkeypatch.setattr(inference, "_rewrite_enlargements", lambda _: None)
    as_it_was = Network(content)
    assert "ConvolutionBackpropData" in {each.get_type_name() for each in as_it_was._model.get_ordered_ops()}
    assert np.allclose(network.run(given), as_it_was.run(given), atol=1e-5)


@pytest.mark.parametrize(("size", "step", "pad"), [((3, 3), 2, 1), ((2, 2), 2, 1), ((2, 2), 1, 0), ((2, 3), 2, 0)])
def test_what_overlaps_or_is_cut_stays(size: tuple[int, int], step: int, pad: int) -> None:
    operators = inference._openvino().opset13
    blob = operators.parameter([1, 3, 8, 8], np.float32)
    weights = operators.constant(np.ones((3, 2, *size), np.float32))
    layer = operators.convolution_backprop_data(
        blob, weights, [step] * 2, pads_begin=[pad] * 2, pads_end=[pad] * 2, dilations=[1, 1]
    )
    model = inference._openvino().Model([layer], [blob])
    before = [each.get_type_name() for each in model.get_ordered_ops()]
    inference._rewrite_enlargements(model)
    assert [each.get_type_name() for each in model.get_ordered_ops()] == before
