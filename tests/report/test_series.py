"""The few objects of a series that are shown: those with a mask, and some from all over."""

from __future__ import annotations

from itertools import pairwise

import pytest

from deid.model import Masked, Pixels
from deid.report.series import Series

NOTHING = Pixels(searched=False, because="")
FOUND = Pixels(searched=True, because="", masked=(Masked(0, 1, ((1, 1, 2, 2),)),), share=0.25)


def series(objects: int, masked: frozenset[int] = frozenset()) -> Series:
    made = Series("P", "S", "E")
    for number in range(1, objects + 1):
        made.add(number, FOUND if number in masked else NOTHING)
    return made


def shown(made: Series, most: int) -> list[int]:
    return made.shown(most)


@pytest.mark.parametrize(
    ("objects", "masked", "most", "expected"),
    [
        (1, (), 12, [1]),
        (2, (), 12, [1, 2]),
        (9, (), 12, [1, 5, 9]),
        (9, (), 1, [1]),
        (9, (2, 3), 12, [1, 2, 3, 5, 9]),
        (9, (2, 3), 3, [1, 2, 3]),
        (9, (1, 9), 12, [1, 5, 9]),
        (9, tuple(range(1, 10)), 3, [1, 5, 9]),
    ],
)
def test_masked_ones_first_then_from_first_to_last(
    objects: int, masked: tuple[int, ...], most: int, expected: list[int]
) -> None:
    assert shown(series(objects, frozenset(masked)), most) == expected


def test_of_a_long_series_a_bounded_number_is_remembered_from_first_to_last() -> None:
    made = series(10_000, frozenset(range(1, 10_001)))
    found = shown(made, 12)
    assert (len(found), found[0], found[-1]) == (12, 1, 10_000)
    apart = [after - before for before, after in pairwise(found)]
    assert max(apart) <= 2 * min(apart)
    assert len(made._masked._kept) < 32
    assert (made.objects, made.masked, made.searched, made.share) == (10_000, 10_000, 10_000, 0.25)
