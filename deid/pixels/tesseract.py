"""Where text is in an 8-bit image, told by the program tesseract (Apache-2.0), if it is installed.

The picture goes to the program through a pipe and boxes come back through another: no file ever holds it. What the
program read is not looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pixels.detector import Mask, Picture

PROGRAM: Final = "tesseract"
_SPARSE_TEXT: Final = "12"  # of its ways to look at a page (--psm): as much text as there is, in no order
_ENLARGED: Final = 2  # small letters are missed otherwise
_LONGEST_SIDE: Final = 8192  # of what the program is given
_SURE: Final = 60.0  # of 100, the program's own confidence in a word
_SECONDS: Final = 120  # for one picture
_PAD: Final = 3  # pixels around what was found, for edges that compression has smeared
_MARGIN: Final = 0.15  # of the height of a word: its box leaves out accents and ends of strokes
_WORD, _COLUMNS = "5", 12  # PS: level of a row that stands for a word, and the columns of a row
_INSTALL: Final = "install tesseract (Debian: apt-get install tesseract-ocr), then retry"


def text_mask(picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked, its surroundings included.

    `sure` leaves out what is only perhaps text; `quick` looks at a picture that is not enlarged; `faint` marks
    everything.
    """
    rows, columns = picture.shape[:2]
    if faint:
        return np.ones((rows, columns), np.bool_)
    ratio = min(1.0 if quick else _ENLARGED, _LONGEST_SIDE / max(rows, columns))
    size = max(1, round(columns * ratio)), max(1, round(rows * ratio))
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_CUBIC)
    mask: Mask = np.zeros((rows, columns), np.bool_)
    for (left, top, width, height), confidence in _words(np.asarray(grey, np.uint8)):
        if sure and confidence < _SURE:
            continue
        grow = _PAD + _MARGIN * min(width, height) / ratio
        low, high = np.floor((top / ratio - grow, left / ratio - grow)).clip(0).astype(int)
        below, beside = np.ceil(((top + height) / ratio + grow, (left + width) / ratio + grow)).astype(int)
        mask[low:below, high:beside] = True
    return mask


def _words(grey: Picture) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    """Left, top, width and height of each word, and how sure the program is of it. Raises Rejected where it fails."""
    written, page = cv2.imencode(".pgm", grey)
    if not written:
        raise Rejected("the picture cannot be given to tesseract")
    try:
        done = subprocess.run(  # noqa: S603 - words of our own, and no shell
            [program(), "stdin", "stdout", "--psm", _SPARSE_TEXT, "tsv"],
            input=page.tobytes(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_THREAD_LIMIT": "1", "LC_ALL": "C"},
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Rejected(f"tesseract took longer than {_SECONDS} seconds for one picture") from None
    except OSError as error:
        raise Rejected(f"tesseract cannot be run ({error.strerror}): {_INSTALL}") from None
    if done.returncode:
        raise Rejected(f"tesseract failed (exit code {done.returncode}): run 'deid doctor', then retry")
    header, *lines = done.stdout.decode(errors="replace").splitlines() or [""]
    if not header.startswith("level\t"):
        raise Rejected("tesseract gave no answer: run 'deid doctor', then retry")
    for line in lines:
        level, _, _, _, _, _, left, top, width, height, confidence, text = line.split("\t", _COLUMNS - 1)
        if level == _WORD and text.strip():  # blanks are what it makes of pictures
            yield (int(left), int(top), int(width), int(height)), float(confidence)


def program() -> str:
    """Where the program is. Raises Rejected where there is none."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise Rejected(f"the text detector tesseract is missing: {_INSTALL}")
    return found


@cache
def engine() -> str:
    """What is recorded of this engine: its name and version; the name alone where the program cannot be asked."""
    try:
        said = subprocess.run(  # noqa: S603 - as above
            [program(), "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_SECONDS, check=True
        )
    except (Rejected, OSError, subprocess.SubprocessError):
        return PROGRAM
    return said.stdout.decode(errors="replace").partition("\n")[0].strip() or PROGRAM
