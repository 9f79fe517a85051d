"""What a line of text says: read only to find out whether it may stay, never recorded, never passed on.

The network is the recogniser of PP-OCR (Apache-2.0), which the package rapidocr carries inside its wheel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels.inference import Network, content_of

if TYPE_CHECKING:
    from deid.pixels.detector import Picture

_MODEL: Final = "models/PP-OCRv6_rec_small.onnx"
_SHA256: Final = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
_HEIGHT: Final = 48  # rows of what the network is given
_WIDEST: Final = 40  # times its height; longer lines are none of a scale or a side mark
_BLANK: Final = 0  # the class that stands for no character; the last one is a space


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says, and how sure the network is of its least sure character."""

    text: str
    score: float  # 0 to 1
    first: float  # where the first and the last character stand, as shares of the width
    last: float


NOTHING: Final = Line("", 0.0, 0.0, 0.0)


def read(picture: Picture) -> Line:
    """Read rows x columns x 3 of 8 bits that show one line from left to right. Raises Rejected where it fails."""
    rows, columns = picture.shape[:2]
    if columns > _WIDEST * rows:
        return NOTHING
    width = max(_HEIGHT, round(columns * _HEIGHT / rows))
    blob = cv2.resize(picture, (width, _HEIGHT)).astype(np.float32)
    blob *= 2 / 255.0
    blob -= 1.0
    network, characters = _network()
    try:
        steps = network.run(np.ascontiguousarray(blob.transpose(2, 0, 1)[None]))
    except Exception as error:  # noqa: BLE001 - its text may quote values
        raise Rejected(f"the text recogniser failed ({type(error).__name__})") from None
    classes = steps.argmax(axis=1)
    # A character that is seen in several steps is one, unless a blank lies between.
    begins = np.flatnonzero((classes != _BLANK) & (np.diff(classes, prepend=_BLANK) != 0))
    if not len(begins):
        return NOTHING
    text = "".join(characters[number] for number in classes[begins])
    return Line(text, float(steps.max(axis=1)[begins].min()), begins[0] / len(steps), (begins[-1] + 1) / len(steps))


@cache
def _network() -> tuple[Network, list[str]]:
    """The network, and the character of each class."""
    network = Network(content_of(_MODEL, _SHA256))
    return network, ["", *network.says("character").split("\n"), " "]
