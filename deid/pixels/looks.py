"""How a neural network that marks text looks at a picture: at several scales, turned, and smeared.

The network is the detector of PP-OCR (Apache-2.0). What it marks are maps, from 0 to 1.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from deid.pixels.inference import LARGE, Network, content_of, map_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.pixels.blobs import Map, Picture

ENGINE: Final = "rapidocr PP-OCRv6"
_MODEL: Final = "models/PP-OCRv6_det_small.onnx"
_SHA256: Final = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
_WINDOW: Final = 1600  # pixels of a side that a network is given at once
_SHARED: Final = 256  # of them at least with the next window: around a letter the network looks at half as much
_STEP: Final = 32  # the network halves its input five times
_SECOND_SCALE: Final = 0.5  # of the first; text looks like text there, too, and organs mostly do not
_THIRD_SCALE: Final = 0.25  # at which dots are too near each other to be told apart
_SMEARED: Final = 5  # pixels; dots of letters are hardly farther apart
_PART: Final = 48  # pixels of a side, as they are looked at, of the parts that are levelled: as large as letters
_STEEP: Final = 8.0  # times as much contrast at most: more of it is noise


class Looks(NamedTuple):
    """Maps of one picture, each as large as the picture was when the network looked at it."""

    first: Map
    turned: Map  # by a quarter, and back: only so are large letters of upright lines seen
    half: Map
    half_turned: Map
    smeared: Map  # dots run together
    quarter: Map
    levelled: Map  # all parts as rich in contrast

    def together(self) -> tuple[Map, ...]:
        """What a network that judges them is given: at the first scale, what is seen in any way, and what as it is."""
        clearest = np.maximum(self.first, self.levelled)
        return clearest, self.turned, self.half, self.half_turned, self.smeared, self.quarter, self.first


def look(picture: Picture, ratio: float) -> Map:
    """The map of a picture (rows x columns x 3 of 8 bits) enlarged by so much."""
    height, width = (max(_STEP, round(side * ratio / _STEP) * _STEP) for side in picture.shape[:2])
    scaled = in_size(picture, (height, width))

    def see(rows: slice, columns: slice) -> Map:
        blob = np.ascontiguousarray(scaled[rows, columns].transpose(2, 0, 1)[None]).astype(np.float32)
        blob *= 2 / 255.0
        blob -= 1.0
        return map_of(_network, blob)

    return in_windows((height, width), see)


def look_beside(picture: Picture, ratio: float) -> tuple[Map, Map]:
    """The picture at half of that scale, as it is and turned."""
    return look(picture, ratio * _SECOND_SCALE), _turned(picture, ratio * _SECOND_SCALE)


def look_closely(picture: Picture, ratio: float) -> Looks:
    """All looks at a picture, where the first is one at this scale."""
    return Looks(
        look(picture, ratio),
        _turned(picture, ratio),
        *look_beside(picture, ratio),
        look(np.asarray(cv2.blur(picture, (_SMEARED, _SMEARED)), np.uint8), ratio * _SECOND_SCALE),
        look(picture, ratio * _THIRD_SCALE),
        look(_levelled(picture, ratio), ratio),
    )


def in_size(picture: Picture, shape: tuple[int, ...]) -> Picture:
    """A picture of so many rows and columns; it is the same one where it has them already."""
    return picture if picture.shape[:2] == shape else np.asarray(cv2.resize(picture, shape[::-1]), np.uint8)


def _levelled(picture: Picture, ratio: float) -> Picture:
    """In grey, the values of each part spread over all that there are: bones and grain hide text in a part of them."""
    rows, columns = (max(1, round(side * ratio / _PART)) for side in picture.shape[:2])
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(cv2.createCLAHE(_STEEP, (columns, rows)).apply(grey), cv2.COLOR_GRAY2RGB), np.uint8)


def in_windows(shape: tuple[int, int], see: Callable[[slice, slice], Map]) -> Map:
    """What is seen in windows of rows and columns (multiples of 32), put together.

    What a network needs grows with its input: 2.5 GB for 4,096 pixels a side. Where there are many pixels, no network
    keeps memory from before, and none afterwards.
    """
    found = np.empty(shape, np.float32)
    if found.size >= LARGE:
        Network.rest()
    for top, after, rows in _windows(shape[0]):
        for left, beyond, columns in _windows(shape[1]):
            part = see(rows, columns)
            found[top:after, left:beyond] = part[
                top - rows.start : after - rows.start, left - columns.start : beyond - columns.start
            ]
    if found.size >= LARGE:
        Network.rest()
    return found


def _turned(picture: Picture, ratio: float) -> Map:
    return np.rot90(look(np.rot90(picture), ratio), -1)


def _windows(length: int) -> list[tuple[int, int, slice]]:
    """Windows of one size over a side, each with the part of it that counts: from where to where, and the window."""
    count = max(1, math.ceil((length - _SHARED) / (_WINDOW - _SHARED)))
    size = math.ceil((length + (count - 1) * _SHARED) / count / _STEP) * _STEP
    starts = [number * (length - size) // max(1, count - 1) // _STEP * _STEP for number in range(count)]
    bounds = [0, *((start + before + size) // 2 for before, start in pairwise(starts)), length]
    return [
        (first, after, slice(start, start + size))
        for (first, after), start in zip(pairwise(bounds), starts, strict=True)
    ]


@cache
def _network() -> Network:
    cv2.setNumThreads(1)  # the processes of a pool share the cores already
    return Network(content_of(_MODEL, _SHA256))
