"""How well and how fast text is found: real images with text boxes, and strings drawn on smooth backgrounds.

python tests/bench/pixels.py [--images FOLDER] [--drawn N]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.errors import DeidError
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.pixels import detector
from deid.pixels.frames import frames_of
from deid.pixels.image import image_of
from deid.pixels.palette import palette_of
from deid.pixels.search import scenes
from deid.pixels.views import pictures, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVERED = 0.95  # of the ink of a string
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
SIDES = (512, 768, 1024)
FAINTEST = 30  # grey levels that a string stands out by


@dataclass
class Tally:
    """What was found in a set of images."""

    strings: int = 0
    covered: int = 0
    away: list[float] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    held: int = 0

    def row(self, name: str) -> str:
        recall = self.covered / max(1, self.strings)
        away = sum(self.away) / max(1, len(self.away))
        return (
            f"{name:30} {self.covered:5}/{self.strings:<5} {recall:8.4f} {away:9.2%} "
            f"{self.seconds / max(self.megapixels, 1e-9):10.2f} {self.held:6}"
        )


def real(folder: Path) -> Tally:
    """Identifying strings of the annotated images; the search with all its proofs."""
    tally = Tally()
    for path in sorted(folder.glob("*.dcm")):
        about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
        source = open_source(path, Limits())
        try:
            layout = outline(source, Limits())
            image = image_of(layout)
            palette = palette_of(source, layout, image)
            frames = frames_of(source, layout, image)
            began = process_time()
            found = list(scenes(frames, palette))
            tally.seconds += process_time() - began
        except DeidError:
            tally.held += 1
            continue
        finally:
            source.close()
        tally.megapixels += image.rows * image.columns * image.frames / 1e6
        mask = next(scene.mask for scene in found if scene.first <= about["frame"] < scene.after)
        with_frame = open_source(path, Limits())
        grey = cv2.cvtColor(
            pictures(seen(frames_of(with_frame, layout, image).stored(about["frame"]), image, palette))[0],
            cv2.COLOR_RGB2GRAY,
        )
        with_frame.close()
        apart = np.ones(mask.shape, np.bool_)
        for text in about["texts"]:
            x, y, width, height = (int(text[name]) for name in "xywh")
            apart[max(0, y - 10) : y + height + 10, max(0, x - 10) : x + width + 10] = False
            if text["is_phi"]:
                _, bright = cv2.threshold(
                    grey[y : y + height, x : x + width], 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU
                )
                ink = np.asarray(bright, np.bool_)
                ink = ~ink if ink.mean() > 0.5 else ink
                tally.strings += 1
                tally.covered += int(mask[y : y + height, x : x + width][ink].mean() >= COVERED)
        tally.away.append(float((mask & apart).mean()))
    return tally


def background(chance: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Some soft bodies on black, with noise: nothing in it looks like a letter."""
    y, x = np.mgrid[0:side, 0:side] / side
    made = np.zeros((side, side))
    for _ in range(chance.integers(2, 7)):
        cx, cy, rx, ry = chance.uniform(0.15, 0.85, 2).tolist() + chance.uniform(0.08, 0.4, 2).tolist()
        made += chance.uniform(20, 110) * np.exp(-((((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) ** 2))
    return np.clip(made + chance.normal(0, chance.uniform(0.5, 6), made.shape), 0, 200)


def drawn(number: int, quality: int | None) -> Tally:
    """Strings of many sizes and contrasts, one pass over each picture."""
    tally, chance = Tally(), np.random.default_rng(20261124)
    for _ in range(number):
        side = int(chance.choice(SIDES))
        grey = background(chance, side)
        inks = []
        for row in range(6):
            text = "".join(chance.choice(list("ABCDEFGHIJKLMNOPRSTUVWYZ0123456789^-/"), chance.integers(5, 16)))
            height = chance.uniform(9, 36)
            ink = np.zeros((side, side), np.uint8)
            font = int(chance.choice(FONTS))
            scale = height / cv2.getTextSize("A", font, 1.0, 1)[0][1]
            at = (int(chance.uniform(4, side * 0.5)), int(side * (row + 0.8) / 6))
            cv2.putText(ink, text, at, font, scale, 255, max(1, round(height / 14)), cv2.LINE_AA)
            sign = 1 if chance.random() < 0.7 else -1
            written = np.clip(grey + sign * chance.uniform(40, 200) * (ink / 255.0), 0, 255)
            if np.abs(written - grey)[ink > 127].mean() >= FAINTEST:  # dark ink on black is no text
                grey = written
                inks.append(ink > 127)
        picture = grey.astype(np.uint8)
        if quality:
            encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
        began = process_time()
        mask = detector.text_mask(np.repeat(picture[:, :, None], 3, axis=2))
        tally.seconds += process_time() - began
        tally.megapixels += side * side / 1e6
        near = cv2.dilate(np.any(inks, axis=0).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
        tally.away.append(float((mask & ~near).mean()))
        tally.strings += len(inks)
        tally.covered += sum(int(mask[ink].mean() >= COVERED) for ink in inks)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[3] / "shared" / "burnedin"
    parser.add_argument("--images", type=Path, default=beside, help="folder of NAME.dcm with NAME.json")
    parser.add_argument("--drawn", type=int, default=60)
    wanted = parser.parse_args()
    detector.text_mask(np.zeros((64, 64, 3), np.uint8))  # loading is not counted
    lines = [
        f"{datetime.now(UTC).isoformat(timespec='seconds')}, {detector.ENGINE}, one thread",
        f"{'':30} {'strings covered':>11} {'share':>8} {'area away':>9} {'CPU s/MPx':>10} {'held':>6}",
    ]
    if wanted.images.is_dir():
        lines.append(real(wanted.images).row("real images, search and proof"))
    lines += [
        drawn(wanted.drawn, None).row("drawn strings, one pass"),
        drawn(wanted.drawn, 60).row("the same, JPEG 60"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
