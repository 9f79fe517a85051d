"""Which objects are searched follows from what they are, never from what they say about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels.scope import Look, look_at
from deid.profile.pixel_policy import PixelPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

CT, US, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.66.4"
DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
SLIDE, MAP = "1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.5.1.4.1.1.30"
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
        (ORIGINAL | {"Modality": None}, Look.ALWAYS),
        (ORIGINAL | {"Modality": " "}, Look.ALWAYS),
        (ORIGINAL | {"Modality": "US"}, Look.ALWAYS),
        (ORIGINAL | {"Modality": "PT"}, Look.GATED),
        ({"sop_class": SEG, "Modality": None}, Look.NUMBERS),
        ({"sop_class": SEG, "Modality": "US"}, Look.NUMBERS),
        ({"sop_class": f"{SEG[:-1]}7", "Modality": "OT"}, Look.NUMBERS),
        ({"sop_class": f"{SEG[:-1]}7"}, Look.NEVER),
        ({"sop_class": f"{SEG[:-1]}8", "Modality": "OT"}, Look.NUMBERS),
        ({"sop_class": f"{SEG[:-1]}8"}, Look.NEVER),
        ({"sop_class": DOSE, "Modality": "OT"}, Look.NUMBERS),
        ({"sop_class": DOSE}, Look.NEVER),
        ({"sop_class": MAP, "Modality": "MR"}, Look.NEVER),
        ({"sop_class": MAP, "Modality": "OT"}, Look.NEVER),
        ({"sop_class": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME"]}, Look.NEVER),
        ({"sop_class": SLIDE, "Modality": "US", "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME"]}, Look.ALWAYS),
        ({"sop_class": SLIDE, "Modality": "US", "ImageType": ["ORIGINAL", "PRIMARY", "LABEL"]}, Look.WHOLE),
        ({"sop_class": SLIDE, "Modality": None, "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME"]}, Look.ALWAYS),
        ({"sop_class": SLIDE, "Modality": None, "ImageType": ["ORIGINAL", "PRIMARY", "LABEL"]}, Look.WHOLE),
        (ORIGINAL | {"PhotometricInterpretation": "RGB"}, Look.ALWAYS),
        (ORIGINAL | {"PhotometricInterpretation": "YBR_FULL_422"}, Look.ALWAYS),
        ({"sop_class": SEG, "PhotometricInterpretation": "RGB"}, Look.ALWAYS),
        ({"sop_class": SEG, "PhotometricInterpretation": "PALETTE COLOR"}, Look.NEVER),
    ],
)
def test_where_to_look(what: dict[str, Any], look: Look, opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), **what)
    found, because = look_at(opened(made).layout, PixelPolicy())
    assert found is look
    assert because


@pytest.mark.parametrize("what", [ORIGINAL, {"sop_class": SEG}])
def test_what_has_no_modality_is_looked_at(what: dict[str, Any], opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), **what)
    del made.Modality
    look, because = look_at(opened(made).layout, PixelPolicy())
    assert look is (Look.ALWAYS if what is ORIGINAL else Look.NUMBERS)
    assert "Modality" in because


@pytest.mark.parametrize("modality", ["OT", None])
def test_what_has_no_pixels_is_not_looked_at(modality: str, opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), Modality=modality)
    del made.PixelData
    assert look_at(opened(made).layout, PixelPolicy()) == (Look.NEVER, "no pixel data")


@pytest.mark.parametrize(
    ("what", "look"),
    [
        ({"sop_class": US}, Look.ALWAYS),
        (ORIGINAL, Look.ALWAYS),
        ({"sop_class": SEG}, Look.NUMBERS),
        ({"sop_class": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]}, Look.ALWAYS),
        ({"sop_class": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, Look.WHOLE),
    ],
)
def test_where_the_profile_says_all(what: dict[str, Any], look: Look, opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), **what)
    found, because = look_at(opened(made).layout, PixelPolicy(scope="all"))
    assert found is look
    assert because.endswith("; the profile's scope is all")


def test_float_pixel_data_pass_unless_everything_is_searched(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), FloatPixelData=bytes(4 * 100 * 100), sop_class=MAP)
    del made.PixelData, made.Modality
    layout = opened(made).layout
    assert look_at(layout, PixelPolicy())[0] is Look.NEVER
    with pytest.raises(Rejected, match="float pixel data cannot be searched"):
        look_at(layout, PixelPolicy(scope="all"))


def test_there_is_nothing_to_search_where_there_are_no_pixels(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16))
    del made.PixelData
    assert look_at(opened(made).layout, PixelPolicy(scope="all")) == (Look.NEVER, "no pixel data")


@pytest.mark.parametrize(
    ("what", "look"),
    [
        (ORIGINAL, Look.ALWAYS),
        ({"sop_class": SEG}, Look.NEVER),
        ({"sop_class": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]}, Look.ALWAYS),
        ({"sop_class": SLIDE, "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, Look.WHOLE),
    ],
)
def test_what_a_device_rule_matches_is_searched_unless_it_is_numbers(
    what: dict[str, Any], look: Look, opened: Callable[..., Any], drawing: Any
) -> None:
    made = drawing.dataset(np.zeros((1, 100, 100), np.uint16), **what)
    assert look_at(opened(made).layout, PixelPolicy(), ruled=True)[0] is look
