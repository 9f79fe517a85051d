"""Stripes, of which bar codes are made: where in a picture some are, and how far along themselves they go.

A reader follows lines of the picture, so that bars are seen which these cross from end to end, and in lines in which
nothing else is much brighter or darker. What is striped is cut out and turned upright for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Points = NDArray[np.float64]  # x and y of each

_CELL: Final = 4  # pixels a side
_AROUND: Final = 5  # cells a side that are looked at together
_BAND: Final = 256 * _CELL  # rows at once: gradients take many times the memory of a picture
_ALIKE: Final = 0.3  # of the steps between grey levels lead in one direction; 1 would be all
_STEEP: Final = 500  # their mean square; the noise of images has less, and so have their edges
_LEAST: Final = 30  # pixels that stripes are wide; no code is narrower
_MARGIN: Final = 24, 8  # pixels around them, across and along: a reader looks for something empty beside a code
ENLARGED: Final = 2  # times, for bars and modules of a single pixel
LARGE: Final = 1 << 20  # pixels; more need not be enlarged
_BARS: Final = 8  # a code has more
_SAME: Final = 0.5  # correlation of a line across the bars with those before
_NEW: Final = 0.2  # of each line is remembered for the next one: bars may lean a little
_GAP: Final = 12  # lines in which something else stands, after which the same bars may go on


@dataclass(frozen=True, slots=True)
class Upright:
    """A part of a picture, turned so that its stripes are upright, and how its points lie in the picture."""

    picture: Picture
    move: Points

    def there(self, points: Points) -> Points:
        """Points of this part, as points of the picture."""
        return points @ self.move[:, :2].T + self.move[:, 2]


def striped(grey: Picture) -> Iterator[Upright]:
    """Each part of a picture in which there are stripes."""
    if min(grey.shape) < 2 * _CELL:
        return
    horizontal, vertical, both = (cv2.blur(each, (_AROUND, _AROUND)) for each in _products(grey))
    steep = horizontal + vertical
    marked = ((steep > _STEEP) & (np.hypot(horizontal - vertical, 2 * both) > _ALIKE * steep)).astype(np.uint8)
    closed = cv2.morphologyEx(marked, cv2.MORPH_CLOSE, np.ones((_AROUND, _AROUND), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(closed)
    for label in range(1, count):
        x, y, width, height, _ = boxes[label]
        if max(width, height) * _CELL < _LEAST:
            continue
        place = np.s_[y : y + height, x : x + width]
        inside = labels[place] == label
        sums = [float(each[place][inside].sum()) for each in (horizontal, vertical, both)]
        angle, alike = _direction(*sums)
        if alike < _ALIKE:
            continue
        cells = np.argwhere(inside)[:, ::-1] + (x, y)
        yield _upright(grey, (cells + 0.5) * _CELL, angle, _MARGIN)


def whole(grey: Picture, corners: Points) -> Points:
    """The corners of a code of bars, as high as its bars are: what a reader tells may be a few lines across them.

    It may have read them beyond an edge of the picture, from which they are drawn out for it: they are at the edge.
    """
    rows, columns = grey.shape
    corners = np.clip(corners, 0, (columns - 1, rows - 1))
    left, top = np.maximum(corners.min(axis=0).astype(int) - 2, 0)
    right, bottom = corners.max(axis=0).astype(int) + 3
    products = _products(grey[top:bottom, left:right], 1)
    angle, _ = _direction(*(float(each.sum()) for each in products))
    along = np.array([-np.sin(angle), np.cos(angle)])
    edges = np.array([(0, 0), (columns, 0), (0, rows), (columns, rows)], np.float64) @ along
    middle = corners.mean(axis=0)
    line = np.stack([middle + along * (edge - middle @ along) for edge in (edges.min(), edges.max())])
    strip = _upright(grey, np.concatenate([corners, line]), angle, (0, 0))
    height, width = strip.picture.shape
    seen = min(round(float(middle @ along - edges.min())), height - 1)
    first, last = _reach(strip.picture.astype(np.float32), seen)
    return strip.there(np.array([(0, first), (width, first), (width, last), (0, last)], np.float64))


def _products(grey: Picture, cell: int = _CELL) -> list[NDArray[np.float32]]:
    """Squares and products of the steps from pixel to pixel, of each cell the mean."""
    rows, columns = (max(1, side // cell) for side in grey.shape)
    means = [np.empty((rows, columns), np.float32) for _ in range(3)]
    for first in range(0, rows, _BAND // cell):
        after = min(rows, first + _BAND // cell)
        band = np.ascontiguousarray(grey[first * cell : after * cell, : columns * cell])
        across, along = cv2.spatialGradient(band)
        for mean, (one, other) in zip(means, ((across, across), (along, along), (across, along)), strict=True):
            product = cv2.multiply(one, other, dtype=cv2.CV_32F)
            mean[first:after] = cv2.resize(product, (columns, after - first), interpolation=cv2.INTER_AREA)
    return means


def _direction(horizontal: float, vertical: float, both: float) -> tuple[float, float]:
    """In which direction most of the steps lead, which is across the bars; and which part of them."""
    difference = horizontal - vertical
    alike = np.hypot(difference, 2 * both) / (horizontal + vertical + 1)
    return float(np.arctan2(2 * both, difference) / 2), float(alike)


def _upright(grey: Picture, points: Points, angle: float, margin: tuple[int, int]) -> Upright:
    """The least part of a picture that holds these points, turned by an angle."""
    axes = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    turned = points @ axes.T
    first, size = turned.min(axis=0) - margin, np.ptp(turned, axis=0) + 2 * np.array(margin)
    scale = ENLARGED if any(margin) and size.prod() <= LARGE else 1
    move = np.column_stack([axes.T / scale, first @ axes])
    width, height = (max(1, round(float(side) * scale)) for side in size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(grey, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Upright(np.asarray(part, np.uint8), move)


def _reach(lines: NDArray[np.float32], middle: int) -> tuple[int, int]:
    """From which line to which the bars go on that are seen in the middle one."""
    lines -= cv2.blur(lines, (max(1, lines.shape[1] // _BARS), 1))  # without the shades of what is behind them
    lines /= np.maximum(np.linalg.norm(lines, axis=1, keepdims=True), 1)
    ends = []
    for step in (-1, 1):
        seen, end, line = lines[middle].copy(), middle, middle
        while 0 <= line < len(lines) and abs(line - end) <= _GAP:
            if float(seen @ lines[line]) > _SAME * float(np.linalg.norm(seen)):
                seen, end = (1 - _NEW) * seen + _NEW * lines[line], line
            line += step
        ends.append(end)
    return ends[0], ends[1]
