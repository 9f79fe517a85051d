"""Windows over large pictures: together they see each pixel once."""

from __future__ import annotations

import pytest

from deid.pixels import looks


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
