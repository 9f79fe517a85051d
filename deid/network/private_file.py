"""Files that hold secrets: keys, their passwords, hashes of passcodes; open to their owner alone, or not used."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LIMIT: Final = 1 << 20  # bytes; a long chain in PEM has some thousands


def read_private(path: Path, what: str) -> bytes:
    """What stands in a file that nobody else may read; `what` is what errors call it. Raises BadProfile."""
    # O_NONBLOCK: a pipe must not stop us here. Links are followed: secret stores mount files so.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadProfile(f"{what} {path} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BadProfile(f"{what} {path} is not a file")
        if mode & _OTHERS:
            raise BadProfile(f"{what} {path} is open to group or others: chmod 600 it, or replace it if it was read")
        text = file.read(_LIMIT + 1)
    if len(text) > _LIMIT:
        raise BadProfile(f"{what} {path} is larger than {_LIMIT} bytes")
    return text


def read_password(path: Path, what: str) -> str:
    """The one line of a password file. Raises BadProfile."""
    try:
        lines = read_private(path, what).decode().splitlines()
    except UnicodeDecodeError:
        raise BadProfile(f"{what} {path} is not UTF-8 text") from None
    if len(lines) != 1 or not lines[0]:
        raise BadProfile(f"{what} {path} must be one line with the password")
    return lines[0]
