"""How many cores this process may use: in a container these are fewer than the machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_GROUP: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


def cores() -> int:
    """The cores that this process may run on, or fewer where its control groups leave it a smaller share."""
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas()]))


def _quotas() -> list[int]:
    """Cores that each control group above this process allows, in version 1 and 2 of their file system."""
    found: list[int] = []
    for line in _words(_GROUP, "\n"):
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = _GROUPS / controllers
        within = top / path.lstrip("/")
        for folder in (within, *within.parents):
            if folder.is_relative_to(top):
                quota = _words(folder / "cpu.max") or [
                    word for name in ("quota", "period") for word in _words(folder / f"cpu.cfs_{name}_us")
                ]
                if len(quota) == 2 and all(map(str.isdigit, quota)) and int(quota[1]):  # else "max", or -1
                    found.append(math.ceil(int(quota[0]) / int(quota[1])))
    return found


def _words(file: Path, between: str | None = None) -> list[str]:
    try:
        return [word for word in file.read_text("utf-8").split(between) if word]
    except OSError:
        return []
