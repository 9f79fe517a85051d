"""Images of a series that show the same are searched once; whatever differs in one pixel is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import remembered
from deid.pixels.engine import Engine
from deid.pixels.remembered import mask_of

if TYPE_CHECKING:
    from deid.pixels.detector import Mask, Picture


class Finder:
    """Marks what is bright, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
        self.asked += 1
        return np.asarray(picture[:, :, 0] > (200 if sure else 100 if quick else 20 if faint else 50), np.bool_)


@pytest.fixture
def pictures() -> list[Picture]:
    return list(np.random.default_rng(7).integers(0, 255, (3, 33, 41, 3), dtype=np.uint8))


def test_a_series_that_stands_still_is_searched_once(pictures: list[Picture]) -> None:
    find = Finder()
    for _ in range(100):
        # Made anew each time, as from another file.
        found = Engine("bright", find).text_mask(pictures[0].copy())
        assert (found == (pictures[0][:, :, 0] > 50)).all()
        assert found.dtype == np.bool_
    assert find.asked == 1


def test_what_differs_is_searched(pictures: list[Picture]) -> None:
    find, one = Finder(), pictures[0]
    other = one.copy()
    other[32, 40, 2] ^= 1
    engine = Engine("bright", find)
    for picture in (one, other, one[:, ::-1], one.reshape(41, 33, 3), *pictures[1:]):
        for how in ({}, {"sure": True}, {"quick": True}, {"faint": True}):
            assert (engine.text_mask(picture, **how) == Finder()(picture, **how)).all()
    assert find.asked == 24
    assert (Engine("dark", lambda picture, **_: picture[:, :, 0] < 9).text_mask(one) == (one[:, :, 0] < 9)).all()


def test_a_mask_that_was_changed_is_not_what_is_remembered(pictures: list[Picture]) -> None:
    find = Finder()
    for _ in range(3):
        found = mask_of(find, pictures[0])
        assert (found == (pictures[0][:, :, 0] > 50)).all()
        found |= True
    assert find.asked == 1


def test_a_failure_is_not_remembered(pictures: list[Picture]) -> None:
    answers: list[Any] = [None, np.ones((33, 41), np.bool_)]
    engine = Engine("moody", lambda *_, **__: answers.pop(0))
    with pytest.raises(Rejected):
        engine.text_mask(pictures[0])
    assert engine.text_mask(pictures[0]).all()


def test_so_many_masks_are_remembered_and_no_more() -> None:
    find = Finder()
    for turn in range(2):
        for shade in range(remembered._MOST + 1):
            mask_of(find, np.full((8, 8, 3), shade, np.uint8))
        assert find.asked == (turn + 1) * (remembered._MOST + 1)
        assert len(remembered._masks) == remembered._MOST
