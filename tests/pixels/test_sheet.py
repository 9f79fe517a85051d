"""Small pictures show what a person would see of the object, and where it is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.errors import Rejected, Unreadable
from deid.model import Masked
from deid.part10.source import Limits
from deid.pixels.sheet import Sheet, sheet_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom import Dataset


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., Sheet]:
    def call(made: Dataset, masked: tuple[Masked, ...] = (), most: int = 3) -> Sheet:
        made.save_as(tmp_path / "object", enforce_file_format=True)
        return sheet_of(tmp_path / "object", masked, most, Limits())

    return call


def pixels(sheet: Sheet, number: int = 0) -> NDArray[Any]:
    """What the JPEG shows, red first."""
    decoded = cv2.imdecode(np.frombuffer(sheet.pictures[number].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)).astype(int)


def halves(left: Any, right: Any, kind: str, samples: int = 1) -> NDArray[Any]:
    frame = np.zeros((1, 64, 80, *([3] if samples == 3 else [])), kind)
    frame[:, :, :40], frame[:, :, 40:] = left, right
    return frame


@pytest.mark.parametrize(
    ("kind", "left", "right"), [("u2", 1000, 1100), ("i2", -1000, 400), ("u1", 20, 40), ("u4", 70000, 90000)]
)
def test_stored_values_fill_the_range_from_black_to_white(
    show: Callable[..., Sheet], drawing: Any, kind: str, left: int, right: int
) -> None:
    shown = pixels(show(drawing.dataset(halves(left, right, kind))))
    assert shown[:, :36].max() < 8
    assert shown[:, 44:].min() > 247


def test_values_of_8_bits_are_shown_as_they_are(show: Callable[..., Sheet], drawing: Any) -> None:
    shown = pixels(show(drawing.dataset(halves(60, 180, "u1"))))
    assert abs(shown[:, :36] - 60).max() < 8
    assert abs(shown[:, 44:] - 180).max() < 8


def test_a_few_outliers_do_not_hide_the_rest(show: Callable[..., Sheet], drawing: Any) -> None:
    frames = halves(1000, 1100, "u2")
    frames[0, 5, 5] = 65535
    assert pixels(show(drawing.dataset(frames)))[20:, 44:].min() > 240


def test_what_fills_a_mask_does_not_hide_the_rest(show: Callable[..., Sheet], drawing: Any) -> None:
    frames = halves(1000, 1100, "i2")
    frames[0, :20] = -32768
    masked = (Masked(0, 1, ((0, 0, 80, 20),)),)
    shown = pixels(show(drawing.dataset(frames), masked))
    assert shown[28:, :36].max() < 8
    assert shown[28:, 44:].min() > 247


def test_monochrome1_is_white_where_values_are_small(show: Callable[..., Sheet], drawing: Any) -> None:
    shown = pixels(show(drawing.dataset(halves(0, 4000, "u2"), "MONOCHROME1")))
    assert shown[:, :36].min() > 247
    assert shown[:, 44:].max() < 8


@pytest.mark.parametrize(
    ("photometric", "value"), [("RGB", (200, 40, 40)), ("YBR_FULL", (88, 101, 208))], ids=["RGB", "YBR"]
)
def test_colours(show: Callable[..., Sheet], drawing: Any, photometric: str, value: tuple[int, int, int]) -> None:
    shown = pixels(show(drawing.dataset(halves(value, value, "u1", 3), photometric)))
    assert abs(shown - (200, 40, 40)).max() < 10


def test_a_palette(show: Callable[..., Sheet], drawing: Any) -> None:
    made = drawing.dataset(halves(0, 1, "u1"), "PALETTE COLOR")
    for colour, table in (("Red", (200, 10)), ("Green", (40, 10)), ("Blue", (40, 250))):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(table) + bytes(254))
    shown = pixels(show(made))
    assert abs(shown[:, :32] - (200, 40, 40)).max() < 16
    assert abs(shown[:, 48:] - (10, 10, 250)).max() < 16


def test_large_frames_are_reduced_and_their_boxes_stay_in_pixels_of_the_frame(
    show: Callable[..., Sheet], drawing: Any
) -> None:
    frames = drawing.anatomy(rows=1000, columns=2000)[None] * 4000
    sheet = show(drawing.dataset(frames.astype("u2")), (Masked(0, 1, ((5, 6, 700, 80),)),))
    (picture,) = sheet.pictures
    assert pixels(sheet).shape == (200, 400, 3)
    assert (picture.rows, picture.columns, picture.boxes) == (1000, 2000, ((5, 6, 700, 80),))
    assert len(picture.jpeg) < 40_000


@pytest.mark.parametrize(
    ("masked", "most", "expected"),
    [
        ((), 3, [0, 10, 20]),
        ((), 1, [10]),
        (((4, 9), (9, 21)), 3, [4, 9]),
        (((1, 2), (3, 4), (5, 6), (7, 8), (9, 10)), 3, [1, 5, 9]),
        (((30, 40),), 3, [0, 10, 20]),  # not of this file
    ],
)
def test_the_frames_that_tell_most(
    show: Callable[..., Sheet],
    drawing: Any,
    masked: tuple[tuple[int, int], ...],
    most: int,
    expected: list[int],
) -> None:
    made = drawing.dataset(np.zeros((21, 64, 64), "u1"))
    sheet = show(made, tuple(Masked(*frames, ((1, 1, 8, 8),)) for frames in masked), most)
    assert sheet.frames == 21
    assert [picture.frame for picture in sheet.pictures] == expected


def test_a_frame_has_the_boxes_of_its_scene(show: Callable[..., Sheet], drawing: Any) -> None:
    masked = (Masked(0, 2, ((1, 1, 8, 8),)), Masked(2, 3, ((9, 9, 8, 8), (30, 30, 8, 8))))
    sheet = show(drawing.dataset(np.zeros((3, 64, 64), "u1")), masked)
    assert [picture.boxes for picture in sheet.pictures] == [masked[0].boxes, masked[1].boxes]


def test_what_cannot_be_decoded_says_why(show: Callable[..., Sheet], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 64, 64), "u1"))
    made.Rows = 640
    sheet = show(made)
    assert sheet.pictures == ()
    assert sheet.because == "the pixel data are shorter than their description"
    assert sheet.sop_class == made.SOPClassUID


def test_an_object_without_pixel_data(show: Callable[..., Sheet], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 64, 64), "u1"))
    del made.PixelData
    assert show(made).because == "no pixel data"


def test_what_is_no_object_raises(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        sheet_of(tmp_path / "missing", (), 3, Limits())
    (tmp_path / "cut").write_bytes(b"\0" * 128 + b"DICM\x02\0")
    with pytest.raises(Rejected):
        sheet_of(tmp_path / "cut", (), 3, Limits())
