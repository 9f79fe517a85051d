"""What stands in single frames of a scene: pictures put together, place by place, of the frames in which most appears.

The bounds of all values show text of one frame only where no other frame is lighter or darker there. Here each letter
and what is around it come from the frame that it stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.overflow import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deid.pixels.frames import Frame

    Plane = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Bounds = tuple[NDArray[Any], NDArray[Any]]

_PICTURES: Final = 3  # for each place the frames in which most appears
_CELL: Final = 8  # pixels, that come from one frame together
_AROUND: Final = 5  # cells: a letter beside the others comes from the frame that these come from
_MOVES: Final = 9  # pixels around, in which something may have been one or two frames before
_PARTS: Final = 4  # of an area: a frame that shows less shows what is beside it
_CLEAR: Final = 1 / 8  # of the range of values: standing out by more makes a letter no clearer
_COUNTED: Final = (np.uint8, np.uint16, np.int16)  # what OpenCV knows
_SIZES: Final = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.float64}  # which of them it can copy


@dataclass(slots=True)
class Flash:
    """A picture put together: how much appears in each cell of it, and in which frame."""

    appears: Plane
    numbers: NDArray[np.int32]
    picture: Frame

    def frames(self, where: Mask) -> set[int]:
        """Those in which the areas of a mask are to be seen, or the greater part of each."""
        return named(self.numbers, where)

    def exchange(self, other: Flash, cells: Mask) -> None:
        """Give these cells to another picture, and take its own for them."""
        there = cv2.resize(cells.view(np.uint8), self.picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        _exchange(self.appears, other.appears, cells.view(np.uint8))
        _exchange(self.numbers, other.numbers, cells.view(np.uint8))
        _exchange(self.picture, other.picture, there)


class Flashes:
    """Collected while the frames of a scene pass."""

    def __init__(self, number: int, first: Frame, look: Callable[[Frame], Mask]) -> None:
        """Of a scene that begins with this frame; what there is no room for is looked at by `look`."""
        self._first: tuple[int, Frame] | None = (number, first)  # until there is something to compare it with
        self._before: list[Bounds] = []
        self.found: list[Flash] = []  # three at most, as many as there were frames
        self.overflow = Overflow(look)

    def add(self, number: int, frame: Frame) -> None:
        """The next frame."""
        values = _known(frame)
        if self._first is not None:
            first = _known(self._first[1])
            self._place(*self._first, *_appearing(first, [_bounds(values)]))
            self._before = [_bounds(first)]
            self._first = None
        appearing = _appearing(values, self._before)
        self._before = self._before[-1:]  # the others are not needed any more, and a look takes much memory
        self._place(number, frame, *appearing)
        self._before.append(_bounds(values))

    def end(self) -> None:
        """No frame is added after this: look at what is left, and forget what the next would be compared with."""
        self._before = []
        self.overflow.end()

    def _place(self, number: int, frame: Frame, appears: Plane, ink: Plane) -> None:
        """Show a frame where more appears in it than in others, and what it takes the place of in the next picture."""
        new = Flash(appears, np.full(appears.shape, number, np.int32), frame.copy())
        if self.overflow.minds(ink):
            self.overflow.add(new, ink)
        for flash in self.found:
            more = new.appears > flash.appears
            if more.any():
                flash.exchange(new, more)
        if len(self.found) < _PICTURES:
            self.found.append(new)


def named(numbers: NDArray[np.int32], where: Mask) -> set[int]:
    """By the frame of each cell, those in which the areas of a mask are to be seen, or the greater part of each."""
    cells = cv2.resize(where.astype(np.float32), numbers.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    count, labels = cv2.connectedComponents(cells.astype(np.uint8))
    found: set[int] = set()
    for area in range(1, count):
        those, shown = np.unique(numbers[labels == area], return_counts=True)
        found |= {int(those[shown.argmax()]), *those[shown * _PARTS >= shown.sum()].tolist()}
    return found


def _known(frame: Frame) -> NDArray[Any]:
    return frame if frame.dtype in _COUNTED else frame.astype(np.float32)


def _exchange(one: NDArray[Any], other: NDArray[Any], where: NDArray[Any]) -> None:
    """Exchange what two arrays hold where something is not 0; OpenCV does that many times faster than numpy."""
    one, other = one.view(_SIZES[one.itemsize]), other.view(_SIZES[other.itemsize])
    before = one.copy()
    cv2.copyTo(other, where, one)
    cv2.copyTo(before, where, other)


def _bounds(values: NDArray[Any]) -> Bounds:
    """The least and the greatest value around each pixel."""
    around = np.ones((_MOVES, _MOVES), np.uint8)
    return cv2.erode(values, around), cv2.dilate(values, around)


def _appearing(values: NDArray[Any], before: list[Bounds]) -> tuple[Plane, Plane]:
    """How much of a frame lies beyond what was there before, in and around each cell; and which part of it is ink.

    What moves was beside its place one frame before, and what has gone uncovers what was there two frames before.
    """
    beyond = _beyond(values, before[0])
    for bounds in before[1:]:
        beyond = cv2.min(beyond, _beyond(values, bounds))
    beyond = reduce(cv2.max, cv2.split(beyond)) if beyond.ndim > 2 else beyond
    clear = max(1.0, _CLEAR * (float(values.max()) - float(values.min())))
    rows, columns = beyond.shape
    cells = max(1, columns // _CELL), max(1, rows // _CELL)
    much = cv2.resize(np.clip(beyond.astype(np.float32), 0, clear), cells, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(much, (_AROUND, _AROUND)), np.float32), np.asarray(much / clear, np.float32)


def _beyond(values: NDArray[Any], bounds: Bounds) -> NDArray[Any]:
    least, greatest = bounds
    return cv2.max(cv2.subtract(values, greatest), cv2.subtract(least, values))
