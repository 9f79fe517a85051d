"""Which text detector looks at an object: each is one function, and the profile chooses it by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels import craft, detector, tesseract

if TYPE_CHECKING:
    from deid.pixels.detector import Mask, Picture


class TextMask(Protocol):
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked."""

    def __call__(self, picture: Picture, *, sure: bool = False, quick: bool = False) -> Mask:
        """`sure` leaves out what is only perhaps text; `quick` looks less closely. Raises Rejected where it cannot."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A text detector, and what is recorded of it with each object that it has searched."""

    name: str
    find: TextMask

    def text_mask(self, picture: Picture, *, sure: bool = False, quick: bool = False) -> Mask:
        """What it finds. Raises Rejected for what is no mask of the picture, which numpy may take for an empty one."""
        found = self.find(picture, sure=sure, quick=quick)
        if not isinstance(found, np.ndarray) or found.dtype != np.bool_ or found.shape != picture.shape[:2]:
            raise Rejected("the engine that looks for text has answered with something that is no mask")
        return found


def engine_of(name: str, search: str = "strict") -> Engine:
    """The engine that profiles call so, for such a search. Raises Rejected where it is not installed."""
    cv2.setNumThreads(1)  # the processes of a pool share the cores already
    match name:
        case "easyocr":
            return Engine(craft.engine(), craft.text_mask)
        case "tesseract":
            return Engine(tesseract.engine(), tesseract.text_mask)
        case _ if search == "fast":
            return Engine(f"{detector.ENGINE}, fast", detector.in_haste)
        case _:
            return Engine(detector.ENGINE, detector.text_mask)
