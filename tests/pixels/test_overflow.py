"""What appears in single frames is looked at before it is forgotten, as often as there is no room for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.flashes import Flashes, named

if TYPE_CHECKING:
    import pytest

    from deid.pixels.overflow import Overflow

ROWS, COLUMNS = 96, 160


def strokes(row: int, column: int) -> Any:
    ink = np.zeros((ROWS, COLUMNS), np.bool_)
    ink[row : row + 12, column : column + 40 : 4] = True
    return ink


def page(*inks: Any) -> Any:
    made = np.random.default_rng(5).integers(90, 110, (ROWS, COLUMNS)).astype(np.uint8)
    for ink in inks:
        made[ink] = 250
    return made


def bright(picture: Any) -> Any:
    """Where ink is, and around it."""
    found = np.zeros(picture.shape, np.bool_)
    for row, column in zip(*np.nonzero(picture > 200), strict=True):
        found[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = True
    return found


class Looks:
    """Remembers what it was asked to look at."""

    def __init__(self, find: Any = bright) -> None:
        self.find = find
        self.pictures: list[Any] = []

    def __call__(self, picture: Any) -> Any:
        self.pictures.append(picture.copy())
        return self.find(picture)


def after(frames: Any, looks: Looks) -> Overflow:
    flashes = Flashes(0, frames[0], looks)
    for number, frame in enumerate(frames[1:], 1):
        flashes.add(number, frame)
    flashes.end()
    return flashes.overflow


def test_whatever_stands_in_single_frames_is_seen_whole_in_one_of_the_looks() -> None:
    inks = [strokes(row, column) for column in (8, 100) for row in (4, 36, 68, 20, 52)]
    frames = [page(), *(each for ink in inks for each in (page(ink), page(), page()))]
    looks = Looks()
    overflow = after(frames, looks)
    assert overflow.looks == len(looks.pictures) > 1
    seen = np.any([glimpse.mask for glimpse in overflow.glimpses], axis=0)
    assert all(seen[ink].all() for ink in inks)


def test_a_glimpse_names_the_frames_and_costs_a_fraction_of_them() -> None:
    inks = [strokes(8, 8), strokes(70, 100)]
    frames = [page(), page(), page(inks[0]), page(), page(inks[1]), page(), page(), page(strokes(16, 16)), page()]
    glimpse, *_ = after(frames, Looks()).glimpses
    assert [named(glimpse.numbers, glimpse.mask & ink) for ink in inks] == [{2}, {4}]
    assert np.array_equal(glimpse.mask, bright(page(*inks)))
    assert (len(glimpse.packed) + glimpse.numbers.nbytes) * 5 <= frames[0].nbytes


def test_what_changes_where_text_was_seen_is_no_news() -> None:
    clock = [strokes(40, 40 + number % 2 * 2) for number in range(30)]
    looks = Looks()
    after([page(), *(page(ink) if number % 3 == 0 else page() for number, ink in enumerate(clock))], looks)
    assert len(looks.pictures) == 1


def test_what_is_no_text_is_hardly_looked_at_again_and_text_beside_it_is() -> None:
    def below(picture: Any) -> Any:
        found = bright(picture)
        found[:60] = False
        return found

    frames = [page(strokes(16, 60)) if number % 3 == 1 else page() for number in range(60)]
    looks = Looks(below)
    assert after(frames, looks).glimpses == []
    assert len(looks.pictures) == 1
    ink = strokes(76, 8)
    frames[30][ink] = frames[33][ink] = 250
    (glimpse,) = after(frames, Looks(below)).glimpses
    assert glimpse.mask[ink].all()


def test_noise_and_what_moves_a_little_is_not_looked_at() -> None:
    chance = np.random.default_rng(7)
    frames = chance.integers(90, 110, (40, ROWS, COLUMNS)).astype(np.uint8)
    for number, frame in enumerate(frames):
        frame[20:60, 20 + 3 * number : 30 + 3 * number] = 255
    looks = Looks()
    after(frames, looks)
    assert looks.pictures == []


def test_more_than_is_remembered_is_said_and_ends_the_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    inks = [strokes(row, 8) for row in (4, 22, 40, 58, 76)]
    frames = [page(), *(each for ink in inks for each in (page(ink), page(), page()))]
    looks = Looks()
    assert not after(frames, looks).endless
    assert len(looks.pictures) > 1
    monkeypatch.setattr("deid.pixels.overflow._MOST", 0)
    few = Looks()
    assert after(frames, few).endless
    assert len(few.pictures) == 1
