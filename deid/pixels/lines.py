"""Lines of text: what stands between the words of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.blobs import Blob, Picture

    Boxes = NDArray[np.float64]  # n x 4: column, row, width, height

_GAP: Final = 1.6  # of the height: in gaps up to that stand a dash, a colon or a one that the network does not mark
_ALIKE: Final = 1.7  # times as high: no more among letters of one line
_ALIGNED: Final = 0.35  # of the height, between the middles of letters of one line
_WORD: Final = 1.5  # times as long as high: one of two neighbours is at least that
_NARROW: Final = 0.25  # times as long as high: a one


def join(marked: Picture, words: Sequence[Blob], lone: Sequence[Blob]) -> None:
    """Mark what stands between the words of a line, and faint letters beside them."""
    boxes, letters = boxes_around(words), boxes_around(lone)
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


def boxes_around(blobs: Sequence[Blob]) -> Boxes:
    """Around the text of each."""
    return np.array([cv2.boundingRect(blob.corners()) for blob in blobs], np.float64).reshape(-1, 4)


def _gaps(ones: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """For each of the ones whether each of the others follows it in its line."""
    one, other = ones[:, None, :], others[None, :, :]
    gap = other[..., 0] - one[..., 0] - one[..., 2]
    narrowest = np.minimum(one[..., 2] / one[..., 3], other[..., 2] / other[..., 3])
    near = (gap > 0) & (gap <= _GAP * np.minimum(one[..., 3], other[..., 3]))
    return np.asarray(near & (narrowest >= _NARROW) & _in_line(ones, others))


def _in_line(ones: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """For each of the ones whether each of the others may be of one line with it, however far away."""
    one, other = ones[:, None, :], others[None, :, :]
    least = np.minimum(one[..., 3], other[..., 3])
    most = np.maximum(one[..., 3], other[..., 3])
    aside = np.abs(other[..., 1] + other[..., 3] / 2 - one[..., 1] - one[..., 3] / 2)
    longest = np.maximum(one[..., 2] / one[..., 3], other[..., 2] / other[..., 3])
    return np.asarray((most <= _ALIKE * least) & (aside <= _ALIGNED * least) & (longest >= _WORD))
