"""How well and how fast text is found: real images with text boxes, and strings drawn on backgrounds of many kinds.

python tests/bench/pixels.py [--images FOLDER] [--drawn N] [--first N] [--deep N] [--cines N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from drawn.cines import cine
from drawn.strings import deep, drawn
from objects import ultrasound

from deid.errors import DeidError
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.pixels import craft, detector, looks
from deid.pixels.frames import frames_of
from deid.pixels.image import image_of
from deid.pixels.palette import palette_of
from deid.pixels.search import scenes
from deid.pixels.views import pictures, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deid.pixels.engine import TextMask

COVERED = 0.95  # of the ink of a string


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


def real(folder: Path, text_mask: TextMask = detector.text_mask) -> Tally:
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
            found = list(scenes(frames, palette, text_mask))
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


def of_set(numbers: range, text_mask: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]) -> tuple[Tally, Tally]:
    """One look at these pictures of the drawn set: all strings, and those that are legible."""
    every, legible = Tally(), Tally()
    for each in numbers:
        made, quality = drawn(each)
        picture = made.picture(quality)
        began = process_time() + children()
        mask = text_mask(picture)
        every.seconds += process_time() + children() - began
        every.megapixels += made.letters.size / 1e6
        every.away.append(made.away(mask))
        found = made.covered(mask)
        read = [one for one, string in zip(found, made.strings, strict=True) if string.legible]
        for tally, some in ((every, found), (legible, read)):
            tally.strings += len(some)
            tally.covered += sum(some)
    return every, legible


def of_deep(number: int) -> Tally:
    """The same with 16 bits, in all renderings of each picture."""
    tally = Tally()
    for each in range(number):
        made, values = deep(each)
        began = process_time()
        mask = np.any([detector.text_mask(picture) for picture in pictures(values)], axis=0)
        tally.seconds += process_time() - began
        tally.megapixels += made.letters.size / 1e6
        tally.away.append(made.away(mask))
        tally.strings += len(made.strings)
        tally.covered += sum(made.covered(mask))
    return tally


def of_cines(number: int) -> tuple[Tally, Tally, Tally]:
    """Scenes that move, searched with all proofs: strings in all frames, in a single one, and the legible of these."""
    always, once, legible = Tally(), Tally(), Tally()
    for each in range(number):
        made = cine(each)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "cine.dcm"
            ultrasound(made.frames, each).save_as(path, enforce_file_format=True)
            source = open_source(path, Limits())
            layout = outline(source, Limits())
            frames = frames_of(source, layout, image_of(layout))
            began = process_time()
            found = list(scenes(frames, None))
            seconds = process_time() - began
            source.close()
        masks = {
            frame: next(scene.mask for scene in found if scene.first <= frame < scene.after) for frame in made.once
        }
        for tally in (always, once, legible):
            tally.seconds += seconds
            tally.megapixels += len(made.frames) * made.always.letters.size / 1e6
        everywhere = [made.always.covered(scene.mask) for scene in found]
        always.strings += len(made.always.strings)
        always.covered += sum(map(all, zip(*everywhere, strict=True)))
        for frame, drawn_once in made.once.items():
            covered = drawn_once.covered(masks[frame])
            read = [one for one, string in zip(covered, drawn_once.strings, strict=True) if string.legible]
            for tally, some in ((once, covered), (legible, read)):
                tally.strings += len(some)
                tally.covered += sum(some)
    return always, once, legible


def children() -> float:
    """Seconds of programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def with_tesseract(picture: NDArray[np.uint8], mode: str) -> NDArray[np.bool_]:
    """Words by tesseract, each box with 4 pixels around it."""
    given = cv2.imencode(".png", picture)[1].tobytes()
    done = subprocess.run(
        ["tesseract", "-", "-", "--psm", mode, "tsv"],
        input=given, capture_output=True, check=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )  # fmt: skip
    mask = np.zeros(picture.shape[:2], np.bool_)
    for line in done.stdout.decode().splitlines()[1:]:
        fields = line.split("\t")
        if fields[0] == "5" and float(fields[10]) >= 0 and fields[11].strip():
            left, top, width, height = map(int, fields[6:10])
            mask[max(0, top - 4) : top + height + 4, max(0, left - 4) : left + width + 4] = True
    return mask


def as_presidio(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Stretched from the smallest to the largest value, page by page."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return with_tesseract(np.asarray(cv2.normalize(grey, grey.copy(), 0, 255, cv2.NORM_MINMAX), np.uint8), "3")


def as_smi(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Equalised in places, text wherever it may be."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return with_tesseract(np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(grey), np.uint8), "11")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[3] / "shared" / "burnedin"
    parser.add_argument("--images", type=Path, default=beside, help="folder of NAME.dcm with NAME.json")
    parser.add_argument("--drawn", type=int, default=136, help="pictures of the drawn set")
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="the first of them; rules and thresholds were chosen by 0 to 7273 and 13000 to 15273",
    )
    parser.add_argument("--deep", type=int, default=24, help="pictures of the set with 16 bits")
    parser.add_argument("--cines", type=int, default=16, help="scenes of 40 frames")
    wanted = parser.parse_args()
    detector.text_mask(np.zeros((64, 64, 3), np.uint8))  # loading is not counted
    say(f"{datetime.now(UTC).isoformat(timespec='seconds')}, {looks.ENGINE}, one thread")
    say(f"{'':30} {'strings covered':>11} {'share':>8} {'area away':>9} {'CPU s/MPx':>10} {'held':>6}")
    if wanted.images.is_dir():
        say(real(wanted.images, detector.text_mask).row("real images, search and proof"))
        say(real(wanted.images, detector.in_haste).row("the same, fast"))
    ways: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.bool_]]] = {
        "strict": detector.text_mask,
        "fast": detector.in_haste,
    }
    if shutil.which("tesseract"):
        ways |= {"tesseract as presidio": as_presidio, "tesseract as SMI": as_smi}
    else:
        say("tesseract is not installed: skipped")
    try:
        craft.engine()
        craft.checked_model()
        ways["easyocr"] = craft.text_mask
    except DeidError as error:
        say(f"easyocr is skipped: {error}")
    for name, way in ways.items():
        every, legible = of_set(range(wanted.first, wanted.first + wanted.drawn), way)
        say(every.row(f"drawn, {name}"))
        say(legible.row("  of them legible"))
    say(of_deep(wanted.deep).row("drawn with 16 bits, strict"))
    always, once, legible = of_cines(wanted.cines)
    say(always.row("cines, text in all frames"))
    say(once.row("cines, text in one frame"))
    say(legible.row("  of it legible"))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
