"""What is masked without a search: never less than the object or the profile says, and never more than the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from deid.pixels.regions import Known, known_of
from deid.profile.devices import DeviceRule
from deid.profile.pixel_policy import PixelPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROWS, COLUMNS = 100, 200
CORNERS = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
MASK = PixelPolicy(outside_ultrasound_regions="mask")


def region(*corners: int | None) -> Dataset:
    made = Dataset()
    for keyword, value in zip(CORNERS, corners, strict=True):
        if value is not None:
            setattr(made, keyword, value)
    return made


@pytest.fixture
def known(opened: Callable[..., Any], drawing: Any) -> Callable[..., Known]:
    def call(*regions: Dataset, policy: PixelPolicy = MASK, **more: Any) -> Known:
        made = drawing.dataset(
            np.zeros((1, ROWS, COLUMNS), np.uint8), SequenceOfUltrasoundRegions=list(regions), **more
        )
        found = opened(made)
        return known_of(found.layout, found.frames, policy, ())

    return call


def mask_of(known: Known) -> NDArray[np.bool_]:
    """Painted pixel by pixel, apart from all of ours; boxes lie within the image and do not overlap."""
    painted = np.zeros((ROWS, COLUMNS), np.uint8)
    for x, y, width, height in known.boxes():
        assert x >= 0
        assert y >= 0
        assert width > 0
        assert height > 0
        assert x + width <= COLUMNS
        assert y + height <= ROWS
        painted[y : y + height, x : x + width] += 1
    assert painted.max(initial=0) <= 1
    assert np.array_equal(painted > 0, known.mask)
    return known.mask


@pytest.mark.parametrize("big_endian", [False, True])
def test_all_but_the_regions_is_masked(known: Callable[..., Known], big_endian: bool) -> None:  # noqa: FBT001
    found = known(region(20, 10, 99, 79), region(80, 5, 149, 40), big_endian=big_endian)
    expected = np.ones((ROWS, COLUMNS), np.bool_)
    expected[10:80, 20:100] = expected[5:41, 80:150] = False  # both corners belong to the region
    assert np.array_equal(mask_of(found), expected)
    assert "outside its ultrasound regions" in found.because


def test_a_region_that_is_the_whole_image_leaves_nothing_to_mask(known: Callable[..., Known]) -> None:
    assert known(region(0, 0, COLUMNS - 1, ROWS - 1)).boxes() == ()
    assert known(region(0, 0, COLUMNS, ROWS)).boxes() == ()  # counted from 1


@pytest.mark.parametrize(
    "broken",
    [
        region(20, 10, COLUMNS + 1, 79),  # of an image that was larger
        region(20, 10, 99, ROWS + 1),
        region(20, 10, 0xFFFFFFFF, 79),  # -1
        region(99, 79, 20, 10),
        region(20, 10, 99, None),
        region(None, None, None, None),
    ],
)
def test_what_is_no_rectangle_of_the_image_is_no_region(known: Callable[..., Known], broken: Dataset) -> None:
    sound = region(100, 0, 199, 49)
    expected = np.ones((ROWS, COLUMNS), np.bool_)
    expected[0:50, 100:200] = False
    assert np.array_equal(mask_of(known(broken, sound)), expected)
    alone = known(broken)
    assert alone.boxes() == ()
    assert "not to be believed" in alone.because


def test_regions_that_would_mask_nearly_everything_are_not_believed(known: Callable[..., Known]) -> None:
    assert known(region(0, 0, 19, 48)).boxes() == ()  # 4.9 % of the image
    assert known(region(0, 0, 19, 49)).boxes()
    assert known().boxes() == ()


def test_nothing_is_masked_unless_the_profile_says_so(known: Callable[..., Known]) -> None:
    found = known(region(20, 10, 99, 79), policy=PixelPolicy())
    assert (found.boxes(), found.because) == ((), "")


def test_an_object_without_regions(opened: Callable[..., Any], drawing: Any) -> None:
    found = opened(drawing.dataset(np.zeros((1, ROWS, COLUMNS), np.uint8)))
    known = known_of(found.layout, found.frames, MASK, ())
    assert (known.boxes(), known.because) == ((), "")


def test_the_mask_grows_to_cells_that_are_masked_together(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, ROWS, COLUMNS, 2), np.uint8), "YBR_FULL_422")
    made.SamplesPerPixel, made.SequenceOfUltrasoundRegions = 3, [region(21, 10, 98, 79)]
    found = opened(made)
    expected = np.ones((ROWS, COLUMNS), np.bool_)
    expected[10:80, 22:98] = False
    assert np.array_equal(mask_of(known_of(found.layout, found.frames, MASK, ())), expected)


def ruled(*rectangles: tuple[int, int, int, int]) -> DeviceRule:
    return DeviceRule("Sonora 7", (), (), rectangles)


def test_rectangles_of_a_rule_are_masked_as_far_as_they_lie_within(opened: Callable[..., Any], drawing: Any) -> None:
    found = opened(drawing.dataset(np.zeros((1, ROWS, COLUMNS), np.uint8)))
    rectangles = (
        (10, 5, 30, 7),
        (190, 95, 50, 50),  # runs over the corner
        (-20, -30, 10, 5),  # from the far edges
        (-500, 50, 310, 2),  # begins left of the image, and reaches into it
        (-500, 60, 10, 10),
        (400, 0, 10, 10),
    )
    known = known_of(found.layout, found.frames, PixelPolicy(), [ruled(*rectangles[:3]), ruled(*rectangles[3:])])
    expected = np.zeros((ROWS, COLUMNS), np.bool_)
    expected[5:12, 10:40] = expected[95:, 190:] = expected[70:75, 180:190] = expected[50:52, :10] = True
    assert np.array_equal(mask_of(known), expected)
    assert known.because == "masked by a rule for Sonora 7; masked by a rule for Sonora 7"


def test_a_rule_and_regions_add_up(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, ROWS, COLUMNS), np.uint8))
    made.SequenceOfUltrasoundRegions = [region(0, 20, 199, 99)]
    found = opened(made)
    known = known_of(found.layout, found.frames, MASK, [ruled((0, 10, 50, 30))])
    expected = np.zeros((ROWS, COLUMNS), np.bool_)
    expected[:20] = expected[10:40, :50] = True
    assert np.array_equal(mask_of(known), expected)
