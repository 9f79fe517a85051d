"""What backgrounds are made of: bodies, vessels, grain; drawn by numbers, so that nothing of it is a letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.floating[Any]]
    Chance = np.random.Generator


def grid(rows: int, columns: int) -> tuple[Plane, Plane]:
    """Row and column of each pixel, from -1 to 1 along the shorter side."""
    side = min(rows, columns) / 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    return (y - rows / 2) / side, (x - columns / 2) / side


def cloud(chance: Chance, rows: int, columns: int, coarse: float = 8, fine: float = 2) -> Plane:
    """Grain of all sizes between `coarse` and `fine` parts of the shorter side in pixels; mean 0, deviation 1."""
    made = np.zeros((rows, columns), np.float32)
    size, weight = min(rows, columns) / coarse, 1.0
    while size >= fine:
        small = chance.standard_normal((int(rows / size) + 3, int(columns / size) + 3)).astype(np.float32)
        large = cv2.resize(small, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        made += weight * large[:rows, :columns]
        size, weight = size / 2, weight * 0.6
    return np.asarray((made - made.mean()) / made.std(), np.float32)


def disc(y: Plane, x: Plane, at: tuple[float, float], half: tuple[float, float], soft: float = 0.04) -> Plane:
    """1 inside an ellipse around `at` (row, column), 0 outside, with a soft rim."""
    distance = np.hypot((y - at[0]) / half[0], (x - at[1]) / half[1])
    return np.asarray(1 / (1 + np.exp(np.clip((distance - 1) / soft, -30, 30))), np.float32)


def rim(y: Plane, x: Plane, at: tuple[float, float], half: tuple[float, float], thick: float) -> Plane:
    """1 on the line of an ellipse."""
    distance = np.hypot((y - at[0]) / half[0], (x - at[1]) / half[1])
    return np.asarray(np.exp(-(((distance - 1) / thick) ** 2)), np.float32)


def vessels(chance: Chance, rows: int, columns: int, trunks: int, width: float) -> Plane:
    """Branching lines that become thinner, 0 to 1."""
    made = np.zeros((rows, columns), np.uint8)
    begun = [
        (chance.uniform(0, rows), chance.uniform(0, columns), chance.uniform(0, 2 * np.pi), width)
        for _ in range(trunks)
    ]
    while begun:
        row, column, course, wide = begun.pop()
        for _ in range(int(chance.integers(12, 40))):
            course += chance.normal(0, 0.22)
            ahead = row + 9 * np.sin(course), column + 9 * np.cos(course)
            ends = [tuple(int(16 * each) for each in point[::-1]) for point in ((row, column), ahead)]
            cv2.line(made, ends[0], ends[1], 255, max(1, round(wide)), cv2.LINE_AA, 4)
            row, column = ahead
            if wide > 1.5 and chance.random() < 0.09:
                begun.append((row, column, course + chance.choice((-0.7, 0.7)), wide * 0.6))
            wide *= 0.985
    return np.asarray(cv2.GaussianBlur(made, (0, 0), 0.8) / 255.0, np.float32)


def speckle(chance: Chance, rows: int, columns: int, size: float) -> Plane:
    """Interference of echoes, compressed as machines show it: brightness that multiplies, mean 1."""
    real, other = (
        cv2.GaussianBlur(chance.standard_normal((rows, columns)).astype(np.float32), (0, 0), size) for _ in range(2)
    )
    made = np.sqrt(np.hypot(real, other))
    return np.asarray(made / made.mean(), np.float32)


def in_colour(grey: Plane, colour: tuple[float, float, float]) -> Plane:
    """Rows x columns x 3 of one hue."""
    return np.asarray(grey[:, :, None] * np.array(colour, np.float32), np.float32)
