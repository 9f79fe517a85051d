"""Windows over large pictures: together they see each pixel once."""

from __future__ import annotations

import numpy as np
import pytest

from deid.pixels import looks
from deid.pixels.inference import Network


@pytest.mark.parametrize("length", [32, 736, 1600, 1632, 3008, 4096, 8192])
def test_windows_cover_a_side_once(length: int) -> None:
    windows = looks._windows(length)
    assert [place for first, after, _ in windows for place in range(first, after)] == list(range(length))
    assert len({window.stop - window.start for *_, window in windows}) == 1
    for first, after, window in windows:
        assert (window.stop - window.start) % 32 == 0
        assert window.stop - window.start <= 1600
        assert 0 <= window.start <= max(0, first - 100 * (first > 0))
        assert min(length, after + 100) <= window.stop <= length


@pytest.mark.parametrize(("rows", "rests"), [(736, 0), (1024, 2), (2048, 2)])
def test_before_and_after_a_large_picture_networks_rest(rows: int, rests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[None] = []
    monkeypatch.setattr(Network, "rest", lambda: rested.append(None))
    looks.in_windows(
        (rows, 1024), lambda rows, columns: np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    )
    assert len(rested) == rests
