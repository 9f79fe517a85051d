"""Whose pixels are searched for text, and why; decided by what an object is, and by its own pixels alone.

Burned In Annotation (0028,0301) NO is never believed: most images that show a name do not say so.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.pixels.image import PHOTOMETRIC, PIXEL_DATA

if TYPE_CHECKING:
    from deid.part10.outline import Outline
    from deid.profile.pixel_policy import PixelPolicy

SOP_CLASS, IMAGE_TYPE, MODALITY = 0x00080016, 0x00080008, 0x00080060
BURNED_IN, LOSSY, INSTANCE_NUMBER = 0x00280301, 0x00282110, 0x00200013
_FLOAT_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009})
_RETIRED_MASK: Final = 0xFF01FF8F
_RETIRED: Final = 0x7F000000
"""(7Fxx,00e0): Variable Pixel Data and Coefficients SDVN, SDHN, SDDN of PS3.6; their groups are even."""

NO_PIXEL_DATA: Final = "no pixel data"

_NUMBERS: Final = {
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.30": "Parametric Map",
}
"""Classes whose values are computed, one by one, and drawn on by nobody; a mask would falsify them."""
_MODALITY_OF: Final = {
    "1.2.840.10008.5.1.4.1.1.481.2": "RTDOSE",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.8": "SEG",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "SM",
}
"""The only one (PS3.3 C.8.8.1, C.8.20.1, C.8.12.3); a parametric map has that of what it was made from (C.8.32.1)."""
_RECONSTRUCTED: Final = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.128": "PET",
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
}
"""Classes whose original images come from a reconstruction, which draws no text."""
_RECONSTRUCTING: Final = ("CT", "MR", "PT", "NM")
_COLOURS: Final = frozenset("RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_420 YBR_PARTIAL_422 YBR_ICT YBR_RCT".split())
"""Computed numbers and what a reconstruction makes have none (a label map may have a palette)."""
_WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_EVERY: Final = 16
"""Slices, one of which is searched whatever a glance at it shows.

Which one is the first, the middle or the last of a series is known to nobody here: slices come in any order, workers
share nothing, and the same object has to become the same bytes in every run. So there is a glance at each of them.
"""


class Look(Enum):
    """How an object is looked at."""

    NEVER = "not searched"
    WHOLE = "masked as a whole"
    GATED = "searched if a glance shows something like text"
    ALWAYS = "searched"
    NUMBERS = "searched, and held if something like text is found: numbers are never masked"


def look_at(layout: Outline, policy: PixelPolicy, *, ruled: bool = False, hidden: bool = False) -> tuple[Look, str]:
    """Whether an object is searched for text, and why or why not. Raises Rejected where it should be and cannot.

    `ruled` says that a device rule matches: somebody knows that text is drawn on such images. `hidden` says that
    something stands in bits beside the stored ones, whatever the object is.
    """
    tags = {place.tag for place in layout.places}
    if any(tag & _RETIRED_MASK == _RETIRED and tag & 0xFFFF and tag != PIXEL_DATA for tag in tags):
        raise Rejected("pixel data stand in a retired form, and nobody can look at them")
    if not tags.isdisjoint(_FLOAT_PIXELS) and layout.text(SOP_CLASS) not in _NUMBERS:
        raise Rejected("float pixel data stand in an object whose SOP Class has none, and nobody can look at them")
    if PIXEL_DATA not in tags and tags.isdisjoint(_FLOAT_PIXELS):
        return Look.NEVER, NO_PIXEL_DATA
    look, because = _usual(layout) if PIXEL_DATA in tags else (Look.NUMBERS, "pixel data of computed numbers")
    doubt = "bits beside the stored ones say something" if hidden else _doubt(layout)
    if PIXEL_DATA in tags and look in (Look.NEVER, Look.NUMBERS) and doubt:
        return (Look.ALWAYS if look is Look.NEVER else look), f"{because}, but {doubt}"
    if policy.scope != "all":
        if look is Look.NUMBERS:
            return Look.NEVER, because
        return (Look.ALWAYS if ruled and look is not Look.WHOLE else look), because
    if PIXEL_DATA not in tags:
        raise Rejected("float pixel data cannot be searched for text, and the profile's scope is all")
    return (Look.ALWAYS if look in (Look.NEVER, Look.GATED) else look), f"{because}; the profile's scope is all"


def _doubt(layout: Outline) -> str:
    """What its Modality says against its SOP Class; "" for nothing."""
    modality = layout.text(MODALITY)
    expected = _MODALITY_OF.get(layout.text(SOP_CLASS), modality)
    if not modality:
        return "it has no Modality"
    return "" if modality == expected else f"its Modality is not {expected}"


def _usual(layout: Outline) -> tuple[Look, str]:
    """What is done with an object that has Pixel Data, and why, unless the profile says otherwise."""
    sop_class = layout.text(SOP_CLASS)
    if sop_class == _WHOLE_SLIDE:
        return _of_slide(layout)
    name, in_colour = _RECONSTRUCTED.get(sop_class), layout.text(PHOTOMETRIC) in _COLOURS
    if sop_class in _NUMBERS and not in_colour:
        return Look.NUMBERS, f"{_NUMBERS[sop_class]} holds computed numbers"
    if name is None or in_colour:
        what = "what has colours" if in_colour else "objects of this SOP Class"
        return Look.ALWAYS, f"text is often drawn on {what}"
    suspicious = _suspicion(layout)
    if suspicious:
        return Look.ALWAYS, f"{name} image {suspicious}"
    return Look.GATED, f"original {name} image"


def _of_slide(layout: Outline) -> tuple[Look, str]:
    """PS3.3 C.8.12.4.1.1: the third value of Image Type tells what part of the slide is shown."""
    shown = [part.strip() for part in layout.text(IMAGE_TYPE).split("\\")][2:3]
    if shown == ["VOLUME"]:
        return Look.NEVER, "tiles of the specimen, without the label of its slide"
    if shown in (["LABEL"], ["OVERVIEW"]):
        return Look.WHOLE, "shows the label of a slide"
    return Look.ALWAYS, "whole slide image that does not say what it shows"


def _suspicion(layout: Outline) -> str:
    """What makes a reconstructed image more than that; "" for nothing."""
    number = layout.text(INSTANCE_NUMBER)
    if layout.text(MODALITY) not in _RECONSTRUCTING:
        return f"whose Modality is none of {', '.join(_RECONSTRUCTING)}"
    if layout.text(BURNED_IN) == "YES":
        return "whose Burned In Annotation says YES"
    if [part.strip() for part in layout.text(IMAGE_TYPE).split("\\")][:2] != ["ORIGINAL", "PRIMARY"]:
        return "that is not ORIGINAL\\PRIMARY"
    if layout.text(LOSSY) == "01":
        return "after lossy compression, which hides how it was drawn"
    if not number.isdigit() or int(number) % _EVERY == 1:
        return f"of which one in {_EVERY} is searched"
    return ""
