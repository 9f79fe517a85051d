"""The legs that move objects: every pair of a sender and a receiver in turn, on the same files."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from batch import say
from peers import QUICK, dcmtk_receiver, dcmtk_sender, orthanc, our_receiver, our_sender
from processes import Program, listening, peak, used

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peers import Certificates

AT_ONCE = (1, 4)

Comparison = tuple[list[Program], list[Program], int]  # senders, receivers, how many of a sender at once


class Run(NamedTuple):
    """One transfer: seconds until all senders had ended, CPU seconds of the receiver and of the senders."""

    wall: float
    receiver: float
    senders: float


def transfer(sender: Program, port: int, process: int, source: Path, at_once: int) -> Run:
    """Send everything `at_once` times at the same time."""
    before, began = used(process), time.perf_counter()
    senders = [
        subprocess.Popen(
            sender.command(port, source), env=os.environ | sender.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(at_once)
    ]  # fmt: skip
    ended = [os.wait4(each.pid, 0) for each in senders]
    wall = time.perf_counter() - began
    for each, (_, status, _) in zip(senders, ended, strict=True):
        each.returncode = os.waitstatus_to_exitcode(status)
    failed = [each.returncode for each in senders if each.returncode]
    if failed:
        raise SystemExit(f"{sender.name} ended with {failed}")
    return Run(wall, used(process) - before, sum(usage.ru_utime + usage.ru_stime for _, _, usage in ended))


def clear(out: Path) -> None:
    """Make room for the next run; what a receiver needs to go on stays."""
    for path in out.rglob("*"):
        if path.suffix == ".dcm" or path.name.startswith(("CT.", "MR.", "OT.", "SC.")):
            path.unlink()


def compare(pairs: Comparison, source: Path, rounds: int, work: Path) -> None:
    """Every pair once a round, in turn. Rates are of the median; ratios are to the first pair."""
    senders, receivers, at_once = pairs
    files = [path.stat().st_size for path in source.iterdir()]
    runs: dict[tuple[str, str], list[Run]] = {}
    peaks: dict[str, int] = {}
    with ExitStack() as stack:
        ready = [(receiver.name, *stack.enter_context(listening(receiver, work))) for receiver in receivers]
        for _ in range(rounds):
            for sender in senders:
                for name, port, process, out in ready:
                    run = transfer(sender, port, process, source, at_once)
                    runs.setdefault((sender.name, name), []).append(run)
                    peaks[name] = max(peaks.get(name, 0), peak(process))
                    clear(out)
    first = median(run.wall for run in next(iter(runs.values())))
    for (sender_name, name), mine in runs.items():
        wall = median(run.wall for run in mine)
        say(
            f"{sender_name:>16} -> {name:<12} x{at_once}: {len(files) * at_once / wall:8.0f} objects/s"
            f" {sum(files) * at_once / wall / 1e6:7.0f} MB/s  ratio {first / wall:5.2f}"
            f"  CPU s {median(run.senders for run in mine):6.2f} -> {median(run.receiver for run in mine):6.2f}"
            f"  {peaks[name]:5} MB"
        )


def receiving(certificates: Certificates | None) -> Iterator[Comparison]:
    """Programs, from one sender and from four, without Nagle's algorithm on either side of dcmtk."""
    receivers = [dcmtk_receiver("storescp", QUICK, certificates)]
    receivers += [our_receiver(how, certificates) for how in ("bare", "durable")]
    if certificates is None:
        receivers += [our_receiver("pynetdicom", None), *orthanc(QUICK)]
    for at_once in AT_ONCE:
        yield [dcmtk_sender("storescu", QUICK, certificates)], receivers, at_once


def receiving_as_it_comes(certificates: Certificates | None) -> Iterator[Comparison]:
    """The same from a storescu that nobody has told about TCP_NODELAY."""
    receivers = [our_receiver("pynetdicom", None)] if certificates is None else []
    receivers += [our_receiver(how, certificates) for how in ("bare", "durable")]
    yield [dcmtk_sender("storescu as it comes", {}, certificates)], receivers, 1


def sending(certificates: Certificates | None) -> Iterator[Comparison]:
    """Programs, to receivers as they come and to one without Nagle's algorithm."""
    senders = [
        dcmtk_sender("storescu as it comes", {}, certificates),
        dcmtk_sender("storescu", QUICK, certificates),
        our_sender(certificates),
    ]
    yield senders, [dcmtk_receiver("storescp as it comes", {}, certificates)], 1
    yield senders, [dcmtk_receiver("storescp", QUICK, certificates)], 1
    if certificates is None:
        for receiver in orthanc({}):
            yield senders, [receiver], 1
