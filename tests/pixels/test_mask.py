"""What a mask leaves: one value that says nothing, and everything around it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.image import image_of
from deid.pixels.mask import boxes_of, fill_of, filled, in_cells
from deid.pixels.palette import palette_of

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = np.array([[[7, 900], [40, 300]]], np.uint16).repeat(40, 1).repeat(40, 2)


@pytest.mark.parametrize(
    ("photometric", "kind", "more", "fill"),
    [
        ("MONOCHROME2", "u2", {}, 7),
        ("MONOCHROME1", "u2", {}, 900),
        ("MONOCHROME2", "i2", {"PixelPaddingValue": -2000}, -2000),
        ("MONOCHROME2", "u2", {"PixelPaddingValue": 63536}, 63536),
    ],
)
def test_the_fill_of_grey_images(
    photometric: str, kind: str, more: dict[str, Any], fill: int, opened: Callable[..., Any], drawing: Any
) -> None:
    image = image_of(opened(drawing.dataset(VALUES.astype(kind), photometric)).layout)
    assert fill_of(VALUES[0].astype(kind), image, None, more.get("PixelPaddingValue")).item() == fill


@pytest.mark.parametrize(("photometric", "fill"), [("RGB", [0, 0, 0]), ("YBR_FULL", [0, 128, 128])])
def test_the_fill_of_colour_images_is_black(
    photometric: str, fill: list[int], opened: Callable[..., Any], drawing: Any
) -> None:
    frame = np.full((1, 80, 80, 3), 9, np.uint8)
    image = image_of(opened(drawing.dataset(frame, photometric)).layout)
    assert fill_of(frame[0], image, None, None).tolist() == fill


def test_the_fill_of_a_palette_is_its_darkest_colour_in_use(opened: Callable[..., Any], drawing: Any) -> None:
    frame = np.tile(np.arange(4, dtype=np.uint8), (1, 80, 20))
    made = drawing.dataset(frame, "PALETTE COLOR")
    table = np.array([65535, 20000, 300, 40000], "<u2").tobytes()
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", table)
    found = opened(made)
    image = image_of(found.layout)
    palette = palette_of(found.source, found.layout, image)
    assert fill_of(frame[0], image, palette, None).item() == 2


def test_only_what_is_masked_changes() -> None:
    frame = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
    mask = np.zeros((40, 40), np.bool_)
    mask[3:9, 5:20] = True
    made = filled(frame, mask, np.array((0, 128, 128), np.uint8))
    assert np.array_equal(made[~mask], frame[~mask])
    assert (made[mask] == (0, 128, 128)).all()
    assert not np.shares_memory(made, frame)


def test_boxes_and_cells() -> None:
    mask = np.zeros((39, 41), np.bool_)
    mask[3:9, 5:20] = mask[30:31, 33:34] = True
    assert boxes_of(mask) == ((5, 3, 15, 6), (33, 30, 1, 1))
    assert boxes_of(in_cells(mask, (1, 1))) == boxes_of(mask)
    assert boxes_of(in_cells(mask, (2, 1))) == ((4, 3, 16, 6), (32, 30, 2, 1))
    assert boxes_of(in_cells(mask, (16, 8))) == ((0, 0, 32, 16), (32, 24, 9, 8))
    assert boxes_of(in_cells(mask, (16, 16)))[-1] == (0, 0, 41, 32)
    mask[3:9, 5:20] = False
    mask[38, 40] = True
    assert boxes_of(in_cells(mask, (16, 16))) == ((32, 16, 9, 23),)
