"""What has been found in one scene so far, and how its pictures are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from deid.pixels import codes
from deid.pixels.areas import apart, areas, beside, closed
from deid.pixels.mask import filled, in_cells
from deid.pixels.remembered import mask_of
from deid.pixels.views import pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.detector import Mask, Picture
    from deid.pixels.engine import TextMask
    from deid.pixels.frames import Frame

_FAINT: Final = 0.3  # of an area: the network marks text shrunk


class Spare(Protocol):
    """What of a mask need not be masked."""

    def __call__(self, marked: Mask, doubtful: Mask, pictures: Sequence[Picture], /) -> Mask:
        """Whole connected areas of `marked` that touch nothing doubtful and say nothing in any of the pictures."""


@dataclass(frozen=True, slots=True)
class How:
    """How the scenes of one object are searched."""

    find: TextMask
    spare: Spare | None
    cell: tuple[int, int]  # columns and rows that can only be masked together
    gated: bool
    shown: Callable[[int], tuple[Frame, Frame | None]]  # each frame by its number, and the bits that are not shown


@dataclass(frozen=True, slots=True)
class Views:
    """Pictures, and frames that are decoded whenever they are looked at: there may be many of them."""

    pictures: Sequence[Frame]
    numbers: Sequence[int]
    shown: Callable[[int], tuple[Frame, Frame | None]]

    def __iter__(self) -> Iterator[Frame]:
        yield from self.pictures
        for number in self.numbers:
            yield self.shown(number)[0]


@dataclass(slots=True)
class Found:
    """What has been found in one scene so far."""

    how: How
    mask: Mask
    kept: Mask
    codes: Mask
    pictures: int = 0  # that were searched

    def look(
        self,
        views: Iterable[Frame],
        *,
        masked: bool = True,
        sure: bool = False,
        quick: bool = False,
    ) -> Mask:
        """What is found in these views, as they are or as they are masked: beside the mask, but of codes any part."""
        found: Mask = np.zeros_like(self.mask)
        fill = masked and self.mask.any()
        for view in views:
            renderings = pictures(filled(view, self.mask, _black(view)) if fill else view)
            for picture in renderings:
                found |= self.how.find(picture, sure=sure, quick=quick)
            self.codes |= mask_of(codes.code_mask, renderings[0])
            self.pictures += len(renderings)
        found = apart(found | self.codes, self.mask | self.kept) if masked else found
        return found | (self.codes & ~self.mask)  # a few lines of a code that stay open can be read

    def shown(self, new: Mask, views: Iterable[Frame], *, quick: bool) -> Mask:
        """Whole areas of what is new in masked views, if they are codes, or look like text beside the text as well.

        Once it is gone, organs are taken for text.
        """
        shades = (each for view in views for each in _in_shades(view, self.mask))
        faint = reduce(
            np.logical_or,
            (self.how.find(each, quick=quick, faint=True) for shade in shades for each in pictures(shade)),
        )
        return areas(new, faint, _FAINT) | (new & self.codes)

    def uncovered(self, view: Frame, *, quick: bool = False) -> Mask:
        """What a view as it is shows, and the mask does not cover. Codes in it are not those of all frames."""
        codes, self.codes = self.codes, np.zeros_like(self.mask)
        try:
            return self.open(self.look([view], masked=False, quick=quick))
        finally:
            self.codes = codes

    def promises(self, view: Frame) -> bool:
        """Whether a quick look shows something that the mask does not cover."""
        return bool(self.uncovered(view, quick=True).any())

    def open(self, found: Mask) -> Mask:
        """What the mask does not cover of what was found."""
        return beside(found, self.mask | self.kept)

    def add(self, new: Mask) -> None:
        """Mask this as well."""
        self.mask = in_cells(self.mask | new, self.how.cell)

    def close(self) -> None:
        """Mask narrow gaps as well: of a frame alone, nobody would see there that a line goes on."""
        self.add(closed(self.mask) & ~self.kept)


def quickly(view: Frame, find: TextMask) -> Mask:
    """What a quick look at a view as it is shows."""
    renderings = pictures(view)
    found = mask_of(codes.code_mask, renderings[0])
    for picture in renderings:
        found |= find(picture, quick=True)
    return found


def _in_shades(view: Frame, mask: Mask) -> Iterator[Frame]:
    """A view, and, where it is grey, with what is masked no brighter or darker than the rest.

    Beside it faint text was hardly seen.
    """
    yield view
    if view.ndim == 2 and (rest := view[~mask]).size:
        yield np.clip(view, rest.min(), rest.max())


def _black(view: Frame) -> NDArray[Any]:
    """What a mask will look like in a view."""
    return np.zeros(3, np.uint8) if view.ndim > 2 else np.array(view.min())
