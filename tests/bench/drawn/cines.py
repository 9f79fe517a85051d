"""Scenes that move, with strings that stay in all frames and strings that stand in a single one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from drawn.fonts import FONTS
from drawn.projections import PROJECTIONS
from drawn.shapes import speckle
from drawn.strings import Drawn, write

if TYPE_CHECKING:
    from drawn.shapes import Chance, Plane
    from numpy.typing import NDArray

FRAMES = 40
SIZE = (480, 640)
_KINDS = (
    "us_sector",
    "us_linear",
    "us_doppler",
    "us_spectrum",
    "xa_coronary",
    "xa_subtracted",
    "rf_swallow",
    "endoscopy",
)
BACKGROUNDS = tuple(each for each in PROJECTIONS if each.__name__ in _KINDS)
_MARGIN = 40  # pixels that motion may bring in


@dataclass(frozen=True, slots=True)
class Cine:
    """Frames x rows x columns (x 3) of 8 bits; what stands in all of them, and what in the frame of a number."""

    background: str
    frames: NDArray[np.uint8]
    always: Drawn
    once: dict[int, Drawn]


def cine(number: int) -> Cine:
    """Cine `number` of the set, the same for ever."""
    chance = np.random.default_rng((20261130, number))
    background = BACKGROUNDS[number % len(BACKGROUNDS)]
    rows, columns = SIZE
    still = np.asarray(background(chance, rows + 2 * _MARGIN, columns + 2 * _MARGIN), np.float32).clip(0, 255)
    beat, reach = chance.uniform(6, 25), chance.uniform(1, 14)
    moved = [_moved(still, chance, frame, beat, reach) for frame in range(FRAMES)]
    always = Drawn(background.__name__, moved[0].copy(), np.zeros(SIZE, np.int32))
    for _ in range(3):
        _write(always, chance)
    ink = always.letters > 0
    numbers = [int(each) for each in chance.choice(np.arange(1, FRAMES - 1), 3, replace=False)]
    once = {}
    for each in numbers:
        drawn = Drawn(background.__name__, moved[each].copy(), always.letters.copy())
        for _ in range(2):
            _write(drawn, chance)
        drawn.letters[ink] = 0
        once[each], moved[each] = drawn, drawn.values
    for values in moved:
        values[ink] = always.values[ink]
    quality = int(chance.integers(70, 96)) if chance.random() < 0.5 else None
    frames = np.array([_coded(values, quality) for values in moved])
    return Cine(background.__name__, frames, always, once)


def _write(drawn: Drawn, chance: Chance) -> None:
    names = [name for name in FONTS if name != "dots"]
    cap = round(float(np.exp(chance.uniform(np.log(10), np.log(40)))))
    write(drawn, chance, font=str(chance.choice(names)), cap=cap, turned=0)


def _moved(still: Plane, chance: Chance, frame: int, beat: float, reach: float) -> Plane:
    phase = 2 * np.pi * frame / beat
    angle, scale = 1.2 * np.sin(phase), 1 + 0.02 * np.sin(phase + 1)
    rows, columns = SIZE
    centre = still.shape[1] / 2, still.shape[0] / 2
    turn = np.asarray(cv2.getRotationMatrix2D(centre, angle, scale), np.float64)
    turn[:, 2] += reach * np.array((np.sin(phase), np.cos(phase))) - _MARGIN
    seen = np.asarray(cv2.warpAffine(still, turn, (columns, rows)), np.float32)
    grain = 0.75 + 0.25 * speckle(chance, rows, columns, 1.2)
    made = seen * (grain[:, :, None] if seen.ndim > 2 else grain)
    return np.asarray(made + chance.normal(0, 2, made.shape), np.float32)


def _coded(values: Plane, quality: int | None) -> NDArray[np.uint8]:
    made = np.rint(values).clip(0, 255).astype(np.uint8)
    if quality is None:
        return made
    encoded = cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8)
