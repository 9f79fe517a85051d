"""Pictures of what is in single frames: put together of the frames themselves, and naming them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.pixels.flashes import Flash, Flashes

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES, ROWS, COLUMNS = 20, 96, 160


def unseen(picture: Any) -> Any:
    return np.zeros(picture.shape[:2], np.bool_)


def collected(frames: Any, look: Callable[[Any], Any] = unseen) -> Flashes:
    flashes = Flashes(100, frames[0], look)
    for number, frame in enumerate(frames[1:], 101):
        flashes.add(number, frame)
    return flashes


def noise(kind: Any = np.uint8) -> Any:
    return np.random.default_rng(5).integers(90, 110, (FRAMES, ROWS, COLUMNS)).astype(kind)


def strokes(*, row: int, column: int) -> Any:
    ink = np.zeros((ROWS, COLUMNS), np.bool_)
    ink[row : row + 12, column : column + 40 : 4] = True
    return ink


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int32])
@pytest.mark.parametrize("number", [0, 1, 7, FRAMES - 1])
def test_what_is_in_one_frame_is_shown_with_what_is_around_it(number: int, kind: Any) -> None:
    frames, ink = noise(kind), strokes(row=40, column=60)
    frames[:, :, 100:] = 250  # lighter than the letters
    frames[number][ink] = 160
    flashes = collected(frames)
    assert len(flashes.found) == 3
    first = flashes.found[0]
    assert first.picture.dtype == kind
    around = np.s_[36:56, 56:104]
    assert np.array_equal(first.picture[around], frames[number][around])
    assert first.frames(ink) == {100 + number}


def test_frames_in_which_something_goes_come_after_those_in_which_it_comes() -> None:
    frames, ink, other = noise(), strokes(row=20, column=20), strokes(row=20, column=20)
    frames[4:9, ink] = 200
    frames[13:15, other] = 30
    flashes = collected(frames)
    assert flashes.found[0].frames(ink) | flashes.found[1].frames(ink) == {104, 113}


def test_what_moves_appears_nowhere() -> None:
    frames, ink = noise(), strokes(row=60, column=100)
    for number in range(FRAMES):
        frames[number, :, 20 + 3 * number : 30 + 3 * number] = 255
    frames[10][ink] = 160
    assert collected(frames).found[0].frames(ink) == {110}


def test_what_changes_in_every_frame_hides_nothing() -> None:
    frames, ink = noise(), strokes(row=60, column=100)
    frames[::2], frames[1::2] = 0, 250
    frames[10][ink] = 125
    assert 110 in set.union(*(flash.frames(ink) for flash in collected(frames).found))


def test_colours_are_told_apart() -> None:
    frames, ink = np.repeat(noise()[..., None], 3, axis=3), strokes(row=60, column=100)
    frames[10][ink] = (160, 100, 60)
    flashes = collected(frames)
    assert flashes.found[0].frames(ink) == {110}
    assert np.array_equal(flashes.found[0].picture[ink], frames[10][ink])


def test_a_scene_of_one_frame_has_none() -> None:
    assert Flashes(0, noise()[0], unseen).found == []


@pytest.mark.parametrize("kind", ["u1", "i2", ">u2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_cells_of_two_pictures_are_exchanged(kind: str, colours: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    one, other = ((rng.random((40, 33, *colours)) * 100).astype(kind) for _ in range(2))
    cells = rng.random((5, 4)) > 0.5
    there = cv2.resize(cells.view(np.uint8), (33, 40), interpolation=cv2.INTER_NEAREST) > 0
    where = there[..., None] if colours else there
    ones, others = (
        Flash(np.full((5, 4), number, np.float32), np.full((5, 4), number, np.int32), picture.copy())
        for number, picture in ((1, one), (2, other))
    )
    ones.exchange(others, cells)
    for flash, mine, theirs, number in ((ones, one, other, 1), (others, other, one, 2)):
        assert np.array_equal(flash.picture, np.where(where, theirs, mine))
        assert np.array_equal(flash.numbers, np.where(cells, 3 - number, number))
        assert np.array_equal(flash.appears, np.where(cells, 3 - number, number))
