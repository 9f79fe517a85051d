"""Letters that the network did not mark, beside those of their line that it did: the ink goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.blobs import Blob, Picture
    from deid.pixels.lines import Boxes

    Ink = NDArray[np.bool_]

_LINE: Final = 1.5  # times as long as high; of less it is not known where a line goes
_BESIDE: Final = (0.1, 0.45)  # of the height: from here to there over and under a line is what it is written on
_APART: Final = 3.0  # deviations between ink and what it is written on
_NOISE: Final = 2.0  # grey levels, of any picture
_SHARE: Final = (0.06, 0.65)  # of a line is ink
_STRAY: Final = 0.1  # of what is over and under a line, at most: else it is no text, or stands on other things
_ALIKE: Final = (0.25, 1.8)  # times the ink of the line where it goes on
_HIGH: Final = 0.3  # of the height, at least: a ruled line is none of letters
_MOST: Final = 40  # times the height
_ENDS: Final = 0.15  # of the height: of the last letter at either end the network marks less than of the others
_FLAT: Final = 24  # grey levels: where they differ no more there is no ink


@dataclass(frozen=True, slots=True)
class _Line:
    """One line from left to right in grey values, and its ink."""

    shades: Picture
    top: int
    bottom: int
    paper: float
    apart: float
    bright: bool
    share: float

    def ink(self, area: Picture) -> Ink:
        return area > self.paper + self.apart if self.bright else area < self.paper - self.apart

    def goes_on(self, left: int, right: int) -> bool:
        """Whether between these columns the ink is that of letters."""
        there = self.ink(self.shades[self.top : self.bottom, left:right])
        rows = np.flatnonzero(there.any(axis=1))
        if not rows.size or rows[-1] - rows[0] < _HIGH * (self.bottom - self.top):
            return False
        beside = self.ink(_beside(self.shades, self.top, self.bottom, left, right))
        share = float(there.mean())
        alike = _ALIKE[0] * self.share < share < _ALIKE[1] * self.share
        return alike and (not beside.size or float(beside.mean()) <= _STRAY * share)


def go_on(marked: Picture, shades: Picture, words: Boxes) -> None:
    """Mark where the lines of these words go on, in any of four directions, in a picture of grey values."""
    for _ in range(4):
        for column, row, width, height in words.astype(int):
            if width >= _LINE * height:
                _to_the_right(marked, shades, (column, row, width, height))
        columns, rows, widths, heights = words.T
        words = np.column_stack((rows, marked.shape[1] - columns - widths, heights, widths))
        marked, shades = np.rot90(marked), np.rot90(shades)


def draw_out(marked: Picture, shades: Picture, words: Sequence[Blob]) -> None:
    """Mark a little more at the ends of words, where in a picture of grey values anything stands there."""
    rows, columns = marked.shape
    for blob in words:
        corners = blob.corners(_ENDS)
        left, top, width, height = cv2.boundingRect(corners)
        ends = np.zeros((height, width), np.uint8)
        cv2.fillPoly(ends, [corners - (left, top)], 255)
        cv2.fillPoly(ends, [blob.corners() - (left, top)], 0)
        there = slice(max(0, top), min(rows, top + height)), slice(max(0, left), min(columns, left + width))
        ends = ends[there[0].start - top : there[0].stop - top, there[1].start - left : there[1].stop - left]
        values = shades[there][ends > 0]
        if values.size and int(values.max()) - int(values.min()) > _FLAT:
            marked[there] |= ends


def _to_the_right(marked: Picture, shades: Picture, box: tuple[int, int, int, int]) -> None:
    column, row, width, height = box
    top, bottom = max(0, row), min(shades.shape[0], row + height)
    left, right = max(0, column), min(shades.shape[1], column + width)
    line = _line(shades, top, bottom, left, right)
    if line is None:
        return
    end = right
    for _ in range(_MOST):
        after = min(shades.shape[1], end + height)
        if after == end or not line.goes_on(end, after):
            break
        end = after
    columns = np.flatnonzero(line.ink(shades[top:bottom, right:end]).any(axis=0))
    if columns.size:
        marked[top:bottom, right : right + columns[-1] + 1] = 255


def _line(shades: Picture, top: int, bottom: int, left: int, right: int) -> _Line | None:
    """What is ink in a line, and on what; None where that is not clear."""
    around = _beside(shades, top, bottom, left, right)
    if not around.size:
        return None
    paper = float(np.median(around))
    apart = _APART * (1.4826 * float(np.median(np.abs(around - paper))) + _NOISE)
    inside = shades[top:bottom, left:right]
    bright, dark = float((inside > paper + apart).mean()), float((inside < paper - apart).mean())
    line = _Line(shades, top, bottom, paper, apart, bright >= dark, max(bright, dark))
    clear = _SHARE[0] < line.share < _SHARE[1] and float((np.abs(around - paper) > apart).mean()) <= _STRAY
    return line if clear else None


def _beside(shades: Picture, top: int, bottom: int, left: int, right: int) -> Picture:
    """What is over and under these rows, from the first to the last of these columns."""
    near, far = (max(1, round(part * (bottom - top))) for part in _BESIDE)
    over = shades[max(0, top - far) : max(0, top - near), left:right]
    return np.concatenate((over.ravel(), shades[bottom + near : bottom + far, left:right].ravel()))
