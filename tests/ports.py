"""Ports for programs that a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_EACH: Final = 500  # ports that a process of tests has for itself
_TAKEN: Final[list[socket.socket]] = []  # that keep others out of it until this process ends


def free_ports(count: int) -> list[int]:
    """None that the kernel or another process of tests might take before the program does, and each another one."""
    with ExitStack() as taken:
        ports: list[int] = []
        while len(ports) < count:
            port = next(_own())
            with suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@cache
def _own() -> Iterator[int]:
    """A block of which nobody else has the first port, again and again: what was given last comes last."""
    blocks = range(20_000, 32_000, _EACH)
    for first in random.sample(blocks, len(blocks)):
        with suppress(OSError):
            _TAKEN.append(socket.create_server(("127.0.0.1", first)))
            return cycle(range(first + 1, first + _EACH))
    raise OSError("other processes of tests have all ports")
