"""Ports for programs that a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress


def free_ports(count: int) -> list[int]:
    """None that the kernel might give to a connection before the program takes it, and each another one."""
    with ExitStack() as taken:
        ports: list[int] = []
        while len(ports) < count:
            port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
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
