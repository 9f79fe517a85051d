"""The benchmark's data sets: the same name always gives the same bytes. `python datasets.py FOLDER NAME...`.

A process of its own, so that the one which measures stays small: the peak memory of a child counts from its parent's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from objects import ct, multiframe, report, rtstruct, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydicom.dataset import Dataset

RECIPE = 1  # raise it when the content changes: numbers of different recipes must not be compared
CONTOURS_IN_TINY = 60
SMALL_SIDE = 128
RTSTRUCT_FILES = 20  # so that the start of the program is small beside the work


def contours(size: int) -> Iterator[Dataset]:
    """Structure sets of this many contours each; built once, only their names differ."""
    dataset = rtstruct(size, 0)
    for number in range(RTSTRUCT_FILES):
        dataset.SOPInstanceUID = uid_of("rtstruct", size, number)
        yield dataset


def small(number: int) -> Dataset:
    """A slice of 34 kB."""
    dataset = ct(number)
    dataset.Rows = dataset.Columns = SMALL_SIDE
    dataset.PixelData = dataset.PixelData[: SMALL_SIDE * SMALL_SIDE * 2]
    return dataset


RECIPES: dict[str, Callable[[int], Iterable[Dataset]]] = {
    "ct": lambda count: map(ct, range(count)),
    "mr": lambda count: map(small, range(count)),
    "tiny": lambda count: (report(n) if n % 2 else rtstruct(CONTOURS_IN_TINY, n) for n in range(count)),
    "three": lambda megabytes: (multiframe(megabytes, n) for n in range(3)),
    "multiframe": lambda megabytes: [multiframe(megabytes, 0)],
    "contours": contours,
}


def make(folder: Path, name: str) -> None:
    """Write the data set `recipe-size` unless it is there; its manifest comes last and says what it holds."""
    manifest, into = folder / f"{name}.json", folder / name
    if manifest.exists() and json.loads(manifest.read_text())["recipe"] == RECIPE:
        return
    into.mkdir(parents=True, exist_ok=True)
    recipe, size = name.split("-")
    files, elements = 0, 0
    for dataset in RECIPES[recipe](int(size)):
        dataset.save_as(into / f"{files:05}.dcm", enforce_file_format=True)
        files, elements = files + 1, elements + sum(1 for _ in dataset.iterall())
    held = sum(path.stat().st_size for path in into.iterdir())
    manifest.write_text(json.dumps({"recipe": RECIPE, "files": files, "bytes": held, "elements": elements}) + "\n")


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        make(Path(sys.argv[1]), wanted)
