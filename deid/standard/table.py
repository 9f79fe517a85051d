"""PS3.15 Table E.1-1 as the standard prints it, and this project's additions, which are not the standard's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from deid.standard import data_files

if TYPE_CHECKING:
    from collections.abc import Mapping

EDITION: Final = "2026d"
_NOT_OPTIONS = frozenset({"tag", "keyword", "vr", "basic", "because"})


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one attribute, or of a group of them, under the Basic Profile and each option."""

    pattern: str  # "00100010"; "50xxxxxx", "60xx3000" with x for any digit; "odd" for all private attributes
    keyword: str
    vr: str  # "*" where the row is about many attributes
    basic: str  # the action code of Table E.1-1a, not resolved: "X/Z/D"
    options: Mapping[str, str]  # option name -> action code, only where the option says something
    because: str  # why we added the row; "" for the standard's own


def _read(name: str) -> tuple[Row, ...]:
    return tuple(
        Row(
            pattern=row["tag"],
            keyword=row["keyword"],
            vr=row["vr"],
            basic=row["basic"],
            options={option: code for option, code in row.items() if code and option not in _NOT_OPTIONS},
            because=row.get("because", ""),
        )
        for row in data_files.rows(name)
    )


@cache
def rows() -> tuple[Row, ...]:
    """Table E.1-1, sorted by tag."""
    return _read("e1_1.csv")


@cache
def supplement() -> tuple[Row, ...]:
    """Attributes that identify and that Table E.1-1 leaves out; no tag occurs in both."""
    return _read("supplement.csv")
