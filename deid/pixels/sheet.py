"""Small pictures of an object for people: those of its frames that tell most, as JPEG, and what is masked in them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import cv2
import numpy as np

from deid.errors import Rejected
from deid.part10.outline import outline
from deid.part10.source import open_source
from deid.pixels.frames import frames_of
from deid.pixels.image import PIXEL_DATA, image_of
from deid.pixels.palette import palette_of
from deid.pixels.scope import NO_PIXEL_DATA, SOP_CLASS
from deid.pixels.video import is_video, video_of
from deid.pixels.views import seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from deid.model import Masked
    from deid.part10.source import Limits
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image
    from deid.pixels.mask import Box
    from deid.pixels.palette import Palette

Each = TypeVar("Each")

_LONGEST: Final = 400  # pixels of the longer side: what is left of a line of text can be seen, and a picture is 5-25 kB
_QUALITY: Final = 80  # of JPEG
_MOST_BOXES: Final = 200  # in one picture; nobody sees more
_WINDOW: Final = (0.5, 99.5)  # per cent of the pixels, from black to white: without outliers and padding
_NARROW: Final = 64  # grey levels; more of them need no window


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame. Boxes are in pixels of the frame, not of the picture."""

    frame: int  # from 0
    rows: int
    columns: int
    jpeg: bytes
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What of an object can be shown; `because` says why nothing can."""

    sop_class: str = ""
    frames: int = 0
    pictures: tuple[Picture, ...] = ()
    because: str = ""


def sheet_of(path: Path, masked: Sequence[Masked], most: int, limits: Limits) -> Sheet:
    """At most so many frames of a file: masked ones, else the first, the middle and the last.

    Raises Unreadable or Rejected for what is no DICOM file, or none whose encoding can be followed.
    """
    with closing(open_source(path, limits)) as source:
        layout = outline(source, limits)
        sop_class = layout.text(SOP_CLASS)
        if all(place.tag != PIXEL_DATA for place in layout.places):
            return Sheet(sop_class, because=NO_PIXEL_DATA)
        try:
            image = image_of(layout)
            palette = palette_of(source, layout, image)
            frames = (video_of if is_video(source.transfer_syntax) else frames_of)(source, layout, image)
            numbers = _chosen(image.frames, masked, most)
            pictures = tuple(
                _picture(number, frames.stored(number), frames.image, palette, masked) for number in numbers
            )
        except Rejected as reason:
            return Sheet(sop_class, because=str(reason))
    return Sheet(sop_class, image.frames, pictures)


def _chosen(frames: int, masked: Sequence[Masked], most: int) -> list[int]:
    """Frames that are masked, as many as may be shown and far apart; without any, frames from first to last."""
    there = sorted({each.first for each in masked if 0 <= each.first < frames}) or range(frames)
    if most == 1 and not masked:
        return [frames // 2]
    return spread(there, most)


def spread(there: Sequence[Each], most: int) -> list[Each]:
    """At most so many of these, the first and the last among them, the others as far apart as they can be."""
    if len(there) <= most:
        return list(there)
    steps = max(1, most - 1)
    return [there[round(step * (len(there) - 1) / steps)] for step in range(most)]


def _picture(number: int, frame: Frame, image: Image, palette: Palette | None, masked: Sequence[Masked]) -> Picture:
    boxes = tuple(box for each in masked if each.first <= number < each.after for box in each.boxes)
    shown = seen(frame, image, palette)
    ratio = min(1.0, _LONGEST / max(image.rows, image.columns))
    size = max(1, round(image.columns * ratio)), max(1, round(image.rows * ratio))
    if shown.ndim == 2:
        small = _as_grey(_reduced(shown, size), image, [tuple(int(side * ratio) for side in box) for box in boxes])
    else:
        small = np.asarray(cv2.cvtColor(_reduced(shown, size), cv2.COLOR_RGB2BGR), np.uint8)
    done, jpeg = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    if not done:
        raise Rejected("the picture cannot be encoded")
    return Picture(number, image.rows, image.columns, jpeg.tobytes(), boxes[:_MOST_BOXES])


def _reduced(shown: Frame, size: tuple[int, int]) -> NDArray[Any]:
    if shown.dtype not in (np.uint8, np.uint16, np.int16):
        shown = shown.astype(np.float32)  # OpenCV resizes no others
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA))


def _as_grey(small: NDArray[Any], image: Image, boxes: Sequence[tuple[int, ...]]) -> NDArray[np.uint8]:
    """Stored values from black to white, as what is not masked needs it; a mask is as dark or bright as can be."""
    bare = np.ones(small.shape, np.bool_)
    for column, row, width, height in boxes:
        bare[row : row + height + 1, column : column + width + 1] = False
    values = small[bare] if bare.any() else small
    low, high = float(values.min()), float(values.max())
    if small.dtype != np.uint8 or high - low < _NARROW:
        most_low, most_high = (float(each) for each in np.percentile(values, _WINDOW))
        low, high = (most_low, most_high) if most_high > most_low else (low, high)
    else:
        low, high = 0.0, 255.0
    shades = (small.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    shades = shades.clip(0, 255)
    if image.photometric == "MONOCHROME1":
        shades = 255 - shades
    return np.asarray(shades, np.uint8)
