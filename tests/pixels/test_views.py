"""Renderings in which text can be seen, whatever else a picture holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deid.pixels.views import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stored = NDArray[np.int16]


@pytest.fixture
def noise() -> Stored:
    """1,000 values, all of them often."""
    return np.random.default_rng(5).integers(0, 1000, (200, 200)).astype(np.int16)


def by_value(frame: Stored) -> NDArray[np.uint8]:
    """The first rendering, of one colour."""
    return pictures(frame)[0][:, :, 0]


def test_text_is_brighter_than_the_brightest_noise(noise: Stored) -> None:
    noise[90:100, 50:150] = 1500
    shades = by_value(noise)
    assert int(shades[90:100, 50:150].min()) - int(shades[:90].max()) > 40


@pytest.mark.parametrize("beyond", [(30_000,), (-32_000,), (-32_000, 30_000)])
def test_what_lies_far_off_leaves_the_rest_its_shades(noise: Stored, beyond: tuple[int, ...]) -> None:
    for number, value in enumerate(beyond):
        noise[10 * number] = value
    assert np.ptp(by_value(noise)[100:]) > 160


def test_scattered_values_of_metal_leave_the_rest_a_quarter_of_the_shades(noise: Stored) -> None:
    noise[:10, :80] = 5000 + 31 * np.random.default_rng(6).permutation(800).reshape(10, 80)
    assert np.ptp(by_value(noise)[100:]) > 63


@pytest.mark.parametrize("values", [(0, 1, 4095), (0, 4094, 4095), (-5, -4), (7,)])
def test_few_values_are_far_from_each_other(values: tuple[int, ...]) -> None:
    frame = np.repeat(np.array(values, np.int16), 40).reshape(len(values), 40)
    (picture,) = pictures(frame)
    shades = picture[:, 0, 0].astype(int)
    assert all(np.diff(shades) > 60)
    assert shades[0] == 0
