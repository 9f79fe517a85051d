"""Where text is in an 8-bit image: what becomes of the marks of neural networks.

Detection alone decides what is masked, so no text is ever read.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.pixels.looks import in_size, look, look_beside, look_closely
from deid.pixels.marks import PERHAPS, PROBABLY, SURE, Marks, lines_up, traced
from deid.pixels.taught import Likely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.looks import Looks

    Mask = NDArray[np.bool_]
    Picture = NDArray[np.uint8]

_SHORTEST_SIDE: Final = 736  # what the network was trained for; smaller pictures are enlarged
_SHORTEST_IN_HASTE: Final = 512
_ENLARGED: Final = (
    4.0  # times at most: the smallest letters are large enough then, and slices of 64 pixels look like them
)
SMALLEST_IMAGE: Final = 32  # pixels of the longer side; less is not looked at
_CRAMPED: Final = 80  # pixels of the shorter side; letters that fill less are found with room around them
_ROOM: Final = 128  # pixels of a side, with that room
_SLENDEREST: Final = 4  # times as long as it is wide is a picture, or it is mounted in one
_SMALL: Final = 184  # pixels of the shorter side; more of them are enlarged less
_LONGEST_SIDE: Final = 8192  # larger pictures are reduced: their letters are larger too
_LETTERS: Final = 48  # pixels; in a small image letters of this height are still letters
_PAD: Final = 3  # pixels around what was found, for edges that compression has smeared
_TALL: Final = 0.15  # of the shorter side: nothing that is drawn over an image has letters that high
_TALL_IN_SMALL: Final = 0.3  # of the shorter side, where that is less than the height of any letters


def text_mask(picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked, its surroundings included.

    `sure` leaves out what is only perhaps text; `quick` looks at a smaller picture; `faint` marks all that the network
    takes for text, whatever its form, where the taught one sees a trace of any (unless it is `quick`).
    """
    rows, columns = picture.shape[:2]
    if max(rows, columns) < SMALLEST_IMAGE:
        return np.zeros((rows, columns), np.bool_)
    least = min(math.ceil(max(rows, columns) / _SLENDEREST), _SMALL)
    if min(rows, columns) < least:
        return text_mask(_mounted(picture, least), sure=sure, quick=quick, faint=faint)[:rows, :columns]
    if min(rows, columns) < _CRAMPED:
        top, left = (max(0, _ROOM - side) // 2 for side in (rows, columns))
        mask = text_mask(_with_room(picture, top, left), sure=sure, quick=quick, faint=faint)
        return mask[top : top + rows, left : left + columns]
    return _grown(_marked(picture, sure=sure, quick=quick, faint=faint), picture)


def _marked(picture: Picture, *, sure: bool, quick: bool, faint: bool) -> Picture:
    """255 where text is, in a picture as large as the first look at it."""
    tall = _tallest(min(picture.shape[:2]))
    if not (sure or quick):
        scaled, looks = looks_at(picture)
        likely = Likely(scaled, looks.together())
        if faint:
            return traced(looks.first, likely.map)
        tall *= _ratio(picture)
        marks = Marks(looks.first, tall, (PERHAPS, PROBABLY), lambda: (looks.half, looks.half_turned), likely.map)
        marks.add(lines_up(looks.turned, tall))
        return marks.whole(_grey(scaled)) | likely.marked()
    ratio = _ratio(picture, _SHORTEST_IN_HASTE if quick else _SHORTEST_SIDE)
    found = look(picture, ratio)
    if faint:
        return np.where(found > PROBABLY[0], np.uint8(255), np.uint8(0))
    if sure:
        witness = None if quick else partial(look_beside, picture, ratio)
        return Marks(found, ratio * tall, (SURE,), witness).whole()
    return Marks(found, ratio * tall, (PERHAPS, PROBABLY)).whole(_grey(in_size(picture, found.shape)))


def looks_at(picture: Picture) -> tuple[Picture, Looks]:
    """All looks at a picture of at least 80 pixels a side, and the picture as large as the first of them."""
    looks = look_closely(picture, _ratio(picture))
    return in_size(picture, looks.first.shape), looks


def _ratio(picture: Picture, shortest: int = _SHORTEST_SIDE) -> float:
    """By how much a picture is enlarged for the first look."""
    rows, columns = picture.shape[:2]
    ratio = max(1.0, min(_ENLARGED, shortest / min(rows, columns)))
    return float(min(ratio, _LONGEST_SIDE / max(rows, columns)))


def _mounted(picture: Picture, least: int) -> Picture:
    """A slender picture in an empty one, with so many pixels a side: a line of text may take all of its height."""
    rows, columns = picture.shape[:2]
    empty = np.median(picture, axis=(0, 1)).tolist()
    below, beside = max(0, least - rows), max(0, least - columns)
    return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=empty), np.uint8)


def _with_room(picture: Picture, top: int, left: int) -> Picture:
    """A small picture in the middle of one whose edges are its own, drawn out: another shade would be one more edge."""
    below, beside = (max(0, _ROOM - side - before) for side, before in zip(picture.shape, (top, left), strict=False))
    return np.asarray(cv2.copyMakeBorder(picture, top, below, left, beside, cv2.BORDER_REPLICATE), np.uint8)


def in_haste(picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:  # noqa: ARG001 - it always is
    """The same in one look at a smaller picture."""
    return text_mask(picture, sure=sure, quick=True, faint=faint)


def _grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _grown(marked: Picture, picture: Picture) -> Mask:
    """Marks as a mask of the picture, with their surroundings."""
    rows, columns = picture.shape[:2]
    if not marked.any():
        return np.zeros((rows, columns), np.bool_)
    mask = cv2.resize(np.ascontiguousarray(marked), (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.dilate((mask > 0).astype(np.uint8), np.ones((2 * _PAD + 1, 2 * _PAD + 1), np.uint8)) > 0


def _tallest(side: int) -> float:
    """Pixels of the picture that letters may be high where the shorter side has so many."""
    return max(_TALL * side, min(_LETTERS, _TALL_IN_SMALL * side))
