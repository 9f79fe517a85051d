"""A fixed part of the drawn set: legible text is covered, little else is masked; the whole set is a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drawn.cines import cine
from drawn.projections import curve
from drawn.strings import BACKGROUNDS, deep, drawn

from deid.pixels import detector, marks
from deid.pixels.search import scenes
from deid.pixels.views import pictures

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WITH_TEXT = range(1, 34, 4)
DEEP = (0, 1, 2, 40, 56)  # in the last two, text stands out from what is bright by values that do not occur
SHOWN_BY_OTHERS = (3018, 3019, 3037, 3052)
"""Pictures with a string that the network shows in part, or not at all, at its first scale."""
SHOWN_WHEN_TURNED = (106, 3025, 3057)
"""Pictures with an upright line of large letters that the network shows only when they are turned."""
GOING_ON = (121, 3045)
"""Pictures with a line of which the network shows but a part, whatever the scale."""
OF_DOTS = (12, 5064, 5129)
"""Pictures with a line of dots that run together only in a smeared picture."""
TOLD_BY_ALL = (7032, 7168, 7202, 7216)
"""Pictures with large letters among stained cells and slices, of which the looks must be seen together."""
CUT_SHORT = (5100, 6018, 6128, 15143, 15271)
"""Pictures with a line of whose last letter the network shows too little."""
LIKE_TEXT_LATER = (8, 3000, 3034)
"""Pictures of many slices that look like letters, once the text between them is masked."""


@dataclass(frozen=True, slots=True)
class Tally:
    all: float
    legible: float
    away: float


@cache
def tally(text_mask: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]) -> Tally:
    every, legible, away = [], [], []
    for number in WITH_TEXT:
        made, quality = drawn(number)
        mask = text_mask(made.picture(quality))
        found = made.covered(mask)
        every += found
        legible += [each for each, string in zip(found, made.strings, strict=True) if string.legible]
        away.append(made.away(mask))
    return Tally(float(np.mean(every)), float(np.mean(legible)), float(np.mean(away)))


def test_the_set_is_the_same_for_ever() -> None:
    (one, quality), (other, _) = drawn(7), drawn(7)
    assert np.array_equal(one.picture(quality), other.picture(quality))
    assert len(BACKGROUNDS) >= 25
    assert len(one.strings) == 6
    everything, nothing = np.ones(one.letters.shape, np.bool_), np.zeros(one.letters.shape, np.bool_)
    assert all(one.covered(everything))
    assert not any(one.covered(nothing))
    assert one.away(everything) > 0.3
    for string in one.strings:  # one letter that can be read is enough to lose the string
        assert not one.covered(one.letters != string.letters[-1])[one.strings.index(string)]


def test_strict_covers_what_is_legible_and_little_else() -> None:
    found = tally(detector.text_mask)
    assert found.legible >= 0.998
    assert found.all >= 0.99
    assert found.away <= 0.008


@pytest.mark.parametrize(
    "number", [*SHOWN_BY_OTHERS, *SHOWN_WHEN_TURNED, *GOING_ON, *OF_DOTS, *TOLD_BY_ALL, *CUT_SHORT]
)
def test_a_line_that_one_look_does_not_show_is_covered(number: int) -> None:
    made, quality = drawn(number)
    mask = detector.text_mask(made.picture(quality))
    assert all(made.covered(mask))
    assert made.away(mask) <= 0.05


@pytest.mark.parametrize("number", LIKE_TEXT_LATER)
def test_what_looks_like_text_only_when_the_text_is_masked_stays(
    number: int, opened: Callable[..., Any], drawing: Any
) -> None:
    made, quality = drawn(number)
    picture = made.picture(quality)
    mask = detector.text_mask(picture)
    hidden = picture.copy()
    hidden[mask] = 0
    assert made.away(detector.text_mask(hidden, sure=True)) > 0.05
    (scene,) = scenes(opened(drawing.dataset(picture[None, ..., 0])).frames, None)
    assert made.away(scene.mask) < 0.02
    assert made.covered(scene.mask) == made.covered(mask)


def test_traces_on_squared_paper_are_no_text_though_one_look_takes_them_for_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = curve(np.random.default_rng(1), 480, 640).clip(0, 255).astype(np.uint8)
    assert not detector.text_mask(page).any()
    monkeypatch.setattr(marks, "_TRACE", 0.0)
    assert detector.text_mask(page).mean() > 0.2


def test_traces_stay_when_the_text_beside_them_is_masked(opened: Callable[..., Any], drawing: Any) -> None:
    made, quality = drawn(16013)
    (scene,) = scenes(opened(drawing.dataset(made.picture(quality)[None], "RGB")).frames, None)
    assert all(made.covered(scene.mask))
    assert made.away(scene.mask) < 0.01  # of the traces alone it would be a quarter


def test_fast_covers_most() -> None:
    found = tally(detector.in_haste)
    assert found.legible >= 0.98
    assert found.all >= 0.95
    assert found.away <= 0.04


def test_text_of_16_bits_is_covered_however_narrow_its_window() -> None:
    found = []
    for number in DEEP:
        made, values = deep(number)
        found += made.covered(np.any([detector.text_mask(each) for each in pictures(values)], axis=0))
    assert len(found) >= 10
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("number", [4, 9, 12, 14, 17])
def test_text_of_a_cine_is_covered_in_all_frames_and_in_single_ones(
    number: int, opened: Callable[..., Any], drawing: Any
) -> None:
    made = cine(number)
    photometric = "RGB" if made.frames.ndim > 3 else "MONOCHROME2"
    found_scenes = list(scenes(opened(drawing.dataset(made.frames, photometric)).frames, None))
    # Scene 17 has something in every fourth of its frames alone, or nearly so: then each of them is searched.
    assert len(found_scenes) in ((1, len(made.frames)) if number == 17 else (1,))
    assert all(all(made.always.covered(scene.mask)) for scene in found_scenes)
    for number_of_frame, drawn_once in made.once.items():
        (scene,) = (scene for scene in found_scenes if scene.first <= number_of_frame < scene.after)
        covered = drawn_once.covered(scene.mask)
        assert all(found for found, each in zip(covered, drawn_once.strings, strict=True) if each.legible)
