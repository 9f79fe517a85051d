"""What several looks at a picture say together: a small network, taught on drawn pictures, that sees them all at once.

Each look shows some text that the others do not, and things that are none. Which of them to believe depends on what
stands there, so this network is given the picture as well.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.pixels.inference import Network, map_of
from deid.pixels.looks import in_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.blobs import Map, Picture

VERSION: Final = "taught 6"  # the weights, the looks that they are given, and what is made of their answer
_MODEL: Final = Path(__file__).with_name("taught.onnx")
_PERHAPS: Final = 0.06  # as far as that text goes
_SURE: Final = 0.9  # where any of it is as likely
_SEEN: Final = 0.05  # is the mean of one look at least over all of it


class Likely:
    """How likely text is at each pixel of a picture."""

    def __init__(self, picture: Picture, looks: Sequence[Map]) -> None:
        """Of a picture as large as the first look at it; rows and columns are multiples of 32."""
        self._looks = halves(picture, looks)
        self.map = _likely(picture, self._looks)

    def marked(self) -> Picture:
        """255 where text is."""
        count, areas = cv2.connectedComponents((self.map > _PERHAPS).astype(np.uint8))
        there = areas[::2, ::2].ravel()
        sizes = np.maximum(1, np.bincount(there, minlength=count)) * 255
        seen = np.max([np.bincount(there, look.ravel(), count) / sizes for look in self._looks], axis=0)
        text = np.zeros(count, np.uint8)
        text[areas[self.map > _SURE]] = 255
        text[seen < _SEEN] = 0
        return np.asarray(text[areas], np.uint8)


def halves(picture: Picture, looks: Sequence[Map]) -> NDArray[np.uint8]:
    """The looks with half of the picture's rows and columns, 0 to 255, one behind the other."""
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    made = np.empty((len(looks), rows, columns), np.uint8)
    for plane, look in zip(made, looks, strict=True):
        how = cv2.INTER_AREA if look.shape[0] > rows else cv2.INTER_LINEAR
        resized = cv2.resize(np.ascontiguousarray(look), (columns, rows), interpolation=how)
        np.rint(resized * 255, out=resized)
        plane[:] = resized
    return made


def _likely(picture: Picture, looks: NDArray[np.uint8]) -> Map:
    """How likely text is at each pixel, 0 to 1."""

    def see(rows: slice, columns: slice) -> Map:
        half = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
        part = picture[rows, columns]
        squares = map_of(_network, blob_of(part, looks[:, half[0], half[1]]))  # of 4 x 4 pixels
        return np.asarray(cv2.resize(squares, part.shape[1::-1]), np.float32)

    return in_windows((picture.shape[0], picture.shape[1]), see)


def blob_of(picture: Picture, looks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network is given: every second pixel of the picture, four times in three colours, and the looks."""
    _, rows, columns = looks.shape
    blob = np.empty((1, 12 + len(looks), rows, columns), np.float32)
    pixels = picture.reshape(rows, 2, columns, 2, 3).transpose(4, 1, 3, 0, 2)
    np.divide(pixels.reshape(12, rows, columns), 127.5, out=blob[0, :12])
    blob[0, :12] -= 1
    np.divide(looks, 255, out=blob[0, 12:])
    return blob


@cache
def _network() -> Network:
    return Network(_MODEL.read_bytes())
