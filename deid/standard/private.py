"""PS3.15 Table E.3.10-1: private data elements of which the vendors say that they are safe to retain."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from deid.standard import data_files

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def safe_elements() -> Mapping[tuple[str, int, int], str]:
    """(private creator, group, low byte of the element) -> VR; the block the creator reserved is free."""
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"]
        for row in data_files.rows("safe_private.csv")
    }
