"""Blobs of a text detector's map: how sure it is of each, and how large the text is that they mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Map = NDArray[np.float32]
    Picture = NDArray[np.uint8]

_UNCLIP: Final = 1.6  # the network marks text shrunk by this ratio of area to circumference
_MOST_GROWTH: Final = 18.0  # pixels of the map; the rim of large letters is no wider
_RECTANGULAR: Final = 0.6
_SMALLEST: Final = 3  # pixels of the map; less is noise
_ELONGATED: Final = 2.5  # times as long as high
_UPRIGHT: Final = 2.0  # times as high as wide


@dataclass(frozen=True, slots=True)
class Blob:
    """A connected part of the map above a threshold."""

    contour: NDArray[np.int32]
    centre: tuple[float, float]
    sides: tuple[float, float]
    angle: float
    inside: Picture  # within the rectangle around it
    mean: float

    @property
    def grow(self) -> float:
        """By how much the text is larger on all sides."""
        return min(self.sides[0] * self.sides[1] * _UNCLIP / (2 * sum(self.sides)), _MOST_GROWTH)

    @property
    def short(self) -> float:
        """The shorter side."""
        return min(self.sides)

    @property
    def long(self) -> float:
        """The longer side."""
        return max(self.sides)

    @property
    def height(self) -> float:
        """Of the text."""
        return self.short + 2 * self.grow

    @property
    def is_rectangular(self) -> bool:
        """Whether it fills the rectangle around it, turned as it may be."""
        return cv2.contourArea(self.contour) > _RECTANGULAR * self.sides[0] * self.sides[1]

    @property
    def is_a_word(self) -> bool:
        """Whether it is as long as one; a ring of bone looks like an O."""
        return self.long >= _ELONGATED * self.short

    @property
    def stands(self) -> bool:
        """Whether it is rather high than wide, as lines are that are written upwards or downwards."""
        _, _, width, height = cv2.boundingRect(self.contour)
        return height >= _UPRIGHT * width

    def corners(self, ends: float = 0.0) -> NDArray[np.int32]:
        """Of the text, where it is rectangular, and of so much at each end of it, in parts of its height."""
        longer = ends * self.height
        along, across = (longer, 0.0) if self.sides[0] >= self.sides[1] else (0.0, longer)
        sides = self.sides[0] + 2 * (self.grow + along), self.sides[1] + 2 * (self.grow + across)
        return np.rint(cv2.boxPoints((self.centre, sides, self.angle))).astype(np.int32)

    def mean_of(self, other: Map | Picture) -> float:
        """The mean of another map of the same size over this blob."""
        x, y, width, height = cv2.boundingRect(self.contour)
        return float(cv2.mean(other[y : y + height, x : x + width], self.inside)[0])

    def most_of(self, other: Map) -> float:
        """The greatest value of another map of the same size over this blob."""
        x, y, width, height = cv2.boundingRect(self.contour)
        return float((other[y : y + height, x : x + width] * self.inside).max())

    def covered(self, marked: Picture) -> float:
        """Which part of it is marked."""
        return self.mean_of(marked) / 255

    def paint(self, marked: Picture) -> None:
        """Mark the text."""
        if self.is_rectangular:
            cv2.fillPoly(marked, [self.corners()], 255)
        else:
            cv2.drawContours(marked, [self.contour], -1, 255, cv2.FILLED)
            cv2.drawContours(marked, [self.contour], -1, 255, thickness=max(1, round(2 * self.grow)))


def blobs_of(found: Map, threshold: float) -> Iterator[Blob]:
    """All of a map (0 to 1) that are not noise."""
    contours, _ = cv2.findContours((found > threshold).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        centre, sides, angle = cv2.minAreaRect(contour)
        if min(sides) < _SMALLEST:
            continue
        x, y, width, height = cv2.boundingRect(contour)
        inside = np.zeros((height, width), np.uint8)
        cv2.drawContours(inside, [contour - (x, y)], -1, 1, cv2.FILLED)
        mean = float(cv2.mean(found[y : y + height, x : x + width], inside)[0])
        yield Blob(
            np.asarray(contour, np.int32), (centre[0], centre[1]), (sides[0], sides[1]), float(angle), inside, mean
        )
