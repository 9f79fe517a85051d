"""EasyOCR's network is loaded and looks; with weights made here, for its own can only be downloaded."""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import craft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

installed = pytest.mark.skipif(find_spec("easyocr") is None, reason="needs the extra [easyocr]")

BRIGHT = (  # the convolutions between a picture and the network's map of letters that has half its size
    *(f"basenet.slice1.{number}" for number in (0, 3, 7, 10)),
    *(f"upconv4.conv.{number}" for number in (0, 3)),
    *(f"conv_cls.{number}" for number in (0, 2, 4, 6, 8)),
)
BESIDE_COARSER_MAPS = 64  # the first channel of the fine map where it meets those of the coarser ones


def weights() -> bytes:
    """A CRAFT network that takes for a letter what is bright."""
    craft.import_torchvision()
    import torch  # noqa: PLC0415 - part of an extra
    from easyocr.craft import CRAFT  # noqa: PLC0415 - part of an extra

    state = CRAFT().state_dict()
    for name, values in state.items():
        values.fill_(1.0 if name.endswith("running_var") else 0.0)
        if f"{name.removesuffix('.weight')}.running_var" in state and name.endswith(".weight"):
            values.fill_(1.0)
    for name in BRIGHT:
        kernel = state[f"{name}.weight"]
        middle = kernel.shape[-1] // 2
        channels = slice(BESIDE_COARSER_MAPS, BESIDE_COARSER_MAPS + 1) if name == "upconv4.conv.0" else slice(0, 1)
        kernel[0, channels, middle, middle] = 1.0
    content = io.BytesIO()
    torch.save({f"module.{name}": values for name, values in state.items()}, content)
    return content.getvalue()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The model made here is the one that is expected, and is loaded once."""
    folder, content = tmp_path_factory.mktemp("models"), weights()
    (folder / craft.MODEL).write_bytes(content)
    craft._network.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(craft.FOLDER, str(folder))
        patch.setattr(craft, "SHA256", hashlib.sha256(content).hexdigest())
        yield
    craft._network.cache_clear()


@pytest.fixture
def again() -> Iterator[None]:
    """The network is loaded anew, before and after."""
    craft._network.cache_clear()
    yield
    craft._network.cache_clear()


@installed
@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("rows", "columns", "longest"),
    [(160, 300, 2560), (160, 560, 2560), (160, 560, 400), (100, 300, 2560)],
    ids=["one tile", "several tiles", "reduced", "enlarged"],
)
def test_what_the_network_marks_is_masked_in_its_place(
    rows: int, columns: int, longest: int, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_SHORTEST_SIDE": 160, "_LONGEST_SIDE": longest, "_TILE": 256, "_OVERLAP": 64}.items():
        monkeypatch.setattr(craft, name, value)
    ink = drawing.ink("ZEB", rows=rows, columns=columns) | drawing.ink(
        "1971", at=(columns - 80, rows - 12), rows=rows, columns=columns
    )
    grey = np.where(ink, 255, 20).astype(np.uint8)
    mask = craft.text_mask(np.repeat(grey[:, :, None], 3, axis=2))
    assert mask[ink].mean() > 0.95
    near = cv2.dilate(ink.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert not mask[~near].any()


@installed
@pytest.mark.usefixtures("own")
def test_what_is_sure_is_less_and_no_text_is_none(drawing: Any) -> None:
    grey = np.where(drawing.ink(rows=64), 150, 110)[:64].astype(np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    assert craft.text_mask(picture, quick=True).any()
    assert not craft.text_mask(picture, quick=True, sure=True).any()
    assert not craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True).any()


@installed
@pytest.mark.usefixtures("own")
def test_one_thread_is_enough() -> None:
    import torch  # noqa: PLC0415 - part of an extra

    craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)
    assert torch.get_num_threads() == 1


@installed
@pytest.mark.usefixtures("again")
@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_model_that_torch_cannot_load_is_a_reason_to_hold(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / craft.MODEL).write_bytes(content)
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    monkeypatch.setattr(craft, "SHA256", hashlib.sha256(content).hexdigest())
    with pytest.raises(Rejected, match="cannot be loaded"):
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)


@installed
@pytest.mark.usefixtures("again")
def test_weights_that_are_a_program_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: PLC0415 - part of an extra

    class Program:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "was run"), "w"))

    torch.save({"module.weight": Program()}, tmp_path / craft.MODEL)
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    monkeypatch.setattr(craft, "SHA256", hashlib.sha256((tmp_path / craft.MODEL).read_bytes()).hexdigest())
    with pytest.raises(Rejected, match="cannot be loaded"):
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)
    assert not (tmp_path / "was run").exists()


@pytest.mark.usefixtures("again")
def test_without_the_model_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    with pytest.raises(Rejected, match=r"cannot be read .*--fetch-models"):
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("again")
def test_another_model_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / craft.MODEL).write_bytes(b"another")
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    with pytest.raises(Rejected, match="not the one that was tested"):
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)


@pytest.mark.usefixtures("again")
def test_without_the_extra_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_content: bytes) -> None:
        raise ModuleNotFoundError

    (tmp_path / craft.MODEL).write_bytes(b"weights")
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    monkeypatch.setattr(craft, "SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(craft, "_loaded", missing)
    with pytest.raises(Rejected, match=r"install deid-gateway\[easyocr\]"):
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)


def test_a_network_that_fails_does_not_say_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("QUILLFEATHER")

    monkeypatch.setattr(craft, "_network", lambda: failing)
    with pytest.raises(Rejected) as said:
        craft.text_mask(np.zeros((64, 64, 3), np.uint8), quick=True)
    assert "QUILLFEATHER" not in str(said.value)
    assert "failed" in str(said.value)
