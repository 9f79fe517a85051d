"""Which objects are searched follows from what they are, never from what they say about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.scope import Look, look_at

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
