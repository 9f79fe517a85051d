"""Which objects are searched follows from what they are, never from what they say about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.image import image_of
from deid.pixels.scope import Look, look_at, may_be_drawn_on

if TYPE_CHECKING:
    from collections.abc import Callable

CT, US, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.66.4"
ORIGINAL = {"sop_class": CT, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "InstanceNumber": 2}


@pytest.mark.parametrize(
    ("what", "look"),
    [
        ({"sop_class": US}, Look.ALWAYS),
        ({"sop_class": US, "BurnedInAnnotation": "NO"}, Look.ALWAYS),
        ({"sop_class": "1.2.3.4"}, Look.ALWAYS),
        ({"sop_class": SEG}, Look.NEVER),
        (ORIGINAL, Look.GATED),
        (ORIGINAL | {"BurnedInAnnotation": "NO"}, Look.GATED),
        (ORIGINAL | {"BurnedInAnnotation": "YES"}, Look.ALWAYS),
        (ORIGINAL | {"ImageType": ["DERIVED", "PRIMARY"]}, Look.ALWAYS),
        (ORIGINAL | {"ImageType": ["ORIGINAL", "SECONDARY"]}, Look.ALWAYS),
        (ORIGINAL | {"LossyImageCompression": "01"}, Look.ALWAYS),
        (ORIGINAL | {"InstanceNumber": 17}, Look.ALWAYS),
        (ORIGINAL | {"InstanceNumber": None}, Look.ALWAYS),
    ],
)
def test_where_to_look(what: dict[str, Any], look: Look, opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), **what)
    found, because = look_at(opened(made).layout)
    assert found is look
    assert because


def test_what_has_no_pixels_is_not_looked_at(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16))
    del made.PixelData
    assert look_at(opened(made).layout) == (Look.NEVER, "no pixel data")


@pytest.mark.parametrize("value", [0, 1900, 4095])
@pytest.mark.parametrize("noise", [10, 60])
def test_a_pen_leaves_strokes_of_one_value(value: int, noise: int, opened: Callable[..., Any], drawing: Any) -> None:
    plain = drawing.anatomy() * 2000 + 1000 + noise * np.random.default_rng(3).standard_normal((240, 320))
    frame = plain.astype(np.uint16)
    image = image_of(opened(drawing.dataset(frame[None], BitsStored=12)).layout)
    assert not may_be_drawn_on(frame, image)
    frame[drawing.ink(at=(12, 200))] = value
    assert may_be_drawn_on(frame, image)
    assert not may_be_drawn_on(np.zeros_like(frame), image)
