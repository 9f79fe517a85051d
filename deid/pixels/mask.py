"""Masks over stored values: what is filled, and with which value. Nothing outside a mask changes.

Filled, never blurred or painted over by its surroundings: from both, text can be read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.detector import Mask
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image
    from deid.pixels.palette import Palette

Box = tuple[int, int, int, int]  # column, row, width, height


def fill_of(frame: Frame, image: Image, palette: Palette | None, padding: int | None) -> NDArray[Any]:
    """The value that stands for nothing: the padding that the object names (PS3.3 C.7.5.1.1.2), or black.

    Where an image has neither, black is the darkest value of the given frame, the first that is masked.
    """
    kind = frame.dtype
    if image.samples == 3:
        middle = 1 << (image.stored - 1)  # PS3.3 C.7.6.3.1.2: no colour
        return np.array((0, middle, middle) if image.photometric.startswith("YBR_FULL") else (0, 0, 0), kind)
    if padding is not None and np.iinfo(kind).min <= padding <= np.iinfo(kind).max:
        return np.array(padding, kind)
    if palette is not None:
        return np.array(palette.darkest(frame), kind)
    return np.array(frame.max() if image.photometric == "MONOCHROME1" else frame.min(), kind)


def filled(frame: Frame, mask: Mask, fill: NDArray[Any]) -> Frame:
    """A copy of the frame with every masked pixel filled."""
    masked = frame.copy()
    masked[mask] = fill
    return masked


def in_cells(mask: Mask, cell: tuple[int, int]) -> Mask:
    """The mask grown to whole cells of so many columns and rows, the last of which may be cut off."""
    columns, rows = cell
    if cell == (1, 1):
        return mask
    found = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], rows), axis=0)
    found = np.logical_or.reduceat(found, np.arange(0, mask.shape[1], columns), axis=1)
    return found.repeat(rows, axis=0).repeat(columns, axis=1)[: mask.shape[0], : mask.shape[1]]


def boxes_of(mask: Mask) -> tuple[Box, ...]:
    """The areas of a mask as boxes around them, from top to bottom."""
    count, _, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    boxes = [(int(x), int(y), int(width), int(height)) for x, y, width, height, _ in found[1:count]]
    return tuple(sorted(boxes, key=lambda box: (box[1], box[0])))
