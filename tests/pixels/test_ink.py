"""Letters beside those of their line that are known: wherever the line goes, and no farther."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from deid.pixels.blobs import blobs_of
from deid.pixels.ink import draw_out, go_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

ROWS, COLUMNS = 200, 400
LINE = slice(88, 112)  # rows of the letters, and what is known of them
KNOWN = slice(150, 230)  # columns


@pytest.fixture
def page() -> Picture:
    """Grain in grey, and nothing else."""
    return np.random.default_rng(3).normal(90, 4, (ROWS, COLUMNS)).clip(0, 255).astype(np.uint8)


def written(page: Picture, shade: int, text: str = "MARIGOLD 1956") -> NDArray[np.bool_]:
    """Where the ink of a line is that begins left of what is known, and ends right of it."""
    ink = np.zeros(page.shape, np.uint8)
    cv2.putText(ink, text, (60, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2)
    page[ink > 0] = shade
    return ink > 0


def marked(page: Picture, turned: int = 0) -> NDArray[np.bool_]:
    """Where a line is said to go on, in a page turned by so many quarters."""
    known = np.zeros(page.shape, np.uint8)
    known[LINE, KNOWN] = 1
    box = np.array([cv2.boundingRect(np.ascontiguousarray(np.rot90(known, turned)))], np.float64)
    found = np.zeros(np.rot90(page, turned).shape, np.uint8)
    go_on(found, np.ascontiguousarray(np.rot90(page, turned)), box)
    return np.rot90(found, -turned) > 0


@pytest.mark.parametrize("shade", [20, 125, 240])
@pytest.mark.parametrize("turned", range(4))
def test_a_line_is_followed_both_ways_to_its_ends(page: Picture, shade: int, turned: int) -> None:
    ink = written(page, shade)
    found = marked(page, turned)
    assert found[:, : KNOWN.start][ink[:, : KNOWN.start]].mean() > 0.9
    assert found[:, KNOWN.stop :][ink[:, KNOWN.stop :]].mean() > 0.9
    columns = np.flatnonzero(ink.any(axis=0))
    assert not found[:, : columns[0]].any()
    assert not found[:, columns[-1] + 1 :].any()


def test_a_ruled_line_is_none_of_letters(page: Picture) -> None:
    written(page, 240, "    RIGO")
    page[99:102] = 240
    assert not marked(page)[:, 280:].any()


def test_what_is_written_on_other_things_is_not_followed(page: Picture) -> None:
    written(page, 240)
    page[60:140:8] = 240
    assert not marked(page).any()


def test_beside_faint_ink_nothing_is_ink(page: Picture) -> None:
    written(page, 95)
    assert not marked(page).any()


def test_a_word_at_the_rim_has_nothing_beyond(page: Picture) -> None:
    page[0:24, 0:60:6] = 240
    found = np.zeros(page.shape, np.uint8)
    go_on(found, page, np.array([[-4.0, -3.0, 70.0, 26.0]]))
    go_on(found, page, np.empty((0, 4)))
    assert not found.any()


@pytest.mark.parametrize("turned", range(4))
def test_a_word_is_drawn_out_where_something_stands_at_its_ends(turned: int) -> None:
    page = np.full((ROWS, COLUMNS), 90, np.uint8)
    page[LINE, KNOWN.stop + 9 : KNOWN.stop + 12] = 200
    known = np.zeros(page.shape, np.float32)
    known[LINE, KNOWN] = 1
    shown = np.ascontiguousarray(np.rot90(known, turned))
    seen = np.ascontiguousarray(np.rot90(page, turned))
    (word,) = blobs_of(shown, 0.3)
    found = np.zeros(shown.shape, np.uint8)
    word.paint(found)
    painted = int(found.sum())
    draw_out(found, np.full_like(seen, 90), [word])
    assert int(found.sum()) == painted
    draw_out(found, seen, [word])
    columns = np.flatnonzero(np.rot90(found, -turned).any(axis=0))
    assert columns[-1] >= KNOWN.stop + 12
    assert columns[-1] < KNOWN.stop + 20
