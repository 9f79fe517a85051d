"""Which text detector looks at an object: each is one function, and the profile chooses it by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2

from deid.pixels import craft, detector, looks, taught, tesseract
from deid.pixels.remembered import mask_of

if TYPE_CHECKING:
    from deid.pixels.detector import Mask, Picture


class TextMask(Protocol):
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked."""

    def __call__(self, picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
        """`sure` leaves out what is only perhaps text; `quick` looks less closely. Raises Rejected where it cannot.

        `faint` marks all that looks like text at a first look, whatever its form; an engine that cannot tell marks all.
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """A text detector, and what is recorded of it with each object that it has searched."""

    name: str
    find: TextMask

    def text_mask(self, picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
        """What it finds, or has found in the same picture before. Raises Rejected where it cannot."""
        return mask_of(self.find, picture, sure=sure, quick=quick, faint=faint)


def engine_of(name: str, search: str = "strict") -> Engine:
    """The engine that profiles call so, for such a search. Raises Rejected where it is not installed."""
    cv2.setNumThreads(1)  # the processes of a pool share the cores already
    match name:
        case "easyocr":
            return Engine(craft.engine(), craft.text_mask)
        case "tesseract":
            return Engine(tesseract.engine(), tesseract.text_mask)
        case _ if search == "fast":
            return Engine(f"{looks.ENGINE}, fast", detector.in_haste)
        case _:
            return Engine(f"{looks.ENGINE}, {taught.VERSION}", detector.text_mask)
