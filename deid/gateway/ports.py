"""Ports that cannot be taken: why, and what to do about it."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from deid.errors import BadProfile

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINTS: Final = {
    errno.EADDRINUSE: "another program listens there, or another gateway: stop it, or choose another port",
    errno.EACCES: "ports below 1024 are for privileged programs: choose another port",
    errno.EADDRNOTAVAIL: "this machine does not have the address: choose one of its own, or 0.0.0.0 for all of them",
}


@contextmanager
def taking(address: str, port: int) -> Iterator[None]:
    """Around what takes a port of the settings. Raises BadProfile in place of OSError."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        hint = _HINTS.get(number, "choose another address or port")
        raise BadProfile(f"port {port} of {address} cannot be taken ({os.strerror(number)}): {hint}") from None
