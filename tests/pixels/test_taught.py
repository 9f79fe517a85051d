"""The taught network believes the look that is right, takes large pictures in parts, and says nothing of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels import inference, taught
from deid.pixels.looks import Looks, look_closely

if TYPE_CHECKING:
    import pytest

ROWS, COLUMNS = 736, 736


def looks_at(picture: Any) -> Looks:
    return look_closely(picture, 1.0)


def page() -> tuple[Any, Any]:
    """A picture with one line of text, and its ink."""
    ink = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.putText(ink, "QUILLFEATHER 1971", (120, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    grey = np.random.default_rng(5).normal(80, 6, (ROWS, COLUMNS)).clip(0, 255).astype(np.uint8)
    grey[ink > 0] = 220
    return np.repeat(grey[:, :, None], 3, axis=2), ink > 0


def test_text_is_marked_and_little_else() -> None:
    picture, ink = page()
    marked = taught.Likely(picture, looks_at(picture).together()).marked() > 0
    assert marked[ink].mean() > 0.98
    assert marked[:250].mean() < 0.001
    assert marked[350:].mean() < 0.001


def test_where_nothing_is_written_nothing_is_marked(drawing: Any) -> None:
    for grey in (np.zeros((ROWS, COLUMNS)), drawing.anatomy() * 255):
        shades = np.asarray(cv2.resize(grey.astype(np.uint8), (COLUMNS, ROWS)), np.uint8)
        picture = np.repeat(shades[:, :, None], 3, axis=2)
        assert not taught.Likely(picture, looks_at(picture).together()).marked().any()


def test_a_picture_of_several_windows_is_marked_as_its_parts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, ink = page()
    wide = np.concatenate([picture, picture, picture], axis=1)[:, :2176]
    seen = looks_at(wide)
    sizes = []
    asked = inference.map_of

    def noted(network: Any, blob: Any) -> Any:
        sizes.append(blob.shape)
        return asked(network, blob)

    monkeypatch.setattr(taught, "map_of", noted)
    marked = taught.Likely(wide, seen.together()).marked() > 0
    assert len(sizes) == 2
    assert max(size[3] for size in sizes) <= 800
    assert marked[np.concatenate([ink, ink, ink], axis=1)[:, :2176]].mean() > 0.98
    assert marked[:250].mean() < 0.001


def test_a_look_is_halved_whatever_its_size() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    maps = [np.full(size, 0.5, np.float32) for size in ((64, 96), (64, 96), (32, 64), (32, 64), (32, 64), (32, 32))]
    halves = taught.halves(picture, maps)
    assert halves.shape == (6, 32, 48)
    assert set(np.unique(halves)) <= {127, 128}
