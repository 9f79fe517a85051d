"""The files that come with the package: profiles, and device rules in a folder beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What names a shipped file; a file of the user's own is named by a path, which has an ending or a separator."""


def shipped(kind: str = "") -> dict[str, Path]:
    """The shipped profiles, or the files of another kind in the folder of that name; by name."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "profiles"
    folder = installed if installed.is_dir() else package.parent / "profiles"
    return {path.stem: path for path in sorted((folder / kind).glob("[a-z]*.yaml"))}
