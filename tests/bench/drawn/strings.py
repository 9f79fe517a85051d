"""Strings on backgrounds, each letter known, and what of them a mask covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from drawn.fonts import CHARACTERS, FONTS
from drawn.projections import PROJECTIONS
from drawn.slices import SLICES

if TYPE_CHECKING:
    from drawn.shapes import Chance, Plane
    from numpy.typing import NDArray

BACKGROUNDS = (*SLICES, *PROJECTIONS)
SIZES = ((512, 512), (480, 640), (768, 768), (600, 800), (1024, 1024), (256, 256))
COVERED = 0.9  # of the ink of every letter
FAINTEST = 30  # grey levels between letters and what is around them
LEGIBLE = 4  # times the deviation of what is around them
AWAY = 20  # pixels from any ink
_APART = 14  # pixels between strings
_WORDS = ("ID", "DOB", "MRN", "ACC", "NAME", "TE", "KV", "SE", "IM", "DR")


@dataclass(frozen=True, slots=True)
class Written:
    """One string: the numbers of its letters in the picture, and how it is drawn."""

    letters: tuple[int, ...]
    font: str
    cap: int
    turned: int
    contrast: float
    noise: float

    @property
    def legible(self) -> bool:
        return self.font != "dots" and self.contrast >= LEGIBLE * self.noise


@dataclass(slots=True)
class Drawn:
    """A picture (values as drawn, 0 to 255 and beyond), which letter each pixel belongs to, and the strings."""

    background: str
    values: Plane
    letters: NDArray[np.int32]
    strings: list[Written] = field(default_factory=list)

    def covered(self, mask: NDArray[np.bool_]) -> list[bool]:
        """For each string whether every one of its letters is."""
        ink = np.bincount(self.letters.ravel())
        masked = np.bincount(self.letters[mask], minlength=len(ink))
        return [all(masked[each] >= COVERED * ink[each] for each in string.letters) for string in self.strings]

    def away(self, mask: NDArray[np.bool_]) -> float:
        """Which part of the image is masked, and far from all letters."""
        near = cv2.dilate((self.letters > 0).astype(np.uint8), np.ones((2 * AWAY + 1, 2 * AWAY + 1), np.uint8))
        return float((mask & (near == 0)).mean())

    def picture(self, quality: int | None = None) -> NDArray[np.uint8]:
        """Rows x columns x 3 of 8 bits, after JPEG of that quality."""
        made = np.rint(self.values).clip(0, 255).astype(np.uint8)
        if quality is not None:
            turned = made[..., ::-1] if made.ndim > 2 else made  # OpenCV begins with blue
            encoded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            kind = cv2.IMREAD_COLOR if made.ndim > 2 else cv2.IMREAD_GRAYSCALE
            decoded = np.asarray(cv2.imdecode(encoded, kind), np.uint8)
            made = decoded[..., ::-1] if made.ndim > 2 else decoded
        return np.ascontiguousarray(made if made.ndim > 2 else np.repeat(made[:, :, None], 3, axis=2))


def said(chance: Chance) -> str:
    """Something as it stands on images: names, numbers, dates, labels."""
    word = "".join(chance.choice(list(each)) for each in ("BDGKLMNRSTVWZ", "AEIOU", "LMNRSTXPHCJQFY", "AEIOU", "LNRST"))
    number = "".join(str(chance.integers(0, 10)) for _ in range(chance.integers(4, 9)))
    day = f"{chance.integers(1, 29):02}.{chance.integers(1, 13):02}.{chance.integers(1930, 2020)}"
    form = int(chance.integers(0, 6))
    return (
        f"{word}^{word[2:]}A",
        f"{chance.choice(_WORDS)}: {number}",
        day,
        f"{word} {day[6:]}",
        f"{number[:3]}-{number[3:]}",
        "".join(chance.choice(list(CHARACTERS)) for _ in range(chance.integers(3, 13))),
    )[form]


def lightness(values: Plane) -> Plane:
    return values if values.ndim == 2 else np.asarray(values @ np.array((0.299, 0.587, 0.114), np.float32))


def write(
    drawn: Drawn, chance: Chance, *, font: str, cap: int, turned: int, faint: tuple[float, float] | None = None
) -> bool:
    """One more string where there is room for it; whether there was. `faint`: parts of 255 that it stands out by."""
    lines = [np.rot90(each, turned) for each in FONTS[font](said(chance), cap)]
    height, width = lines[0].shape
    rows, columns = drawn.letters.shape
    if height >= rows - 8 or width >= columns - 8:
        return False
    for _ in range(40):
        top, left = int(chance.integers(2, rows - height - 2)), int(chance.integers(2, columns - width - 2))
        if chance.random() < 0.5:  # beside what is shown, as most text stands
            top = int(chance.choice((2, rows - height - 2)))
        place = slice(top, top + height), slice(left, left + width)
        around = slice(max(0, top - _APART), top + height + _APART), slice(max(0, left - _APART), left + width + _APART)
        if drawn.letters[around].any():
            continue
        known = _inked(drawn.values[place].copy(), np.sum(lines, axis=0).clip(0, 1), chance, faint)
        if known is None:
            continue
        values, contrast, noise = known
        begin = int(drawn.letters.max()) + 1
        for number, line in enumerate(lines):
            drawn.letters[place][line > 0.5] = begin + number
        drawn.values[place] = values
        letters = tuple(each for each in range(begin, begin + len(lines)) if (drawn.letters[place] == each).any())
        drawn.strings.append(Written(letters, font, cap, turned, contrast, noise))
        return True
    return False


def _inked(
    values: Plane, ink: Plane, chance: Chance, faint: tuple[float, float] | None
) -> tuple[Plane, float, float] | None:
    """The values with a string on them, its contrast, and the deviation around it; None where it is too faint."""
    wide = np.asarray(cv2.dilate(ink, np.ones((3, 3), np.uint8)), np.float32)
    style = chance.choice(("plain", "plain", "plain", "shadow", "outline", "box")) if faint is None else "plain"
    middle = float(lightness(values).mean())
    contrast = chance.uniform(*(faint or (FAINTEST, 255)))
    sign = 1 if (chance.random() < 0.7 and middle < 200) or middle < 50 else -1
    if faint is None and not 0 <= middle + sign * contrast <= 255:
        sign = 1 if middle < 128 else -1
        contrast = min(contrast, 255 - middle if sign > 0 else middle)
    if style == "box":
        values[:] = middle
    elif style == "outline":
        values[:] = _over(values, wide, np.full(3, float(np.clip(middle - sign * 60, 0, 255))))
    elif style == "shadow":
        moved = np.roll(ink, (1, 1), (0, 1)) if len(ink) < 30 else np.roll(ink, (2, 2), (0, 1))
        values[:] = _over(values, moved, np.full(3, float(np.clip(middle - sign * 60, 0, 255))))
    ring = (cv2.dilate(ink, np.ones((9, 9), np.uint8)) > 0.1) & (cv2.dilate(ink, np.ones((3, 3), np.uint8)) < 0.1)
    if style == "outline":
        ring = (wide > 0.5) & (ink < 0.2)
    around = lightness(values)[ring]
    tint = np.full(3, middle + sign * contrast)
    if values.ndim > 2 and chance.random() < 0.5:
        tint = tint + chance.choice((-1, 0, 1), 3) * chance.uniform(20, 90)
    written = _over(values, ink, tint if faint else tint.clip(0, 255))
    inside = lightness(written)[ink > 0.5]
    if not inside.size or not around.size:
        return None
    found = abs(float(inside.mean() - around.mean()))
    noise = max(1.0, float(around.std()))
    return (written, found, noise) if found >= (LEGIBLE * noise if faint else FAINTEST) else None


def _over(values: Plane, ink: Plane, tint: Plane) -> Plane:
    if values.ndim == 2:
        return np.asarray(values * (1 - ink) + ink * tint[0], np.float32)
    return np.asarray(values * (1 - ink[:, :, None]) + ink[:, :, None] * tint, np.float32)


def drawn(number: int) -> tuple[Drawn, int | None]:
    """Picture `number` of the set, the same for ever, and the quality of the JPEG that it becomes, if any."""
    chance = np.random.default_rng((20261128, number))
    background = BACKGROUNDS[number % len(BACKGROUNDS)]
    rows, columns = SIZES[int(chance.choice(len(SIZES), p=(0.3, 0.2, 0.15, 0.2, 0.1, 0.05)))]
    values = np.asarray(background(chance, rows, columns), np.float32).clip(0, 255)
    made = Drawn(background.__name__, values, np.zeros((rows, columns), np.int32))
    names = list(FONTS)
    for _ in range(6):
        font = names[int(chance.choice(len(names), p=(0.2, 0.12, 0.18, 0.2, 0.12, 0.1, 0.08)))]
        cap = round(
            float(np.exp(chance.uniform(np.log(9 if font in ("strokes", "opencv", "heavy") else 7), np.log(60))))
        )
        cap = min(cap, round(0.13 * rows)) if font != "dots" else min(max(cap, 14), 35)
        write(made, chance, font=font, cap=cap, turned=int(chance.choice(4, p=(0.76, 0.08, 0.08, 0.08))))
    quality = int(chance.integers(50, 91)) if chance.random() < 0.6 else None
    return made, quality


def deep(number: int) -> tuple[Drawn, NDArray[np.int16]]:
    """Picture `number` of the set with 16 bits: text that a window would hardly show, outliers, padding."""
    chance = np.random.default_rng((20261129, number))
    kinds = [
        each for each in BACKGROUNDS if each.__name__[:2] in ("ct", "mr", "cr", "xa") or each.__name__ == "nm_bones"
    ]
    background = kinds[number % len(kinds)]
    rows, columns = SIZES[int(chance.choice((0, 0, 2, 5)))]
    made = Drawn(
        background.__name__, np.asarray(background(chance, rows, columns)), np.zeros((rows, columns), np.int32)
    )
    for _ in range(6):
        cap = min(round(float(np.exp(chance.uniform(np.log(9), np.log(50))))), round(0.13 * rows))
        faint = (5.0, 13.0) if chance.random() < 0.3 else (30.0, 255.0)
        font = ("strokes", "outlines", "opencv", "bitmap")[int(chance.integers(0, 4))]
        write(made, chance, font=font, cap=cap, turned=0, faint=faint)
    values = made.values * chance.uniform(4, 30) + (-1000 if chance.random() < 0.5 else 0)
    if chance.random() < 0.4:  # metal
        values[tuple(chance.integers(0, (rows, columns)))] = 30000
    if chance.random() < 0.3:  # padding around what was measured
        y, x = np.mgrid[0:rows, 0:columns]
        beyond = np.hypot(y - rows / 2, x - columns / 2) > 0.68 * max(rows, columns)
        values[beyond & (made.letters == 0)] = -2000
    return made, np.rint(values).clip(-32768, 32767).astype(np.int16)
