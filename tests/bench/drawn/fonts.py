"""Letters of many makes, each by itself, so that what is masked of every one of them can be told.

Strokes, dots and bitmaps come from one table of our own: points on a grid of 5 x 7 joined by lines. The fonts with
outlines are those that OpenCV and Pillow carry.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

    from drawn.shapes import Plane

_LINES = """
A 06 02 20 42 46,04 44|B 00 06 36 45 44 33 03,33 42 41 30 00|C 41 30 10 01 05 16 36 45|D 00 06 26 44 42 20 00
E 40 00 06 46,03 33|F 40 00 06,03 33|G 41 30 10 01 05 16 36 45 43 23|H 00 06,40 46,03 43|I 10 30,20 26,16 36
J 40 45 36 16 05|K 00 06,40 03 46|L 00 06 46|M 06 00 22 40 46|N 06 00 46 40|O 10 30 41 45 36 16 05 01 10
P 06 00 30 41 42 33 03|Q 10 30 41 45 36 16 05 01 10,24 46|R 06 00 30 41 42 33 03,23 46
S 41 30 10 01 02 13 33 44 45 36 16 05|T 00 40,20 26|U 00 05 16 36 45 40|V 00 26 40|W 00 16 23 36 40|X 00 46,40 06
Y 00 23 40,23 26|Z 00 40 06 46|0 10 30 41 45 36 16 05 01 10|1 11 20 26,16 36|2 01 10 30 41 42 06 46
3 00 40 23 33 44 45 36 16 05|4 36 30 04 44|5 40 00 02 32 43 45 36 16 05|6 31 20 11 02 05 16 36 45 44 33 03
7 00 40 16|8 10 30 41 42 33 13 02 01 10,13 04 05 16 36 45 44 33|9 43 13 02 01 10 30 41 44 26 16
- 13 33|/ 40 06|. 26 26|: 22 22,25 25|^ 02 20 42
"""
_TABLE = {
    entry[0]: [[(int(at[0]), int(at[1])) for at in line.split()] for line in entry[1:].split(",")]
    for entry in _LINES.replace("\n", "|").split("|")
    if entry
}
CHARACTERS = "".join(_TABLE)
_ROOM = 0.4  # of the height of a capital, above and below the line

Font = "Callable[[str, int], list[Plane]]"


def _line(width: float, cap: int) -> Plane:
    return np.zeros((round(cap * (1 + 2 * _ROOM)), max(1, int(np.ceil(width)) + 4)), np.float32)


def _placed(text: str, cap: int, advance: float, of: Callable[[str], Plane]) -> list[Plane]:
    made = []
    for number, character in enumerate(text):
        if character != " ":
            line, letter = _line(len(text) * advance, cap), of(character)
            top, left = round(cap * _ROOM), 2 + round(number * advance)
            line[top : top + letter.shape[0], left : left + letter.shape[1]] = letter[:, : line.shape[1] - left]
            made.append(line)
    return made


@cache
def _cells(character: str) -> Plane:
    """The letter on 5 x 7 pixels."""
    made = np.zeros((7, 5), np.uint8)
    for line in _TABLE[character]:
        cv2.polylines(made, [np.array(line, np.int32)], isClosed=False, color=1)
    return made.astype(np.float32)


def bitmap(text: str, cap: int) -> list[Plane]:
    """Pixels without shades, doubled or more where there is room."""
    times = max(1, round(cap / 7))
    return _placed(text, 7 * times, 6 * times, lambda each: _cells(each).repeat(times, axis=0).repeat(times, axis=1))


def dots(text: str, cap: int) -> list[Plane]:
    """A dot for each pixel of the bitmap, with gaps between them."""
    pitch = max(2, round(cap / 7))

    def dotted(character: str) -> Plane:
        made = np.zeros((7 * pitch, 5 * pitch), np.uint8)
        for row, column in np.argwhere(_cells(character) > 0):
            half = pitch / 2
            at = round(16 * (column * pitch + half - 0.5)), round(16 * (row * pitch + half - 0.5))
            cv2.circle(made, at, round(16 * max(0.4, 0.36 * pitch)), 255, -1, cv2.LINE_AA, 4)
        return made.astype(np.float32) / 255

    return _placed(text, 7 * pitch, 6 * pitch, dotted)


def strokes(text: str, cap: int, thick: float = 0.09) -> list[Plane]:
    """Lines of one thickness, as plotters draw."""
    width = max(1, round(cap * thick))

    def stroked(character: str) -> Plane:
        made = np.zeros((cap + 2 * width, round(cap * 0.72) + 2 * width), np.uint8)
        for line in _TABLE[character]:
            points = [(16 * (x * cap / 6.5 + width), 16 * (y * (cap - 1) / 6 + width)) for x, y in line]
            at = [np.rint(points).astype(np.int32)]
            cv2.polylines(made, at, isClosed=False, color=255, thickness=width, lineType=cv2.LINE_AA, shift=4)
        return made[width:].astype(np.float32) / 255

    return _placed(text, cap, 0.9 * cap + width, stroked)


def heavy(text: str, cap: int) -> list[Plane]:
    return strokes(text, cap, 0.18)


def opencv(text: str, cap: int) -> list[Plane]:
    """Hershey's letters before OpenCV 5, a sans serif since."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(cap / 16))
    scale = cap / cv2.getTextSize("E", font, 10.0, 1)[0][1] * 10
    at = 2.0
    made: list[Plane] = []
    for character in text:
        if character != " ":
            line = np.zeros(_line(at + 1.6 * cap, cap).shape, np.uint8)
            cv2.putText(line, character, (round(at), round(cap * (1 + _ROOM))), font, scale, 255, thick, cv2.LINE_AA)
            made.append(line.astype(np.float32) / 255)
        at += cv2.getTextSize(character, font, scale, thick)[0][0] + max(1, round(0.12 * cap))
    return _as_wide(made)


def outlines(text: str, cap: int) -> list[Plane]:
    """A font of outlines, with its own distances."""
    font, at = ImageFont.load_default(cap / 0.7), 2.0
    made: list[Plane] = []
    for character in text:
        if character != " ":
            rows, columns = _line(at + 1.6 * cap, cap).shape
            line = Image.new("L", (columns, rows))
            ImageDraw.Draw(line).text((at, cap * (1 + _ROOM)), character, fill=255, font=font, anchor="ls")
            made.append(np.asarray(line, np.float32) / 255)
        at += float(font.getlength(character))
    return _as_wide(made)


def terminal(text: str, cap: int) -> list[Plane]:
    """A bitmap font of 6 x 11 pixels, doubled or more where there is room."""
    font, times = ImageFont.load_default_imagefont(), max(1, round(cap / 8))
    made: list[Plane] = []
    for number, character in enumerate(text):
        if character != " ":
            line = Image.new("L", (6 * len(text) + 4, 13))
            ImageDraw.Draw(line).text((2 + 6 * number, 1), character, fill=255, font=font)
            made.append((np.asarray(line, np.float32) / 255).repeat(times, axis=0).repeat(times, axis=1))
    return made


def _as_wide(lines: list[Plane]) -> list[Plane]:
    widest = max(line.shape[1] for line in lines)
    return [np.pad(line, ((0, 0), (0, widest - line.shape[1]))) for line in lines]


FONTS = {each.__name__: each for each in (strokes, heavy, opencv, outlines, bitmap, terminal, dots)}
