"""What is masked in every frame without a search: rectangles of devices, and all outside of ultrasound regions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from deid.part10.items import items_of
from deid.pixels.mask import in_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.part10.outline import Outline
    from deid.pixels.detector import Mask
    from deid.pixels.frames import Frames
    from deid.pixels.image import Image
    from deid.pixels.mask import Box
    from deid.profile.devices import DeviceRule, Rectangle
    from deid.profile.pixel_policy import PixelPolicy

_REGIONS: Final = 0x00186011
_CORNERS: Final = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""Region Location Min X0, Min Y0, Max X1 and Max Y1."""
_LEAST: Final = 0.05
"""Of the image; regions that cover less are a mistake of their writer, and the whole image would be lost."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is masked in every frame, and by whose word; "" where nobody has one."""

    mask: Mask
    because: str
    by_rule: bool = False  # a device rule masks some of it

    def boxes(self) -> tuple[Box, ...]:
        """The mask as boxes that do not overlap, from top to bottom: equal rows together, each run of them a box."""
        mask = self.mask
        changes = [0, *(np.flatnonzero((mask[1:] != mask[:-1]).any(axis=1)) + 1), len(mask)]
        found: list[Box] = []
        for top, after in pairwise(changes):
            edges = np.flatnonzero(np.diff(mask[top].astype(np.int8), prepend=0, append=0))
            found += [(int(left), int(top), int(end - left), int(after - top)) for left, end in edges.reshape(-1, 2)]
        return tuple(found)


def nothing(frames: Frames) -> Known:
    """That nothing is masked without a search."""
    return Known(np.zeros(frames.image.shape[:2], np.bool_), "")


def known_of(layout: Outline, frames: Frames, policy: PixelPolicy, rules: Sequence[DeviceRule]) -> Known:
    """What is masked without a search: what these rules say, and what the policy says of ultrasound regions.

    Raises Rejected where the object's sequences cannot be walked.
    """
    mask, because = nothing(frames).mask, []
    for rule in rules:
        for rectangle in rule.mask:
            _paint(mask, rectangle)
        because.append(f"masked by a rule for {rule.name}")  # not its file: that may be named after anybody
    by_rule = bool(mask.any())
    if policy.outside_ultrasound_regions == "mask" and any(place.tag == _REGIONS for place in layout.places):
        inside = _inside(layout, frames.image)
        if inside.mean() < _LEAST:
            because.append("its ultrasound regions are not to be believed")
        else:
            mask |= ~inside
            because.append("what lies outside its ultrasound regions is masked")
    return Known(in_cells(mask, frames.cell), "; ".join(because), by_rule)


def _paint(mask: Mask, rectangle: Rectangle) -> None:
    """True for a rectangle, as far as it lies within the image; negative numbers count from the far edge."""
    rows, columns = mask.shape
    left, top, width, height = rectangle
    left = left if left >= 0 else left + columns
    top = top if top >= 0 else top + rows
    mask[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True


def _inside(layout: Outline, image: Image) -> Mask:
    """Where the regions are (PS3.3 C.8.5.5): corners are pixels, counted from 0, and belong to their region.

    What is no rectangle of this image counts for nothing, so that it is masked. Corners that lie beyond the image
    by one are clipped, for some writers count from 1; by more, the image has been cut or reduced since.
    """
    inside = np.zeros((image.rows, image.columns), np.bool_)
    order: Literal["big", "little"] = "big" if layout.encoding.big_endian else "little"
    for item in items_of(layout, _REGIONS, _CORNERS):
        corners = [item.get(tag, b"") for tag in _CORNERS]
        if all(len(value) == 4 for value in corners):
            left, top, right, bottom = (int.from_bytes(value, order) for value in corners)
            if right <= image.columns and bottom <= image.rows:
                inside[top : bottom + 1, left : right + 1] = True
    return inside
