"""What is found in one picture is told of that picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deid.pixels import codes
from deid.pixels.found import Found, How

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray


def test_codes_of_a_single_frame_are_neither_those_of_all_nor_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def finds(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return np.asarray(picture[:, :, 0] == 220, np.bool_)

    def sees_no_text(picture: NDArray[np.uint8], **_: bool) -> NDArray[np.bool_]:
        return np.zeros(picture.shape[:2], np.bool_)

    monkeypatch.setattr(codes, "code_mask", finds)
    nothing = np.zeros((96, 96), np.bool_)
    found = Found(How(sees_no_text, None, (1, 1), False, lambda _: (nothing, None)), nothing, nothing, nothing.copy())
    of_all, of_one = np.zeros((2, 96, 96), np.uint8)
    of_all[8:40, 8:40] = 220
    of_one[50:90, 50:90] = 220
    found.look([of_all], masked=False)
    assert (found.uncovered(of_one) == (of_one == 220)).all()
    assert (found.codes == (of_all == 220)).all()


def test_text_is_looked_for_in_another_shade_only_where_there_is_one() -> None:
    asked: list[NDArray[np.uint8]] = []

    def finds(picture: NDArray[np.uint8], **_: bool) -> NDArray[np.bool_]:
        asked.append(picture)
        return np.ones(picture.shape[:2], np.bool_)

    mask, nothing = np.zeros((2, 64, 64), np.bool_)
    mask[:8] = True
    grey = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8) + 80
    grey[:8] = 255
    found = Found(How(finds, None, (1, 1), False, lambda _: (nothing, None)), mask, nothing, nothing.copy())
    new = ~mask
    for view, most in ((grey, [255, 206]), (np.dstack([grey] * 3), [255])):
        asked.clear()
        assert (found.shown(new, [view], quick=True) == new).all()
        assert [int(picture.max()) for picture in asked] == most
