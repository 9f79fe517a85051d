"""What is counted of the pixels of released objects."""

from __future__ import annotations

import pytest

from deid.model import Masked, Pixels
from deid.report.account import Images

MASKED = (Masked(0, 1, ((1, 1, 2, 2),)),)


@pytest.mark.parametrize(
    ("searched", "masked", "counted"),
    [
        (True, MASKED, (1, 0, {})),
        (True, (), (0, 1, {})),
        (False, MASKED, (1, 0, {"why": 1})),  # too small for the search, but by a device rule
        (False, (), (0, 0, {"why": 1})),
    ],
)
def test_what_is_masked_counts_as_such_searched_or_not(
    searched: bool,  # noqa: FBT001 - a parameter of the test
    masked: tuple[Masked, ...],
    counted: tuple[int, int, dict[str, int]],
) -> None:
    images = Images()
    images.add(Pixels(searched=searched, because="why", masked=masked, share=0.25 if masked else 0.0))
    assert (images.masked, images.nothing_found, images.unclaimed) == counted
    assert (images.boxes, images.largely) == (len(masked), len(masked))
