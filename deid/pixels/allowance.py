"""How much memory a foreign library is given: a file of a few thousand bytes can claim a table of several GB."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALLOWED: Final = 1 << 30  # bytes; twice what a single frame may take, and a hundred times what a long video needs
_DATA: Final = 5  # in /proc/self/statm (proc(5)): pages of data and stack


@contextmanager
def allowance() -> Iterator[None]:
    """What goes beyond that which the process has, and so much more, is refused: to whoever asks, there is none."""
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    taken = int(Path("/proc/self/statm").read_text("ascii").split()[_DATA]) * resource.getpagesize()
    allowed = taken + _ALLOWED
    resource.setrlimit(
        resource.RLIMIT_DATA, (allowed if before == resource.RLIM_INFINITY else min(before, allowed), most)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))
