"""What becomes of a text detector's map: blobs, which of them are text, and how large the text is that they mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Map = NDArray[np.float32]
    Picture = NDArray[np.uint8]
    Boxes = NDArray[np.float64]  # n x 4: column, row, width, height
    Witness = Callable[[], Sequence[Map]]

PERHAPS: Final = (0.1, 0.15)
PROBABLY: Final = (0.3, 0.5)
SURE: Final = (0.3, 0.65)
"""Thresholds of the map, and of the mean over a blob. Low ones find faint text; high ones part lines that touch."""
_ELONGATED: Final = 2.5  # what is only perhaps text is at least a word; a ring of bone looks like an O
_UNCLIP: Final = 1.6  # the network marks text shrunk by this ratio of area to circumference
_MOST_GROWTH: Final = 18.0  # pixels of the map; the rim of large letters is no wider
_RECTANGULAR: Final = 0.6
_SMALLEST: Final = 3  # pixels of the map; less is noise
_LINE: Final = 3.0  # times as long as high: letters of any height that stand beside each other
_HIGHEST_ALONE: Final = 0.8  # of what is tall: a single letter that high is a ring
_HIGHEST: Final = 0.35  # of the shorter side of the map: higher than that, a line is a picture
_LARGE: Final = 12  # pixels of the map
_FAINTEST_OF_LARGE: Final = 0.25
_CONFIRMED: Final = 0.4  # mean of a map at another scale over a blob; text has 0.5 and more there
_ROUND_NEEDS: Final = 10  # pixels of the map: a short blob that is as high looks like an organ, and needs a witness
_HIGH_NEEDS: Final = 18  # pixels of the map: the same of blobs of any length
_GAP: Final = 1.6  # of the height: in gaps up to that stand a dash, a colon or a one that the network does not mark
_ALIKE: Final = 1.7  # times as high: no more among letters of one line
_ALIGNED: Final = 0.35  # of the height, between the middles of letters of one line
_WORD: Final = 1.5  # times as long as high: one of two neighbours is at least that
_NARROW: Final = 0.25  # times as long as high: a one
_NEAR: Final = 0.8  # of the height: no farther from a word stands what only another scale shows of its line
_COVERED: Final = 0.97  # of a blob; more of it says nothing new, and its rim is coarser than that of the first map
_SHOWN_BY_ALL: Final = 0.8  # mean of each other map over a word that the first does not show: letters made of dots


@dataclass(frozen=True, slots=True)
class Blob:
    """A connected part of the map above a threshold."""

    contour: NDArray[np.int32]
    centre: tuple[float, float]
    sides: tuple[float, float]
    angle: float
    inside: Picture  # within the rectangle around it
    mean: float

    @property
    def grow(self) -> float:
        """By how much the text is larger on all sides."""
        return min(self.sides[0] * self.sides[1] * _UNCLIP / (2 * sum(self.sides)), _MOST_GROWTH)

    @property
    def short(self) -> float:
        """The shorter side."""
        return min(self.sides)

    @property
    def long(self) -> float:
        """The longer side."""
        return max(self.sides)

    @property
    def height(self) -> float:
        """Of the text."""
        return self.short + 2 * self.grow

    @property
    def is_rectangular(self) -> bool:
        """Whether it fills the rectangle around it, turned as it may be."""
        return cv2.contourArea(self.contour) > _RECTANGULAR * self.sides[0] * self.sides[1]

    def corners(self) -> NDArray[np.int32]:
        """Of the text, where it is rectangular."""
        sides = self.sides[0] + 2 * self.grow, self.sides[1] + 2 * self.grow
        return np.rint(cv2.boxPoints((self.centre, sides, self.angle))).astype(np.int32)

    def mean_of(self, other: Map | Picture) -> float:
        """The mean of another map of the same size over this blob."""
        x, y, width, height = cv2.boundingRect(self.contour)
        return float(cv2.mean(other[y : y + height, x : x + width], self.inside)[0])

    def covered(self, marked: Picture) -> float:
        """Which part of it is marked."""
        return self.mean_of(marked) / 255

    def paint(self, marked: Picture) -> None:
        """Mark the text."""
        if self.is_rectangular:
            cv2.fillPoly(marked, [self.corners()], 255)
        else:
            cv2.drawContours(marked, [self.contour], -1, 255, cv2.FILLED)
            cv2.drawContours(marked, [self.contour], -1, 255, thickness=max(1, round(2 * self.grow)))


def marked_of(found: Map, tall: float, thresholds: Sequence[tuple[float, float]], witness: Witness | None) -> Picture:
    """255 where text is by a map (0 to 1), in which letters are at most so tall unless they stand in a line.

    `witness` gives maps of the same size that were found at other scales; asked only where a blob is doubtful.
    """
    marked: Picture = np.zeros(found.shape, np.uint8)
    words, lone = [], []
    others: Sequence[Map] | None = None
    for threshold, least in thresholds:
        for blob in _blobs(found, threshold):
            if blob.mean < least or _is_a_shade(blob) or not _is_of_a_height(blob, tall, min(found.shape)):
                continue
            if _needs_witness(blob) and witness is not None:
                others = witness() if others is None else others
                if max(map(blob.mean_of, others)) < _CONFIRMED:
                    continue
            if threshold < PROBABLY[0] and blob.long < _ELONGATED * blob.short:
                lone.append(blob)
                continue
            blob.paint(marked)
            if threshold >= PROBABLY[0] and blob.is_rectangular:
                words.append(blob)
    if others is not None:
        more = [blob for blob in _shown_by(others, words, tall) if blob.covered(marked) < _COVERED]
        for blob in more:
            blob.paint(marked)
        words += more
    _join(marked, words, lone)
    return marked


def _blobs(found: Map, threshold: float) -> Iterator[Blob]:
    contours, _ = cv2.findContours((found > threshold).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        centre, sides, angle = cv2.minAreaRect(contour)
        if min(sides) < _SMALLEST:
            continue
        x, y, width, height = cv2.boundingRect(contour)
        inside = np.zeros((height, width), np.uint8)
        cv2.drawContours(inside, [contour - (x, y)], -1, 1, cv2.FILLED)
        mean = float(cv2.mean(found[y : y + height, x : x + width], inside)[0])
        yield Blob(
            np.asarray(contour, np.int32), (centre[0], centre[1]), (sides[0], sides[1]), float(angle), inside, mean
        )


def _is_of_a_height(blob: Blob, tall: float, side: int) -> bool:
    """Whether letters may be so high: there is a limit to what looks like one, and a farther one to what is a line."""
    if blob.height <= tall:
        return blob.long >= _ELONGATED * blob.short or blob.height <= _HIGHEST_ALONE * tall
    in_line = blob.long >= _LINE * blob.short and blob.is_rectangular and blob.mean >= SURE[1]
    return in_line and blob.height <= _HIGHEST * side


def _is_a_shade(blob: Blob) -> bool:
    """Whether a blob is too faint for its size: the larger letters are, the surer the network is."""
    return blob.short >= _LARGE and blob.mean < _FAINTEST_OF_LARGE


def _needs_witness(blob: Blob) -> bool:
    return blob.short >= (_ROUND_NEEDS if blob.long < _ELONGATED * blob.short else _HIGH_NEEDS)


def _shown_by(others: Sequence[Map], words: list[Blob], tall: float) -> list[Blob]:
    """What maps at other scales show beside these words in their lines, and words that all of those maps show."""
    seen = [
        blob
        for other in others
        for blob in _blobs(other, PROBABLY[0])
        if blob.mean >= SURE[1] and blob.is_rectangular and blob.height <= _HIGHEST_ALONE * tall
    ]
    shown = [
        blob
        for blob in seen
        if blob.long >= _ELONGATED * blob.short and min(map(blob.mean_of, others)) >= _SHOWN_BY_ALL
    ]
    for along in ([0, 1, 2, 3], [1, 0, 3, 2]):
        ours, rest = _boxes(words)[:, along], seen
        while rest:  # what continues a line is continued in turn
            theirs = _boxes(rest)[:, along]
            near = np.flatnonzero(_touch(ours, theirs).any(axis=0))
            if not len(near):
                break
            shown += [rest[each] for each in near]
            rest = [rest[each] for each in np.delete(np.arange(len(rest)), near)]
            ours = np.vstack([ours, theirs[near]])
    return shown


def _join(marked: Picture, words: list[Blob], lone: list[Blob]) -> None:
    """Mark what stands between the words of a line, and faint letters beside them."""
    boxes, letters = _boxes(words), _boxes(lone)
    for across in (False, True):
        turned = [1, 0, 3, 2] if across else [0, 1, 2, 3]
        ours, others = boxes[:, turned], letters[:, turned]
        image = marked.T if across else marked
        while len(others):  # a letter beside a word belongs to it, and so does the next one
            beside = np.flatnonzero(_gaps(ours, others).any(axis=0) | _gaps(others, ours).any(axis=1))
            if not len(beside):
                break
            for left, top, width, height in others[beside].astype(int):
                image[max(0, top) : top + height, max(0, left) : left + width] = 255
            ours, others = np.vstack([ours, others[beside]]), np.delete(others, beside, axis=0)
        for one, other in np.argwhere(_gaps(ours, ours)):
            top = int(min(ours[one, 1], ours[other, 1]))
            bottom = int(max(ours[one, 1] + ours[one, 3], ours[other, 1] + ours[other, 3]))
            left, right = int(ours[one, 0] + ours[one, 2]) - 1, int(ours[other, 0]) + 1
            image[max(0, top) : bottom, max(0, left) : right] = 255


def _boxes(blobs: list[Blob]) -> Boxes:
    """Around the text of each."""
    return np.array([cv2.boundingRect(blob.corners()) for blob in blobs], np.float64).reshape(-1, 4)


def _gaps(ones: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """For each of the ones whether each of the others follows it in its line."""
    one, other = ones[:, None, :], others[None, :, :]
    gap = other[..., 0] - one[..., 0] - one[..., 2]
    narrowest = np.minimum(one[..., 2] / one[..., 3], other[..., 2] / other[..., 3])
    near = (gap > 0) & (gap <= _GAP * np.minimum(one[..., 3], other[..., 3]))
    return np.asarray(near & (narrowest >= _NARROW) & _in_line(ones, others))


def _touch(ones: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """For each of the ones whether each of the others is in its line, and near it on either side or over it."""
    one, other = ones[:, None, :], others[None, :, :]
    gap = np.maximum(other[..., 0] - one[..., 0] - one[..., 2], one[..., 0] - other[..., 0] - other[..., 2])
    return np.asarray((gap <= _NEAR * np.minimum(one[..., 3], other[..., 3])) & _in_line(ones, others))


def _in_line(ones: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """For each of the ones whether each of the others may be of one line with it, however far away."""
    one, other = ones[:, None, :], others[None, :, :]
    least = np.minimum(one[..., 3], other[..., 3])
    most = np.maximum(one[..., 3], other[..., 3])
    aside = np.abs(other[..., 1] + other[..., 3] / 2 - one[..., 1] - one[..., 3] / 2)
    longest = np.maximum(one[..., 2] / one[..., 3], other[..., 2] / other[..., 3])
    return np.asarray((most <= _ALIKE * least) & (aside <= _ALIGNED * least) & (longest >= _WORD))
