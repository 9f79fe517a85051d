"""What a process and its children cost, as /proc tells it, and how long a program takes to listen."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICK = os.sysconf("SC_CLK_TCK")


class Program(NamedTuple):
    """What listens or sends: how it is started with a port and a folder, and what its environment adds."""

    name: str
    command: Callable[[int, Path], list[str]]
    environment: dict[str, str]


def children(process: int) -> list[int]:
    """Those of a process that run, or have ended and were not yet asked about."""
    found: list[int] = []
    for each in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, each.read_text().split())
    return found


def told(processes: list[int], what: str) -> list[str]:
    """What /proc says of processes, as far as they are still there."""
    found = []
    for each in processes:
        with suppress(OSError):
            found.append(Path(f"/proc/{each}/{what}").read_text())
    return found


def alone(process: int) -> float:
    """CPU seconds of a process without its children."""
    fields = [each.rpartition(")")[2].split()[11:13] for each in told([process], "stat")]
    return sum(int(ticks) for each in fields for ticks in each) / TICK


def used(process: int) -> float:
    """CPU seconds of a process and of its children, those that have ended too."""
    fields = [each.rpartition(")")[2].split()[11:15] for each in told([process, *children(process)], "stat")]
    return sum(int(ticks) for each in fields for ticks in each) / TICK


def peak(process: int) -> int:
    """MB, the largest of a process and of its children that run."""
    status = [each.partition("VmHWM:")[2] for each in told([process, *children(process)], "status")]
    return max(int(each.split()[0]) for each in status if each) >> 10


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def listening(receiver: Program, work: Path) -> Iterator[tuple[int, int, Path]]:
    """Port, process and folder of a receiver."""
    port = free_port()
    out = work / "received" / receiver.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    log = (work / f"{receiver.name}.log").open("wb")
    environment = os.environ | receiver.environment
    with log, subprocess.Popen(receiver.command(port, out), env=environment, stdout=log, stderr=log) as process:
        try:
            while not answers(port):
                if process.poll() is not None:
                    raise SystemExit(f"{receiver.name} does not start: see {log.name}")
                time.sleep(0.05)
            yield port, process.pid, out
        finally:
            process.terminate()
