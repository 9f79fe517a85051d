"""Where text is in an 8-bit image: a neural network that marks text, and what becomes of its marks.

The network is the detector of PP-OCR (Apache-2.0). Detection alone decides what is masked, so no text is ever read.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels.inference import Network, content_of
from deid.pixels.marks import PERHAPS, PROBABLY, SURE, Marks, lines_up, of_dots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.blobs import Map

    Mask = NDArray[np.bool_]
    Picture = NDArray[np.uint8]

ENGINE: Final = "rapidocr PP-OCRv6"
_MODEL: Final = "models/PP-OCRv6_det_small.onnx"
_SHA256: Final = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
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
_WINDOW: Final = 1600  # pixels of a side that the network is given at once
_SHARED: Final = 256  # of them at least with the next window: around a letter the network looks at half as much
_STEP: Final = 32  # the network halves its input five times
_LETTERS: Final = 48  # pixels; in a small image letters of this height are still letters
_PAD: Final = 3  # pixels around what was found, for edges that compression has smeared
_TALL: Final = 0.15  # of the shorter side: nothing that is drawn over an image has letters that high
_TALL_IN_SMALL: Final = 0.3  # of the shorter side, where that is less than the height of any letters
_SECOND_SCALE: Final = 0.5  # of the first; text looks like text there, too, and organs mostly do not
_THIRD_SCALE: Final = 0.25  # at which dots are too near each other to be told apart
_SMEARED: Final = 5  # pixels; dots of letters are hardly farther apart


def text_mask(picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked, its surroundings included.

    `sure` leaves out what is only perhaps text; `quick` looks at a smaller picture; `faint` marks all that the network
    takes for text, whatever its form.
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
    ratio = max(1.0, min(_ENLARGED, (_SHORTEST_IN_HASTE if quick else _SHORTEST_SIDE) / min(rows, columns)))
    ratio = min(ratio, _LONGEST_SIDE / max(rows, columns))
    found, tall = _map(picture, ratio), _tallest(min(rows, columns))
    if faint:
        return _grown(np.where(found > PROBABLY[0], np.uint8(255), np.uint8(0)), picture)
    thresholds = (SURE,) if sure else (PERHAPS, PROBABLY)
    shades = None if sure else _shades(picture, found)
    if quick:
        return _grown(Marks(found, ratio * tall, thresholds).whole(shades), picture)

    def witnesses() -> tuple[Map, Map]:
        upright = _map(picture, ratio * _SECOND_SCALE)
        return _as_large(upright, found), _as_large(_turned_map(picture, ratio * _SECOND_SCALE), found)

    marks = Marks(found, ratio * tall, thresholds, witnesses)
    if not sure:
        marks.add(lines_up(_as_large(_turned_map(picture, ratio), found), ratio * tall))
        smeared = np.asarray(cv2.blur(picture, (_SMEARED, _SMEARED)), np.uint8)
        smeared_map, small = _map(smeared, ratio * _SECOND_SCALE), _map(picture, ratio * _THIRD_SCALE)
        marks.add(of_dots(_as_large(smeared_map, found), (found, _as_large(small, found)), ratio * tall))
    return _grown(marks.whole(shades), picture)


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


def _as_large(found: Map, other: Map) -> Map:
    return np.asarray(cv2.resize(np.ascontiguousarray(found), other.shape[::-1]), np.float32)


def _shades(picture: Picture, found: Map) -> Picture:
    """The picture in grey, as large as its map."""
    return np.asarray(cv2.cvtColor(cv2.resize(picture, found.shape[::-1]), cv2.COLOR_RGB2GRAY), np.uint8)


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


def _map(picture: Picture, ratio: float) -> Map:
    """The network's map of a picture enlarged by so much."""
    height, width = (max(_STEP, round(side * ratio / _STEP) * _STEP) for side in picture.shape[:2])
    scaled = cv2.resize(picture, (width, height))
    found = np.empty((height, width), np.float32)
    for top, after, rows in _windows(height):
        for left, beyond, columns in _windows(width):
            blob = scaled[rows, columns].astype(np.float32)
            blob *= 2 / 255.0
            blob -= 1.0
            part = _run(np.ascontiguousarray(blob.transpose(2, 0, 1)[None]))
            found[top:after, left:beyond] = part[
                top - rows.start : after - rows.start, left - columns.start : beyond - columns.start
            ]
    return found


def _turned_map(picture: Picture, ratio: float) -> Map:
    """The same, of the picture turned by a quarter, and back: only so are large letters of upright lines seen."""
    return np.rot90(_map(np.rot90(picture), ratio), -1)


def _windows(length: int) -> list[tuple[int, int, slice]]:
    """Windows of one size over a side, each with the part of it that counts: from where to where, and the window.

    What the network needs grows with its input: 2.5 GB for 4,096 pixels a side.
    """
    count = max(1, math.ceil((length - _SHARED) / (_WINDOW - _SHARED)))
    size = math.ceil((length + (count - 1) * _SHARED) / count / _STEP) * _STEP
    starts = [round(number * (length - size) / max(1, count - 1)) for number in range(count)]
    bounds = [0, *((start + before + size) // 2 for before, start in pairwise(starts)), length]
    return [
        (first, after, slice(start, start + size))
        for (first, after), start in zip(pairwise(bounds), starts, strict=True)
    ]


def _run(blob: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's map for one picture. Raises Rejected where there is none."""
    network = _network()
    try:
        return np.asarray(network.run(blob)[0], np.float32)
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody has looked at this object
        raise Rejected(f"the text detector failed ({type(error).__name__})") from None


@cache
def _network() -> Network:
    cv2.setNumThreads(1)  # the processes of a pool share the cores already
    return Network(content_of(_MODEL, _SHA256))
