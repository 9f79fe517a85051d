"""Pictures to learn from: strings on backgrounds, among drawn things that are no letters, in 16 bits, and in cines."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from drawn.cines import cine
from drawn.fonts import FONTS
from drawn.strings import BACKGROUNDS, SIZES, Drawn, write

from deid.pixels.flashes import Flashes
from deid.pixels.views import pictures

if TYPE_CHECKING:
    from drawn.shapes import Chance, Plane
    from numpy.typing import NDArray

_MOST_THINGS = 14
_EMPTY = 0.06  # of the pictures have no text
_DEEP = 0.2  # of them are one rendering of 16 bits


def lesson(number: int) -> tuple[Drawn, NDArray[np.uint8]]:
    """Picture `number`, the same for ever: what is on it, and rows x columns x 3 of 8 bits."""
    chance = np.random.default_rng((20261130, number))
    background = BACKGROUNDS[int(chance.integers(len(BACKGROUNDS)))]
    rows, columns = SIZES[int(chance.choice(len(SIZES), p=(0.3, 0.2, 0.15, 0.2, 0.07, 0.08)))]
    values = np.asarray(background(chance, rows, columns), np.float32).clip(0, 255)
    if chance.random() < 0.2:
        values = 255 - values
    if chance.random() < 0.6:
        _things(values, chance)
    made = Drawn(background.__name__, np.ascontiguousarray(values), np.zeros((rows, columns), np.int32))
    deep = values.ndim == 2 and chance.random() < _DEEP
    names = list(FONTS)
    for _ in range(0 if chance.random() < _EMPTY else int(chance.integers(3, 10))):
        font = names[int(chance.integers(len(names)))]
        cap = min(round(float(np.exp(chance.uniform(np.log(7), np.log(60))))), round(0.13 * rows))
        cap = (
            min(max(cap, 14), 35) if font == "dots" else max(cap, 9) if font in ("strokes", "opencv", "heavy") else cap
        )
        faint = ((5.0, 13.0) if chance.random() < 0.3 else (30.0, 255.0)) if deep else None
        turned = int(chance.choice(4, p=(0.7, 0.1, 0.1, 0.1)))
        write(made, chance, font=font, cap=cap, turned=turned, faint=faint)
    if deep:
        stored = np.rint(made.values * chance.uniform(4, 30)).clip(-32768, 32767).astype(np.int16)
        views = pictures(stored)
        return made, views[int(chance.integers(len(views)))]
    return made, made.picture(int(chance.integers(50, 91)) if chance.random() < 0.6 else None)


def still(number: int) -> tuple[Drawn, NDArray[np.uint8]]:
    """Picture `number` out of scenes that move, the same for ever: a frame with text of its own, or such together."""
    return _stills(number // 3)[number % 3]


@cache
def _stills(number: int) -> list[tuple[Drawn, NDArray[np.uint8]]]:
    _stills.cache_clear()  # the next are of the same scene, or none is any more
    made = cine(number)
    flashes = Flashes(0, made.frames[0], lambda frame: np.zeros(frame.shape[:2], np.bool_))
    for each, frame in enumerate(made.frames[1:], 1):
        flashes.add(each, frame)
    shown = [(made.frames[each], [once]) for each, once in list(made.once.items())[:2]]
    shown.append((flashes.found[0].picture, list(made.once.values())))
    return [_with_all(frame, [made.always, *once]) for frame, once in shown]


def _with_all(frame: NDArray[np.uint8], parts: list[Drawn]) -> tuple[Drawn, NDArray[np.uint8]]:
    """A frame, and the strings of several drawings of it."""
    made = Drawn(parts[0].background, frame.astype(np.float32), np.zeros(frame.shape[:2], np.int32))
    for each in parts:
        before = int(made.letters.max())
        made.letters[each.letters > 0] = each.letters[each.letters > 0] + before
        made.strings += [replace(one, letters=tuple(before + letter for letter in one.letters)) for one in each.strings]
    return made, made.picture()


def _things(values: Plane, chance: Chance) -> None:  # noqa: C901, PLR0912 - a case for each kind of thing
    """What machines and people draw over images, and no letter among it."""
    rows, columns = values.shape[:2]
    side = min(rows, columns)
    for _ in range(int(chance.integers(1, _MOST_THINGS))):
        shade = (
            chance.uniform(0, 255, 3)
            if values.ndim > 2 and chance.random() < 0.5
            else np.full(3, chance.uniform(0, 255))
        )
        colour = tuple(map(float, shade[: 3 if values.ndim > 2 else 1]))
        at = int(chance.integers(0, columns)), int(chance.integers(0, rows))
        to = int(chance.integers(0, columns)), int(chance.integers(0, rows))
        wide = int(chance.integers(1, 4))
        size = int(chance.integers(3, max(4, side // 5)))
        match int(chance.integers(0, 14)):
            case 0:
                cv2.line(values, at, to, colour, wide, cv2.LINE_AA)
            case 1:
                cv2.circle(values, at, size, colour, wide if chance.random() < 0.8 else -1, cv2.LINE_AA)
            case 2:
                cv2.rectangle(values, at, (at[0] + 2 * size, at[1] + size), colour, wide)
            case 3:
                cv2.arrowedLine(values, at, (at[0] + size, at[1] + size // 2), colour, wide, cv2.LINE_AA)
            case 4:
                cv2.drawMarker(values, at, colour, int(chance.choice((0, 1, 2, 3, 4))), 2 + size // 3, wide)
            case 5:
                _ruler(values, chance, at, colour)
            case 6:
                _trace(values, chance, at[1], colour, wide)
            case 7:
                _bar(values, chance, at, size)
            case 8:
                axes = size, int(chance.integers(2, size + 1))
                cv2.ellipse(values, at, axes, float(chance.uniform(0, 180)), 0, 360, colour, wide, cv2.LINE_AA)
            case 9:
                _flow(values, chance, at, size)
            case 10:
                _grating(values, chance, at, size)
            case 11:
                _ruler(values, chance, at, colour, dense=True)
            case 12:
                _trace(values, chance, at[1], colour, wide, slice(at[0], at[0] + 4 * size))
            case _:
                _dotted(values, at, to, colour, wide)


def _ruler(
    values: Plane, chance: Chance, at: tuple[int, int], colour: tuple[float, ...], *, dense: bool = False
) -> None:
    """Marks at one distance from each other, every fifth of them longer."""
    step = int(chance.integers(3, 9) if dense else chance.integers(4, 40))
    long, upright = int(chance.integers(3, 14)), chance.random() < 0.5
    for number in range(int(chance.integers(20, 150) if dense else chance.integers(4, 30))):
        reach = long * (2 if number % 5 == 0 else 1)
        begin = (at[0], at[1] + step * number) if upright else (at[0] + step * number, at[1])
        end = (begin[0] + reach, begin[1]) if upright else (begin[0], begin[1] + reach)
        cv2.line(values, begin, end, colour, 1 + int(step > 12))


def _trace(
    values: Plane, chance: Chance, row: int, colour: tuple[float, ...], wide: int, part: slice = slice(None)
) -> None:
    """A curve of beats or breath over the whole picture, or these columns of it."""
    columns = np.arange(values.shape[1])
    period, high = float(chance.uniform(30, 200)), float(chance.uniform(5, 90))
    beat = high * np.exp(-((((columns % period) - period / 2) / chance.uniform(1.5, period / 5)) ** 2))
    beat += chance.uniform(0, high / 3) * np.sin(columns / chance.uniform(5, 40))
    beat += chance.normal(0, chance.uniform(0, 2), len(columns))
    points = np.stack([columns, row - beat], axis=1).round().astype(np.int32)[part]
    if len(points):
        cv2.polylines(values, [points], isClosed=False, color=colour, thickness=wide, lineType=cv2.LINE_AA)


def _flow(values: Plane, chance: Chance, at: tuple[int, int], size: int) -> None:
    """Blood that moves, as Doppler shows it: patches of bright colours, or of grey."""
    patch = values[at[1] : at[1] + size, at[0] : at[0] + 2 * size]
    rows, columns = patch.shape[:2]
    if min(rows, columns) < 16:
        return
    speed = np.asarray(
        cv2.GaussianBlur(chance.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), chance.uniform(1, 5))
    )
    speed = np.asarray(speed / max(1e-6, float(speed.std())), np.float32)
    strong = np.abs(speed)[..., None].clip(0, 2) / 2
    away = chance.random() < 0.5
    towards = np.where(
        speed[..., None] > 0, (255, 90 + 160 * strong[..., 0].mean(), 0), (0, 120, 255) if away else (255, 240, 60)
    )
    there = strong[..., 0] > chance.uniform(0.2, 0.6)
    patch[there] = (towards * (0.4 + 0.6 * strong))[there] if patch.ndim > 2 else (255 * strong[..., 0])[there]


def _grating(values: Plane, chance: Chance, at: tuple[int, int], size: int) -> None:
    """Bars or squares of a pattern for tests."""
    patch = values[at[1] : at[1] + size, at[0] : at[0] + size]
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]] // int(chance.integers(1, 9))
    light, dark = chance.uniform(0, 255, 2)
    bars = {0: x % 2, 1: y % 2, 2: (x + y) % 2}[int(chance.integers(0, 3))]
    shade = np.where(bars > 0, light, dark).astype(np.float32)
    patch[:] = shade if patch.ndim == 2 else shade[..., None]


def _bar(values: Plane, chance: Chance, at: tuple[int, int], size: int) -> None:
    """A scale of greys or of colours."""
    patch = values[at[1] : at[1] + 4 * size, at[0] : at[0] + max(4, size // 3)]
    if patch.size:
        grey = np.linspace(255, 0, patch.shape[0], dtype=np.float32)[:, None]
        patch[:] = grey if patch.ndim == 2 else grey[..., None] * chance.uniform(0.3, 1, 3)


def _dotted(values: Plane, at: tuple[int, int], to: tuple[int, int], colour: tuple[float, ...], wide: int) -> None:
    """A line of dots, as profiles and planned slices are drawn."""
    count = max(2, int(np.hypot(to[0] - at[0], to[1] - at[1]) / 7))
    for part in np.linspace(0, 1, count):
        spot = round(at[0] + part * (to[0] - at[0])), round(at[1] + part * (to[1] - at[1]))
        cv2.circle(values, spot, wide, colour, -1)
