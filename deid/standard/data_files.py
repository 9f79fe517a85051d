"""Where the standard's tables lie: `data/`, one file each, edition and notice in its first line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent / "data"


def text(name: str) -> str:
    """The whole file, for those who parse it themselves."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def notices() -> list[str]:
    """Which table of which edition each file holds."""
    first = (text(path.name).partition("\n")[0] for path in sorted(_FOLDER.glob("*.csv")))
    return [line.removeprefix("# ").partition(", ©")[0] for line in first]


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a table, by column name; the line with edition and notice is passed over."""
    _notice, *lines = text(name).splitlines()
    return csv.DictReader(lines)
