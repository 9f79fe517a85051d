"""What may be a picture and stands where no picture belongs holds its object; long texts and tables do not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.model import Result

    Run = Callable[..., tuple[Result, Dataset]]

POSITION, SPACING, FUNCTION = 0x00185100, 0x00280030, 0x00281056
VECTOR = 0x00540010  # Energy Window Vector
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
LARGE = ("OB", "OW", "UN", "OF", "OL", "OV", "OD")
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
FOREIGN = [(vr, size) for vr in (*LARGE, *NUMBERS) for size in (1920, 70_000) if vr in LARGE or size <= 0xFFFF]
"""VRs and lengths; those of numbers have explicit lengths of 16 bits."""


@pytest.fixture(autouse=True)
def _as_it_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pydicom.config, "replace_un_with_known_vr", False)


@pytest.fixture
def plain(drawing: Any) -> Dataset:
    made: Dataset = drawing.dataset((drawing.anatomy() * 255).astype(np.uint8)[None])
    return made


@pytest.mark.parametrize("tag", ["PixelData", "FloatPixelData", "DoubleFloatPixelData"])
def test_pixel_data_in_an_item(tag: str, plain: Dataset, run: Run) -> None:
    item = pydicom.Dataset()
    item.Rows = 240
    setattr(item, tag, bytes(8 * 240 * 320))
    item[tag].VR = "OB" if tag == "PixelData" else item[tag].VR
    plain.SharedFunctionalGroupsSequence = [item]
    with pytest.raises(Rejected, match="in an item of a sequence"):
        run(plain)


@pytest.mark.parametrize(("keyword", "size"), [("FloatPixelData", 4), ("DoubleFloatPixelData", 8)])
def test_what_stands_behind_float_pixel_data(keyword: str, size: int, drawing: Any, run: Run) -> None:
    made = drawing.dataset(np.zeros((2, 64, 80), np.float32), sop_class=PARAMETRIC_MAP, Modality="MR")
    del made.PixelData
    setattr(made, keyword, bytes(2 * 64 * 80 * size))
    result, _ = run(made)
    assert result.pixels is not None
    assert not result.pixels.searched
    setattr(made, keyword, bytes(2 * 64 * 80 * size) + b"Quillfeather Zeb")
    with pytest.raises(Rejected, match="more pixel data are there"):
        run(made)


def test_pixel_data_of_two_kinds(drawing: Any, run: Run) -> None:
    made = drawing.dataset(np.zeros((1, 64, 80), np.float32), sop_class=PARAMETRIC_MAP, Modality="MR")
    made.FloatPixelData = bytes(64 * 80 * 4)
    with pytest.raises(Rejected, match="of two kinds"):
        run(made)


@pytest.mark.parametrize("group", [0x6000, 0x601E])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("scale", [1, 8])
def test_an_overlay_plane_that_a_rule_keeps(
    group: int,
    nested: bool,  # noqa: FBT001 - a parameter of the test
    big_endian: bool,  # noqa: FBT001
    scale: int,
    run: Run,
    drawing: Any,
) -> None:
    made = drawing.dataset((drawing.anatomy() * 255).astype(np.uint8)[None], big_endian=big_endian)
    target = Dataset() if nested else made
    plane = np.packbits(np.repeat(drawing.ink()[:24, :320], scale, axis=0), bitorder="little")
    target.add_new(group << 16 | 0x3000, "OW", plane.tobytes())
    if nested:
        made.SharedFunctionalGroupsSequence = [target]
    _, published = run(made)
    assert [each.tag for each in published.iterall() if each.tag.group == group] == []
    with pytest.raises(Rejected, match="overlay plane stays by a rule"):
        run(made, kept=f"({group:04x},3000)")


@pytest.mark.parametrize(("vr", "size"), FOREIGN)
@pytest.mark.parametrize("nested", [False, True])
def test_an_overlay_plane_of_any_vr_and_length(
    vr: str,
    nested: bool,  # noqa: FBT001 - a parameter of the test
    size: int,
    plain: Dataset,
    run: Run,
) -> None:
    _add(0x60003000, vr, size, plain, nested=nested)
    with pytest.raises(Rejected, match="overlay plane stays by a rule"):
        run(plain, kept="(6000,3000)")


@pytest.mark.parametrize(("vr", "size"), FOREIGN)
@pytest.mark.parametrize("tag", [POSITION, SPACING, FUNCTION])
@pytest.mark.parametrize("nested", [False, True])
def test_bytes_or_numbers_in_an_attribute_of_text(
    vr: str,
    tag: int,
    nested: bool,  # noqa: FBT001
    size: int,
    plain: Dataset,
    run: Run,
) -> None:
    _add(tag, vr, size, plain, nested=nested)
    with pytest.raises(Rejected, match="neither text nor a number"):
        run(plain)


@pytest.mark.parametrize("nested", [False, True])
def test_numbers_in_an_attribute_of_numbers_stay(
    nested: bool,  # noqa: FBT001 - a parameter of the test
    plain: Dataset,
    run: Run,
) -> None:
    _add(VECTOR, "US", 1920, plain, nested=nested)
    _, published = run(plain)
    assert [len(each.value) for each in published.iterall() if each.tag == VECTOR] == [960]


def _add(tag: int, vr: str, size: int, made: Dataset, *, nested: bool) -> None:
    """Dots as a plane of bits has them, none of which reads like text."""
    content = bytearray(size)
    content[200:900:7] = b"\xf0" * len(range(200, 900, 7))
    form = NUMBERS.get(vr)
    value = list(struct.unpack(f"<{size // struct.calcsize(form)}{form}", content)) if form else bytes(content)
    target = Dataset() if nested else made
    target.add_new(tag, vr, value)
    if nested:
        made.SharedFunctionalGroupsSequence = [target]


def test_an_overlay_plane_of_no_bits_shows_nothing(plain: Dataset, run: Run) -> None:
    plain.add_new(0x60003000, "OW", b"")
    _, published = run(plain, kept="OverlayData")
    assert published[0x60003000].is_empty


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UT"])
@pytest.mark.parametrize("tag", [POSITION, SPACING])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("scale", [1, 8])
def test_a_picture_in_an_attribute_of_text_or_numbers(
    vr: str,
    tag: int,
    nested: bool,  # noqa: FBT001 - a parameter of the test
    scale: int,
    plain: Dataset,
    run: Run,
    drawing: Any,
) -> None:
    shown = cv2.resize(drawing.ink().astype(np.uint8) * 255, None, fx=scale, fy=scale)
    picture = cv2.imencode(".png", shown)[1].tobytes()
    assert len(picture) > 1024
    target = Dataset() if nested else plain
    target.add_new(tag, vr, picture.decode("latin-1") if vr == "UT" else picture + b"\0" * (len(picture) % 2))
    if nested:
        plain.SharedFunctionalGroupsSequence = [target]
    with pytest.raises(Rejected, match="neither text nor a number"):
        run(plain)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (FUNCTION, "UN", b"LINEAR\r\n\t\x1b(B" * 200),
        (FUNCTION, "UT", "a long text, " * 200),
        (SPACING, "UN", b"0.5\\" * 500 + b"0.5\0"),
        (POSITION, "OB", b"HFS\0"),
        (POSITION, "CS", "HFS"),
    ],
)
def test_text_stays_however_long_it_is(tag: int, vr: str, value: Any, plain: Dataset, run: Run) -> None:
    plain.add_new(tag, vr, value)
    _, published = run(plain)
    assert tag in published


def test_tables_of_numbers_stay(plain: Dataset, run: Run) -> None:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    item.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2").tobytes())
    plain.ModalityLUTSequence = [item]
    _, published = run(plain)
    assert published.ModalityLUTSequence[0].LUTData == item.LUTData
