"""Backgrounds of CT, MR, NM and PT, without text: grey from 0 to 255, or rows x columns x 3 where they are coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from drawn.shapes import cloud, disc, grid, in_colour, rim, vessels

if TYPE_CHECKING:
    from drawn.shapes import Chance, Plane


def ct_head(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    half = chance.uniform(0.7, 0.85), chance.uniform(0.55, 0.7)
    brain = disc(y, x, (0, 0), half) * (90 + 5 * cloud(chance, rows, columns))
    holes = disc(y, x, (-0.1, -0.12), (0.25, 0.07)) + disc(y, x, (-0.1, 0.12), (0.25, 0.07))
    return brain - 40 * holes + 165 * rim(y, x, (0, 0), half, 0.05) + chance.normal(0, 3, y.shape)


def ct_chest(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    body = disc(y, x, (0, 0), (0.68, 0.92)) * (120 + 6 * cloud(chance, rows, columns))
    for side in (-1, 1):
        lung = disc(y, x, (-0.05, 0.45 * side), (0.45, 0.3))
        body = body * (1 - lung) + lung * (14 + 150 * vessels(chance, rows, columns, 9, 4))
        body += 120 * rim(y, x, (0, 0.42 * side), (0.56, 0.4), 0.035) * (cloud(chance, rows, columns, 5, 20) > 0.2)
    body += 110 * disc(y, x, (0.38, 0), (0.13, 0.12)) - 70 * disc(y, x, (0.4, 0), (0.05, 0.06))
    return body + chance.normal(0, 5, y.shape)


def ct_abdomen(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    body = disc(y, x, (0, 0), (0.66, 0.9)) * 70
    for _ in range(14):
        at, half = chance.uniform(-0.5, 0.5, 2), chance.uniform(0.06, 0.3, 2)
        body += (
            disc(y, x, (at[0] * 0.8, at[1] * 1.2), (half[0], half[1]))
            * disc(y, x, (0, 0), (0.58, 0.82))
            * chance.uniform(-30, 70)
        )
    body += 130 * disc(y, x, (0.36, 0), (0.12, 0.13))
    return body + 4 * cloud(chance, rows, columns) + chance.normal(0, 6, y.shape)


def ct_bone(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 40 * disc(y, x, (0, 0), (0.7, 0.8))
    for _ in range(5):
        at, half = chance.uniform(-0.45, 0.45, 2), chance.uniform(0.08, 0.22, 2)
        made += 190 * rim(y, x, (at[0], at[1]), (half[0], half[1]), 0.12)
        made += disc(y, x, (at[0], at[1]), (half[0], half[1])) * (60 + 25 * cloud(chance, rows, columns, 60))
    return made + chance.normal(0, 4, y.shape)


def ct_phantom(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 110 * disc(y, x, (0, 0), (0.8, 0.8), 0.01)
    for turn in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        made += chance.uniform(-90, 120) * disc(y, x, (0.55 * np.sin(turn), 0.55 * np.cos(turn)), (0.07, 0.07), 0.03)
    return made + chance.normal(0, 8, y.shape)


def mr_brain(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    half = chance.uniform(0.65, 0.8), chance.uniform(0.5, 0.65)
    folds = np.tanh(2.5 * cloud(chance, rows, columns, 9, 12))
    made = disc(y, x, (0, 0), half) * (110 + 45 * folds) + 120 * rim(
        y, x, (0, 0), (half[0] * 1.15, half[1] * 1.15), 0.05
    )
    return np.asarray(made - 60 * disc(y, x, (0, 0), (0.22, 0.1)) + np.abs(chance.normal(0, 6, y.shape)))


def mr_spine(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 50 + 25 * cloud(chance, rows, columns) + 30 * np.exp(-(((x - 0.2) / 0.5) ** 2))
    for number in range(9):
        at = -0.95 + 0.22 * number, 0.12 * np.sin(number / 2.5)
        block = np.maximum(np.abs(y - at[0]) / 0.085, np.abs(x - at[1]) / 0.15)
        made += chance.uniform(70, 100) / (1 + np.exp((block - 1) / 0.06).clip(0, 1e6))
    made += 110 * np.exp(-(((x - 0.27) / 0.05) ** 2))
    return np.asarray(made + np.abs(chance.normal(0, 5, y.shape)))


def mr_knee(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 60 * disc(y, x, (0, 0), (0.98, 0.6)) * (1 + 0.3 * cloud(chance, rows, columns))
    made += 130 * disc(y, x, (-0.5, 0), (0.42, 0.36)) + 125 * disc(y, x, (0.55, 0), (0.45, 0.34))
    made -= 90 * disc(y, x, (0.02, -0.15), (0.03, 0.14)) + 80 * rim(y, x, (-0.5, 0), (0.44, 0.38), 0.03)
    return made + np.abs(chance.normal(0, 6, y.shape))


def mr_mosaic(chance: Chance, rows: int, columns: int) -> Plane:
    """Many slices in one image, as an EPI sequence stores them."""
    tiles = int(chance.integers(5, 8))
    size = rows // tiles, columns // tiles
    made = np.zeros((rows, columns), np.float32)
    for number in range(tiles * tiles - int(chance.integers(0, tiles))):
        tile = cv2.resize(mr_brain(chance, 128, 128), size[::-1], interpolation=cv2.INTER_AREA)
        row, column = number // tiles * size[0], number % tiles * size[1]
        made[row : row + size[0], column : column + size[1]] = tile * chance.uniform(0.6, 0.9)
    return made


def mr_body(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    fade = np.exp(-(y**2 + x**2) / 1.6)
    made = disc(y, x, (0, 0), (0.75, 0.92)) * (100 + 35 * cloud(chance, rows, columns, 6)) * fade
    made += 150 * rim(y, x, (0, 0), (0.74, 0.9), 0.05) * fade
    return made + np.abs(chance.normal(0, 12, y.shape))


def nm_bones(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    rate = 1.5 * disc(y, x, (0, 0), (0.95, 0.28)) + 6 * disc(y, x, (0, 0), (0.85, 0.03))
    for number in range(8):
        rate += 3 * rim(y, x, (-0.55 + 0.1 * number, 0), (0.05, 0.2), 0.12)
    counts = chance.poisson(np.clip(rate, 0, None) * chance.uniform(0.5, 2))
    made = np.asarray(cv2.GaussianBlur(counts.astype(np.float32), (0, 0), 1.2) * 22, np.float32)
    return 255 - made if chance.random() < 0.5 else made


def nm_heart(chance: Chance, rows: int, columns: int) -> Plane:
    """Uptake in a coloured scale, a few slices beside each other."""
    y, x = grid(rows, columns)
    made = np.zeros(y.shape, np.float32)
    for column in (-0.6, 0, 0.6):
        for row in (-0.5, 0.5):
            made += rim(y, x, (row, column), (0.2, 0.17), 0.3) * chance.uniform(0.6, 1)
    made += 0.05 * cloud(chance, rows, columns, 20)
    shades = cv2.applyColorMap((made.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_HOT)
    return np.asarray(shades[:, :, ::-1], np.float32)


def pt_whole(chance: Chance, rows: int, columns: int) -> Plane:
    y, x = grid(rows, columns)
    made = 60 * disc(y, x, (0, 0), (0.95, 0.3), 0.1) * (1 + 0.2 * cloud(chance, rows, columns))
    for at, half, much in (
        ((-0.8, 0), 0.12, 150),
        ((-0.2, 0.05), 0.1, 90),
        ((0.2, 0.1), 0.07, 90),
        ((0.45, 0), 0.08, 190),
    ):
        made += much * disc(y, x, at, (half, half), 0.2)
    return 255 - np.clip(made, 0, 255) + chance.normal(0, 3, y.shape)


def pt_fused(chance: Chance, rows: int, columns: int) -> Plane:
    grey = ct_abdomen(chance, rows, columns) * 0.7
    heat = (cloud(chance, rows, columns, 4, 30) - 0.8).clip(0, 1.5) * disc(*grid(rows, columns), (0, 0), (0.6, 0.8))
    return in_colour(grey, (1, 1, 1)) + in_colour(heat, (150, 70, 0))


SLICES = (
    ct_head, ct_chest, ct_abdomen, ct_bone, ct_phantom, mr_brain, mr_spine, mr_knee, mr_mosaic, mr_body,
    nm_bones, nm_heart, pt_whole, pt_fused,
)  # fmt: skip
