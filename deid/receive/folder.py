"""A folder of files as a way in: every file below it is accounted for, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def files_below(source: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Each file with what differs after anybody has written to it: size and times of modification and change in ns.

    In the order of names. Linked folders are not followed: they may circle. What cannot be looked at is listed as
    well, with nothing, so that it ends as unreadable and not as nothing.
    """
    waiting = [(source, source.is_dir())]  # not the call stack: folders may be nested deeper than that
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield _look_at(path)
            continue
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name), reverse=True)
            waiting += [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:
            yield path, ()


def _look_at(path: Path) -> tuple[Path, tuple[int, ...]]:
    try:
        status = path.stat()
    except OSError:
        return path, ()
    # Anybody can set the time of modification back, nobody that of the change.
    return path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
