"""The leg from end to end: over TLS into `deid serve`, de-identified, over TLS out to a Storage SCP."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from batch import say
from peers import QUICK, dcmtk_receiver, dcmtk_sender, gateway
from processes import alone, children, listening, peak, told, used

if TYPE_CHECKING:
    from peers import Certificates

PATIENCE = 300.0  # seconds
SETTLED = 2.0  # seconds after which a program has done what it does at its start
LOOK = 0.01  # seconds


class Run(NamedTuple):
    """One way through: seconds until the sender has ended, and until all had arrived; CPU seconds by process."""

    received: float
    forwarded: float
    gateway: float  # receiving, the ledger, and forwarding are threads of one process
    workers: float
    sender: float
    archive: float
    peak: int  # MB, the largest of the gateway's


def workers(process: int) -> float:
    """CPU seconds of the processes that de-identify."""
    spawned = [each for each in children(process) if any("spawn_main" in line for line in told([each], "cmdline"))]
    return sum(map(used, spawned))


def run(certificates: Certificates | None, source: Path, work: Path) -> Run:
    """Once, with a fresh gateway: it knows what it has seen."""
    count = sum(1 for _ in source.iterdir())
    sender = dcmtk_sender("storescu", QUICK, certificates)
    with (
        listening(dcmtk_receiver("storescp", QUICK, certificates), work) as (archive, archiving, out),
        listening(gateway(certificates, archive), work) as (port, process, _),
    ):
        time.sleep(SETTLED)
        before = alone(process), workers(process), used(archiving)
        began = time.perf_counter()
        sending = subprocess.Popen(
            sender.command(port, source), env=os.environ | sender.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        received = forwarded = 0.0
        spent = 0.0
        while not received or not forwarded:
            elapsed = time.perf_counter() - began
            if not forwarded and sum(1 for _ in out.iterdir()) == count:
                forwarded = elapsed
            if not received:
                ended, status, usage = os.wait4(sending.pid, os.WNOHANG)
                if ended:
                    sending.returncode = os.waitstatus_to_exitcode(status)
                    received, spent = elapsed, usage.ru_utime + usage.ru_stime
            if sending.returncode or elapsed > PATIENCE:
                raise SystemExit(f"not all went through: see {work / 'deid serve.log'}")
            time.sleep(LOOK)
        after = alone(process), workers(process), used(archiving)
        ours, theirs, archived = (now - then for now, then in zip(after, before, strict=True))
        return Run(received, forwarded, ours, theirs, spent, archived, peak(process))


def through(certificates: Certificates | None, source: Path, rounds: int, work: Path) -> None:
    """Rates of the median; CPU seconds are those of the median too, by kind of process."""
    files = [path.stat().st_size for path in source.iterdir()]
    runs = [run(certificates, source, work) for _ in range(rounds)]
    said = {name: median(getattr(each, name) for each in runs) for name in Run._fields}
    for what in ("received", "forwarded"):
        say(f"{what:>10}: {len(files) / said[what]:6.0f} objects/s {sum(files) / said[what] / 1e6:6.0f} MB/s")
    ratio = median(each.received / each.forwarded for each in runs)
    say(f"     ratio: {ratio:6.2f}, forwarded to received")
    kinds = ", ".join(f"{name} {said[name]:.2f}" for name in ("gateway", "workers", "sender", "archive"))
    say(f"  CPU s of {len(files)}: {kinds}; largest process of the gateway {max(each.peak for each in runs)} MB")
