"""What of a text detector's map is text: every pixel that has to be masked, and no organ that looks like letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.pixels.blobs import blobs_of
from deid.pixels.ink import draw_out, go_on
from deid.pixels.lines import boxes_around, join

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.pixels.blobs import Blob, Map, Picture

    Witness = Callable[[], Sequence[Map]]

PERHAPS: Final = (0.1, 0.15)
PROBABLY: Final = (0.3, 0.5)
SURE: Final = (0.3, 0.65)
"""Thresholds of the map, and of the mean over a blob. Low ones find faint text; high ones part lines that touch."""
_LINE: Final = 3.0  # times as long as high: letters of any height that stand beside each other
_HIGHEST_ALONE: Final = 0.8  # of what is tall: a single letter that high is a ring
_HIGHEST_UP: Final = 0.7  # of what is tall: slices of a head below each other look like round letters
_HIGHEST: Final = 0.35  # of the shorter side of the map: higher than that, a line is a picture
_LARGE: Final = 12  # pixels of the map
_FAINTEST_OF_LARGE: Final = 0.25
_CONFIRMED: Final = 0.4  # mean of a map at another scale over a blob; text has 0.5 and more there
_ROUND_NEEDS: Final = 10  # pixels of the map: a short blob that is as high looks like an organ, and needs a witness
_HIGH_NEEDS: Final = 18  # pixels of the map: the same of blobs of any length
_LIKELY: Final = 0.1  # at any pixel of a blob; of a lone digit of a scale it is little more
_TRACE: Final = 0.02  # the same of what is probably text; in scripts that were never taught there is more as well
_COVERED: Final = 0.97  # of a blob; more of it says nothing new, and its rim is coarser than that of the first map


class Marks:
    """What of one map is text, and what other maps add to it."""

    def __init__(
        self,
        found: Map,
        tall: float,
        thresholds: Sequence[tuple[float, float]],
        witness: Witness | None = None,
        likely: Map | None = None,
    ) -> None:
        """Of a map (0 to 1), in which letters are at most so tall unless they stand in a line.

        `witness` gives maps that were found at other scales; asked only where a blob is doubtful.
        `likely` says where another network sees text: nowhere else is anything perhaps text, and what is probably
        text needs a trace of it there.
        """
        self._marked: Picture = np.zeros(found.shape, np.uint8)
        self._words: list[Blob] = []
        self._lone: list[Blob] = []
        others: Sequence[Map] | None = None
        for threshold, least in thresholds:
            for blob in blobs_of(found, threshold):
                if blob.mean < least or _is_a_shade(blob) or not _is_of_a_height(blob, tall, min(found.shape)):
                    continue
                if likely is not None and blob.most_of(likely) < (_LIKELY if threshold < PROBABLY[0] else _TRACE):
                    continue
                if _needs_witness(blob) and witness is not None:
                    others = [_as_large(other, found) for other in witness()] if others is None else others
                    if max(map(blob.mean_of, others)) < _CONFIRMED:
                        continue
                self._take(blob, probable=threshold >= PROBABLY[0])

    def _take(self, blob: Blob, *, probable: bool) -> None:
        if not probable and not blob.is_a_word:
            self._lone.append(blob)
            return
        blob.paint(self._marked)
        if probable and blob.is_rectangular:
            self._words.append(blob)

    def add(self, words: Sequence[Blob]) -> None:
        """Words that were found otherwise."""
        news = [blob for blob in words if blob.covered(self._marked) < _COVERED]
        for blob in news:
            blob.paint(self._marked)
        self._words += news

    def whole(self, shades: Picture | None = None) -> Picture:
        """255 where text is, lines joined, and going on as their ink does in the picture in grey, of the same size."""
        if shades is not None:
            go_on(self._marked, shades, boxes_around(self._words))
        join(self._marked, self._words, self._lone)
        if shades is not None:  # not before: what is marked decides what is new, and where lines go on
            draw_out(self._marked, shades, self._words)
        return self._marked


def _as_large(found: Map, other: Map) -> Map:
    return np.asarray(cv2.resize(np.ascontiguousarray(found), other.shape[::-1]), np.float32)


def _is_of_a_height(blob: Blob, tall: float, side: int) -> bool:
    """Whether letters may be so high: there is a limit to what looks like one, and a farther one to what is a line."""
    if blob.height <= tall:
        return blob.is_a_word or blob.height <= _HIGHEST_ALONE * tall
    in_line = blob.long >= _LINE * blob.short and blob.is_rectangular and blob.mean >= SURE[1]
    return in_line and blob.height <= _HIGHEST * side


def _is_a_shade(blob: Blob) -> bool:
    """Whether a blob is too faint for its size: the larger letters are, the surer the network is."""
    return blob.short >= _LARGE and blob.mean < _FAINTEST_OF_LARGE


def _needs_witness(blob: Blob) -> bool:
    return blob.short >= (_ROUND_NEEDS if not blob.is_a_word else _HIGH_NEEDS)


def traced(found: Map, likely: Map) -> Picture:
    """255 for all areas of a map, whatever their form, in which another network sees a trace of text."""
    _, areas = cv2.connectedComponents((found > PROBABLY[0]).astype(np.uint8))
    with_text = np.setdiff1d(areas[likely >= _TRACE], [0])
    return np.where(np.isin(areas, with_text), np.uint8(255), np.uint8(0))


def lines_up(turned: Map, tall: float) -> list[Blob]:
    """Words from bottom to top or from top to bottom, which the network reads better when the picture is turned."""
    return [
        blob
        for blob in blobs_of(turned, PROBABLY[0])
        if blob.mean >= SURE[1] and blob.is_rectangular and blob.is_a_word and blob.stands
        if blob.height <= _HIGHEST_UP * tall
    ]
