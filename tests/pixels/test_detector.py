"""Text is found however it is drawn; where there is none nothing is marked; without a detector nobody says so."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import detector, inference, looks, taught

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray


@pytest.fixture
def again() -> Iterator[None]:
    """The detector is loaded anew, before and after."""
    looks._network.cache_clear()
    yield
    looks._network.cache_clear()


@pytest.mark.parametrize("contrast", [60, 120, 255])
@pytest.mark.parametrize("turned", [0, 2])
def test_text_is_covered_and_little_else(contrast: int, turned: int, drawing: Any) -> None:
    grey = drawing.anatomy() * 200
    ink = drawing.ink()
    grey[ink] = np.clip(grey[ink] + contrast, 0, 255)
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    mask = np.rot90(detector.text_mask(np.ascontiguousarray(np.rot90(picture, turned))), -turned)
    assert mask[ink].mean() > 0.98
    assert mask[60:].mean() < 0.02


def test_text_that_hardly_stands_out_is_covered_once_its_surroundings_are_levelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ink = np.zeros((736, 736), np.uint8)
    cv2.putText(ink, "QUILLFEATHER 1971", (60, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    grey = np.random.default_rng(5).normal(60, 1, ink.shape) + np.where(ink > 0, 3, 0)
    picture = np.repeat(grey.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    assert detector.text_mask(picture)[ink > 0].mean() > 0.98
    monkeypatch.setattr(looks, "_levelled", lambda picture, _: picture)
    assert not detector.text_mask(picture).any()


@pytest.mark.parametrize("height", [12, 20, 32])
@pytest.mark.parametrize("turned", [0, 1])
def test_text_that_takes_all_of_a_slender_picture_is_covered(height: int, turned: int) -> None:
    strip = np.full((height, 600), 60, np.uint8)
    cv2.putText(
        strip, "QUILLFEATHER", (60, height * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, height / 35, 220, 1, cv2.LINE_AA
    )
    picture = np.ascontiguousarray(np.rot90(np.repeat(strip[:, :, None], 3, axis=2), turned))
    mask = np.rot90(detector.text_mask(picture), -turned)
    assert mask.shape == strip.shape
    assert mask[strip > 120].mean() > 0.98
    assert mask[:, 400:].mean() < 0.02


def test_nothing_is_marked_where_nothing_is_written(drawing: Any) -> None:
    picture = np.repeat((drawing.anatomy() * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    assert not detector.text_mask(picture).any()
    assert not detector.text_mask(np.zeros((40, 3000, 3), np.uint8)).any()


@pytest.mark.usefixtures("again")
def test_a_detector_that_is_missing_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "find_spec", lambda _name: None)
    with pytest.raises(Rejected, match="install the package rapidocr"):
        detector.text_mask(np.zeros((50, 50, 3), np.uint8))


@pytest.mark.usefixtures("again")
def test_another_model_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_SHA256", "0" * 64)
    with pytest.raises(Rejected, match="not the one that was tested"):
        detector.text_mask(np.zeros((50, 50, 3), np.uint8))


@pytest.mark.parametrize("network", [looks, taught])
def test_a_detector_that_fails_does_not_say_what_it_saw(network: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def run(self, *_: object) -> None:
            raise RuntimeError("QUILLFEATHER")

    monkeypatch.setattr(network, "_network", Failing)
    with pytest.raises(Rejected) as said:
        detector.text_mask(np.zeros((50, 50, 3), np.uint8))
    assert str(said.value) == "the text detector failed (RuntimeError)"


@pytest.mark.parametrize("network", [looks, taught])
def test_a_detector_that_gives_no_numbers_has_not_looked(network: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dumb:
        def run(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.full((1, *blob.shape[2:]), np.nan, np.float32)

    monkeypatch.setattr(network, "_network", Dumb)
    with pytest.raises(Rejected, match="no numbers"):
        detector.text_mask(np.zeros((100, 100, 3), np.uint8))


@pytest.mark.parametrize("content", [None, b"", b"no network"], ids=["missing", "empty", "damaged"])
def test_a_taught_network_that_cannot_be_loaded_holds_what_it_should_search(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the file system would be a reason to try again later, for ever."""
    model = tmp_path / "taught.onnx"
    if content is not None:
        model.write_bytes(content)
    monkeypatch.setattr(taught, "_MODEL", model)
    monkeypatch.setattr(taught, "_network", taught._network.__wrapped__)
    with pytest.raises(Rejected, match="the text detector failed"):
        detector.text_mask(np.zeros((100, 100, 3), np.uint8))


@pytest.mark.parametrize("side", [16, 48, 64, 80])
def test_a_small_slice_does_not_look_like_a_letter(side: int) -> None:
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    ring = np.exp(-(((np.hypot(rows, columns) - 0.25) / 0.06) ** 2)) + 0.6 * np.exp(
        -((np.hypot(rows, columns) / 0.15) ** 2)
    )
    picture = np.repeat((ring * 220).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    assert not detector.text_mask(picture).any()


@pytest.mark.parametrize("height", [5, 8, 12, 17, 20])
@pytest.mark.parametrize("size", [(40, 40), (64, 64), (79, 79), (40, 120), (48, 200), (64, 30)])
@pytest.mark.parametrize("ground", [0, 60, 235])
def test_letters_that_fill_a_small_picture_are_covered(height: int, size: tuple[int, int], ground: int) -> None:
    rows, columns = size
    ink = np.zeros(size, np.uint8)
    text = "QB71KLMN"[: columns * 5 // (height * 6)]
    cv2.putText(ink, text, (2, (rows + height) // 2), cv2.FONT_HERSHEY_SIMPLEX, height / 21, 255, 1, cv2.LINE_AA)
    grey = np.random.default_rng(height).normal(ground, 4, size).clip(0, 255)
    grey[ink > 0] = np.where(ground > 128, 20, 230)
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    mask = detector.text_mask(picture)
    assert mask.shape == size
    assert mask[ink > 128].mean() > 0.95


def test_text_in_a_small_slice_is_covered() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    cv2.putText(picture, "QUILL 71", (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (230, 230, 230), 1)
    mask = detector.text_mask(picture)
    assert mask[picture[:, :, 0] > 128].mean() > 0.98
    assert not mask[40:].any()


def test_small_letters_in_a_picture_too_large_for_one_look_are_covered() -> None:
    """Lines over all windows, of letters that the whole picture would not show any more if it was reduced."""
    grey = np.random.default_rng(4).normal(60, 4, (768, 8000)).clip(0, 255).astype(np.uint8)
    ink = np.zeros(grey.shape, np.uint8)
    for row, column in product((40, 700), range(10, 7800, 230)):
        cv2.putText(ink, "QUILLFEATHER 1971-02-03", (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1)
    grey[ink > 0] = 200
    mask = detector.text_mask(np.repeat(grey[:, :, None], 3, axis=2))
    assert mask[ink > 0].mean() > 0.99
    assert mask[80:660].mean() < 0.01


def test_the_network_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    """Before it tells its maker anything, it leaves an identifier of the machine in the user's cache."""
    program = "from deid.pixels import looks, taught; looks._network(); taught._network()"
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", program], check=True, env=home)
    assert list(tmp_path.iterdir()) == []
