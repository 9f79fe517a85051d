"""Backgrounds of X-ray, ultrasound, cameras and paper, without text; as those of slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from drawn.shapes import cloud, disc, grid, in_colour, rim, speckle, vessels

if TYPE_CHECKING:
    from drawn.shapes import Chance, Plane


def cr_chest(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 150 + 20 * cloud(chance, rows, columns, 3, 30)
    for side in (-1, 1):
        lung = disc(y, x, (-0.05, 0.42 * side), (0.65, 0.33), 0.1)
        made -= 95 * lung - 35 * lung * vessels(chance, rows, columns, 8, 5)
        for number in range(8):
            made += 22 * rim(y, x, (-0.75 + 0.17 * number, 0.35 * side), (0.22, 0.5), 0.09) * (y > -0.8 + 0.17 * number)
    return made + 60 * disc(y, x, (0.15, 0.12), (0.4, 0.25), 0.1) + chance.normal(0, 3, y.shape)


def cr_hand(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 6 + 50 * disc(y, x, (0.4, 0), (0.5, 0.45), 0.1)
    for number, column in enumerate((-0.45, -0.2, 0.05, 0.3, 0.55)):
        for part in range(4):
            at = 0.4 - 0.33 * part, column * (0.6 + 0.2 * part)
            made += 35 * disc(y, x, at, (0.22, 0.1), 0.15) + 110 * disc(y, x, at, (0.14, 0.035 + 0.004 * number), 0.25)
    return made + 3 * cloud(chance, rows, columns, 40) + chance.normal(0, 3, y.shape)


def cr_pelvis(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 70 + 22 * cloud(chance, rows, columns, 4, 25)
    for side in (-1, 1):
        made += 70 * disc(y, x, (-0.3, 0.5 * side), (0.4, 0.28), 0.15) + 100 * disc(
            y, x, (0.35, 0.55 * side), (0.14, 0.14), 0.1
        )
        made += 80 * disc(y, x, (0.75, 0.62 * side), (0.35, 0.09), 0.2)
    return made + 60 * disc(y, x, (-0.4, 0), (0.6, 0.1), 0.2) + chance.normal(0, 4, y.shape)


def mg(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    edge = x[0, 0]
    breast = disc(y, x, (0, edge), (0.85, 1.1), 0.05)
    strands = vessels(chance, rows, columns, 25, 3)
    made = breast * (70 + 28 * cloud(chance, rows, columns, 5) + 50 * strands) + chance.normal(0, 2, y.shape)
    return made if chance.random() < 0.5 else made[:, ::-1]


def xa_coronary(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 140 + 25 * cloud(chance, rows, columns, 3, 40) - 85 * vessels(chance, rows, columns, 4, 7)
    made = made * disc(y, x, (0, 0), (1.02, 1.02), 0.005) if chance.random() < 0.5 else made
    return made + chance.normal(0, 6, y.shape)


def xa_subtracted(chance: Chance, rows: int, columns: int) -> Plane:
    made = 170 + 4 * cloud(chance, rows, columns, 20) - 130 * vessels(chance, rows, columns, 5, 6)
    return made + chance.normal(0, 7, made.shape)


def rf_swallow(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 110 + 25 * cloud(chance, rows, columns, 4, 20) + 120 * np.exp(-(((x - 0.1 * np.sin(4 * y)) / 0.06) ** 2))
    made *= ((np.abs(y) < 0.9) & (np.abs(x) < 0.8)) + 0.02
    return np.asarray(made + chance.normal(0, 5, y.shape))


def dx_tooth(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 80 + 15 * cloud(chance, rows, columns, 5)
    for column in np.arange(-1.2, 1.3, 0.32):
        for row in (-0.28, 0.28):
            made += 90 * disc(y, x, (row, float(column)), (0.26, 0.12), 0.12)
            made -= 45 * disc(y, x, (row * 1.3, float(column)), (0.12, 0.02), 0.3)
    return made + chance.normal(0, 4, y.shape)


def _sector(chance: Chance, rows: int, columns: int) -> tuple[Plane, Plane]:
    y, x = grid(rows, columns)
    depth, angle = np.hypot(y + 1.0, x), np.arctan2(x, y + 1.0)
    shown = ((depth > 0.15) & (depth < 1.85) & (np.abs(angle) < chance.uniform(0.5, 0.75))).astype(np.float32)
    grain = speckle(chance, rows, columns, 1.6) * np.exp(0.5 * cloud(chance, rows, columns, 5, 15))
    return shown, np.asarray(shown * (55 * grain * (1.3 - 0.4 * depth)), np.float32)


def us_sector(chance: Chance, rows: int, columns: int) -> Plane:
    shown, made = _sector(chance, rows, columns)
    y, x = grid(rows, columns)
    for _ in range(4):
        at = chance.uniform(-0.4, 0.4, 2)
        made *= 1 - 0.9 * disc(y, x, (at[0], at[1]), (0.15, 0.2), 0.1)
    made[:, -14:-6] = np.linspace(255, 0, rows)[:, None]
    return made + 0 * shown


def us_linear(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    layers = np.exp(0.6 * np.sin(14 * y + 0.6 * cloud(chance, rows, columns, 3, 40)))
    made = 60 * speckle(chance, rows, columns, 1.8) * layers * ((np.abs(x) < 0.7) & (np.abs(y) < 0.85))
    return made + 0


def us_doppler(chance: Chance, rows: int, columns: int) -> Plane:
    shown, made = _sector(chance, rows, columns)
    y, x = grid(rows, columns)
    flow = cloud(chance, rows, columns, 6, 8) * disc(y, x, (0.1, 0), (0.3, 0.35), 0.05) * shown
    coloured = in_colour(made, (1, 1, 1)) * (np.abs(flow) < 0.7)[:, :, None]
    return (
        coloured + in_colour((flow - 0.7).clip(0, 1), (255, 120, 0)) + in_colour((-flow - 0.7).clip(0, 1), (0, 90, 255))
    )


def us_spectrum(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    height = 0.6 * np.abs(np.sin(5 * x + chance.uniform(0, 3))) ** 3
    made = 130 * speckle(chance, rows, columns, 1.2) * ((y < 0.5) & (y > 0.5 - height))
    made[int(rows * 0.75) : int(rows * 0.75) + 2] = 200
    made[:: max(8, rows // 12), :8] = 180
    return np.asarray(made + chance.normal(0, 2, y.shape))


def endoscopy(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    shown = disc(y, x, (0, 0), (0.95, 0.95), 0.01)
    grey = shown * (150 - 90 * np.hypot(y, x) + 22 * cloud(chance, rows, columns, 4))
    made = in_colour(grey.clip(0, 255), (1.15, 0.6, 0.5)) - in_colour(
        shown * vessels(chance, rows, columns, 6, 3), (40, 50, 40)
    )
    return made + in_colour(shown * (cloud(chance, rows, columns, 25, 6) > 2.3), (160, 160, 160))


def fundus(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    shown = disc(y, x, (0, 0), (0.96, 0.96), 0.008)
    grey = shown * (150 - 40 * np.hypot(y, x) + 8 * cloud(chance, rows, columns))
    made = in_colour(grey, (1.2, 0.6, 0.25)) - in_colour(shown * vessels(chance, rows, columns, 8, 5), (70, 55, 20))
    return made + in_colour(disc(y, x, (0, 0.4), (0.13, 0.12), 0.1), (80, 90, 60))


def histology(chance: Chance, rows: int, columns: int) -> Plane:
    made = np.full((rows, columns, 3), (236, 205, 226), np.float32)
    made -= in_colour((cloud(chance, rows, columns, 6) + 0.3).clip(0, 2), (18, 55, 25))
    nuclei = np.zeros((rows, columns), np.uint8)
    for _ in range(rows * columns // 900):
        at = int(chance.integers(0, columns)), int(chance.integers(0, rows))
        axes = int(chance.integers(3, 8)), int(chance.integers(3, 6))
        cv2.ellipse(nuclei, at, axes, float(chance.uniform(0, 180)), 0, 360, int(chance.integers(120, 255)), -1)
    return made - in_colour(cv2.GaussianBlur(nuclei, (0, 0), 1).astype(np.float32) / 255, (130, 135, 60))


def skin(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = in_colour(190 + 8 * cloud(chance, rows, columns), (1.1, 0.85, 0.75))
    made -= in_colour(disc(y, x, (0, 0), (0.4, 0.5), 0.15) * (90 + 20 * cloud(chance, rows, columns)), (0.8, 1, 1))
    return made - in_colour(vessels(chance, rows, columns, 10, 1.4), (90, 90, 90))


def noise(chance: Chance, rows: int, columns: int) -> Plane:
    return np.asarray(chance.normal(chance.uniform(40, 200), chance.uniform(4, 25), (rows, columns)), np.float32)


def flat(chance: Chance, rows: int, columns: int) -> Plane:
    return np.full((rows, columns), float(chance.choice((0, 60, 128, 255))), np.float32)


def document(chance: Chance, rows: int, columns: int) -> Plane:
    """A scanned form: lines and frames, nothing written."""
    made = np.asarray(chance.normal(245, 2, (rows, columns)), np.float32)
    for row in range(rows // 8, rows, rows // 8):
        made[row : row + 2, columns // 12 : -columns // 12] = 90
    made[rows // 8 :, columns // 3 : columns // 3 + 2] = 90
    return made


def curve(chance: Chance, rows: int, columns: int) -> Plane:
    """A trace on squared paper."""
    made = np.full((rows, columns, 3), (255, 250, 248), np.float32)
    for step, shade in ((12, 12), (60, 45)):
        made[::step] -= (5, shade, shade)
        made[:, ::step] -= (5, shade, shade)
    at = np.arange(columns)
    beat = np.exp(-((((at % 97) - 40) / 3.0) ** 2)) * 60 - 8 * np.sin(at / 15.0) + chance.normal(0, 1, columns)
    for row in (rows // 4, rows // 2, 3 * rows // 4):
        points = np.stack([at, row - beat], axis=1).round().astype(np.int32)
        cv2.polylines(made, [points], isClosed=False, color=(20, 20, 20), thickness=1, lineType=cv2.LINE_AA)
    return made


PROJECTIONS = (
    cr_chest, cr_hand, cr_pelvis, mg, xa_coronary, xa_subtracted, rf_swallow, dx_tooth, us_sector, us_linear,
    us_doppler, us_spectrum, endoscopy, fundus, histology, skin, noise, flat, document, curve,
)  # fmt: skip
