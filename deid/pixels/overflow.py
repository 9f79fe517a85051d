"""What the pictures of single frames have no room for: looked at before it is forgotten, and remembered as a mask.

Where other text stands in many frames, each at other places, three pictures cannot show all of it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from deid.pixels.areas import areas

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deid.pixels.flashes import Flash, Plane

    Mask = NDArray[np.bool_]

_LEAST: Final = 0.03  # of what appears in and around a cell is ink: half of what small letters have
_MORE: Final = 1.6  # times as much has to appear anywhere after a look that shows no text
_LOUDEST: Final = 0.06  # is what most letters have
_LOUDER: Final = 2  # times as much has to appear around what was no text
_AROUND: Final = (5, 5)  # cells: what is in the others of them belongs to the middle one
_CELLS: Final = 3  # that a letter and its neighbour touch
_COVERED: Final = 0.3  # of a cell: what was found has a rim
_HALF: Final = 0.5
_MOST: Final = 64  # looks that are remembered, of a fifth of a byte for each pixel


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a look has shown: where text is, packed, and in which frame each cell is to be seen."""

    shape: tuple[int, ...]
    packed: bytes
    numbers: NDArray[np.int32]

    @property
    def mask(self) -> Mask:
        """Where the look has shown text."""
        bits = np.unpackbits(np.frombuffer(self.packed, np.uint8), count=self.shape[0] * self.shape[1])
        return np.asarray(bits.reshape(self.shape).view(np.bool_))


class Overflow:
    """One more picture, of all that appears in single frames: it is looked at whenever there is no room for more."""

    def __init__(self, look: Callable[[NDArray[Any]], Mask]) -> None:
        """To be looked at by this."""
        self._look = look
        self._shown: Flash | None = None
        self._ink = self._bar = np.zeros((0, 0), np.float32)  # of each cell; what appears by less is motion, or known
        self._share = _LEAST
        self.looks = 0
        self.glimpses: list[Glimpse] = []

    @property
    def endless(self) -> bool:
        """Whether there was more than is remembered, so that any frame may show text."""
        return len(self.glimpses) > _MOST

    def minds(self, ink: Plane) -> bool:
        """Whether a frame is news in which such a part of each cell is ink."""
        if not self._bar.size:
            self._bar = np.zeros_like(ink)
        return not self.endless and _many(self._news(ink))

    def add(self, new: Flash, ink: Plane) -> None:
        """Show what appears in a frame; what is shown is looked at first, if it stands in its way."""
        clear = self._clear(ink)
        if self._shown is not None:
            meet = (clear & self._news(self._ink)) | (self._clear(self._ink) & self._news(ink))
            if _many(meet):
                self._empty()
        ours = deepcopy(new)  # the other pictures exchange parts of it for what they have shown
        if self._shown is None:
            self._shown, self._ink = ours, ink.copy()
        else:
            self._shown.exchange(ours, clear)
            np.copyto(self._ink, ink, where=clear)

    def end(self) -> None:
        """Look at what is left, unless there was room for everything: the first of the other pictures shows it, too."""
        if self.looks:
            self._empty()

    def _empty(self) -> None:
        """Look at what is shown and remember where text is: more of it is no news there."""
        shown, self._shown = self._shown, None
        if shown is None or self.endless or not _many(self._news(self._ink)):
            return
        self.looks += 1
        around = cv2.blur(self._ink, _AROUND)
        fresh = self._clear(self._ink) & ((around > self._bar) | np.isinf(self._bar))
        appears = cv2.resize(fresh.view(np.uint8), shown.picture.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        found = areas(self._look(shown.picture), appears, _HALF)
        known = cv2.resize(found.astype(np.float32), fresh.shape[::-1], interpolation=cv2.INTER_AREA) > _COVERED
        moves = np.where(self._clear(self._ink) & (self._ink > self._share) & ~known, around, np.float32(0))
        moves = cv2.dilate(moves, np.ones(_AROUND, np.uint8), iterations=2)
        self._bar = np.maximum(self._bar, np.where(known, np.float32(np.inf), moves * np.float32(_LOUDER)))
        if found.any():
            self.glimpses.append(Glimpse(found.shape, np.packbits(found).tobytes(), shown.numbers.copy()))
        else:
            self._share = min(self._share * _MORE, _LOUDEST)

    def _clear(self, ink: Plane) -> Mask:
        """The cells in and around which more appears than noise."""
        return np.asarray(cv2.blur(ink, _AROUND) > self._share)

    def _news(self, ink: Plane) -> Mask:
        """Those with ink of which it is neither known that there is text nor that there was none."""
        return np.asarray((cv2.blur(ink, _AROUND) > np.maximum(self._bar, self._share)) & (ink > self._share))


def _many(cells: Mask) -> bool:
    return int(np.count_nonzero(cells)) >= _CELLS
