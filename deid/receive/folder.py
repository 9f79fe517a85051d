"""A folder of files as a way in: every file below it is accounted for, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def files_below(source: Path) -> Iterator[tuple[Path, int, int]]:
    """Each file with its size and mtime in ns, in the order of names. Linked folders are not followed: they may circle.

    What cannot be looked at is listed as well, with 0 and 0, so that it ends as unreadable and not as nothing.
    """
    if not source.is_dir():
        yield _look_at(source)
        return
    try:
        with os.scandir(source) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        yield source, 0, 0
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(path)
        else:
            yield _look_at(path)


def _look_at(path: Path) -> tuple[Path, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0
    return path, status.st_size, status.st_mtime_ns
