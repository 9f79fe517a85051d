"""What is marked and stays readable where a profile says `mask: phi`: technical text that is surely nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.pixels.recogniser import read
from deid.pixels.technical import is_technical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deid.pixels.detector import Mask, Picture
    from deid.pixels.recogniser import Line
    from deid.pixels.technical import Identity

_SURE: Final = 0.95  # of the least sure character
_NARROWEST: Final = 0.33  # width of a character by the height of its line; less are several lines, one over the other
_WIDEST: Final = 1.5  # the same of a character that is alone
_MARGIN: Final = 0.6  # of the height, on both sides: more may hold what was not read
_MOST: Final = 200  # lines that are read in one scene; what more there are is masked


@dataclass(frozen=True, slots=True)
class Spared:
    """Says which areas of a mask stay as they are, for one object."""

    identity: Identity
    masked: Mask  # whatever is written there

    def __call__(self, marked: Mask, doubtful: Mask, pictures: Sequence[Picture], /) -> Mask:
        """The areas that say the same in every picture, which is technical, and touch nothing doubtful."""
        kept: Mask = np.zeros_like(marked)
        doubtful = doubtful | self.masked
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8))
        for number in range(1, min(count, _MOST + 1)):
            left, top, width, height = map(int, boxes[number, : cv2.CC_STAT_AREA])
            place = slice(top, top + height), slice(left, left + width)
            if not doubtful[place].any() and _stays([picture[place] for picture in pictures], self.identity):
                kept[place] |= labels[place] == number
        return kept


def _stays(pictures: Sequence[Picture], identity: Identity) -> bool:
    said = ""
    for picture in pictures:
        line = read(np.ascontiguousarray(picture))
        if not _is_sure(line, *picture.shape[:2]) or said not in ("", line.text):
            return False
        said = line.text
    return is_technical(said, identity)


def _is_sure(line: Line, height: int, width: int) -> bool:
    """Whether all of a box was read, and nothing else can be in it."""
    characters = len(line.text.replace(" ", ""))
    if not characters or line.score < _SURE:
        return False
    each = width / height / characters
    if each < _NARROWEST or (characters == 1 and each > _WIDEST):
        return False
    return max(line.first, 1 - line.last) * width <= _MARGIN * height
