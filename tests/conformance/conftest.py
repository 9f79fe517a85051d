from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.conformance.statement import statement

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = list[list[str]]


def tables_in(text: str) -> dict[str, Rows]:
    """The rows of each table of a statement, by its first column's name and its second's: "SOP class, UID"."""
    found: dict[str, Rows] = {}
    rows: Rows | None = None
    for line in text.splitlines():
        if not line.startswith("| "):
            rows = None
        elif rows is None:
            rows = found.setdefault(", ".join(_cells(line)[:2]), [])
        elif not line.startswith("| ---"):
            rows.append(_cells(line))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")]


@pytest.fixture(scope="session")
def text() -> str:
    return statement()


@pytest.fixture(scope="session")
def rows(text: str) -> Callable[[str], Rows]:
    """The rows of a table, by the names of its first two columns."""
    tables = tables_in(text)
    return lambda name: tables[name]
