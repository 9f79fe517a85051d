"""Areas of what was found, and whether they lie beside a mask: its own edge looks like text, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_EDGE: Final = 7  # pixels
_HALF: Final = 0.5
_OPEN: Final = 0.1  # of an area: less is its edge, or the end of a line
_RIM: Final = 9  # pixels: what stands out from a mask by less is its edge, seen at another scale; letters are larger


def beside(found: Mask, mask: Mask) -> Mask:
    """Which parts of what was found the mask leaves open: of a line that goes on beside it, the rest."""
    rest = found & ~_near(mask)
    letters = cv2.morphologyEx(rest.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_RIM, _RIM), np.uint8)) > 0
    return np.asarray(letters | (rest & areas(found, rest, _OPEN)), np.bool_)


def closed(mask: Mask) -> Mask:
    """A mask with the gaps in it that are too narrow for `beside` to tell from an edge what stands there."""
    gap = np.ones((_RIM + _EDGE - 1, _RIM + _EDGE - 1), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, gap) > 0, np.bool_)


def _near(mask: Mask) -> Mask:
    """A mask and its edge."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((_EDGE, _EDGE), np.uint8)) > 0, np.bool_)


def apart(found: Mask, mask: Mask) -> Mask:
    """Whole areas of what was found that lie beside the mask for the most part; its own edge looks like text, too."""
    if not mask.any():
        return found
    return areas(found, ~_near(mask), _HALF)


def areas(found: Mask, where: Mask, least: float) -> Mask:
    """Whole connected areas, of which at least such a part lies there."""
    count, labels = cv2.connectedComponents(found.astype(np.uint8))
    sizes = np.bincount(labels.ravel(), minlength=count)
    there = np.bincount(labels[where], minlength=count)
    chosen = there > sizes * least
    chosen[0] = False
    return np.asarray(chosen[labels], np.bool_)
