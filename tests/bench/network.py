"""How fast objects are received and sent: dcmtk, Orthanc, pynetdicom and ours, in turn on the same files, on loopback.

python tests/bench/network.py [--legs receive,receive-as-it-comes,send] [--sets mr,ct,multiframe] [--rounds N] [--tls]

A sender is a whole process, its start included. A receiver runs for all rounds; its CPU time is what one run took.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from batch import machine, say

from deid.network.authority import Authority, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETS = {"mr": "mr-1000", "ct": "ct-200", "multiframe": "three-130"}
AT_ONCE = (1, 4)
TICK = os.sysconf("SC_CLK_TCK")
QUICK = {"TCP_NODELAY": "1"}  # dcmtk leaves Nagle's algorithm on; without this the kernel's timers are measured


@dataclass(frozen=True)
class Certificates:
    """One authority, and one certificate for everybody."""

    folder: Path

    def dcmtk(self) -> list[str]:
        return ["+tls", f"{self.folder}/ours.key", f"{self.folder}/ours.pem", "+cf", f"{self.folder}/ca.pem"]

    def ours(self) -> list[str]:
        names = ("authorities", "ca.pem"), ("certificate", "ours.pem"), ("key", "ours.key")
        return [word for option, name in names for word in (f"--tls-{option}", f"{self.folder}/{name}")]


class Program(NamedTuple):
    """What listens or sends: how it is started with a port and a folder, and what its environment adds."""

    name: str
    command: Callable[[int, Path], list[str]]
    environment: dict[str, str]


Comparison = tuple[list[Program], list[Program], int]  # senders, receivers, how many of a sender at once


class Run(NamedTuple):
    """One transfer: seconds until all senders had ended, CPU seconds of the receiver and of the senders."""

    wall: float
    receiver: float
    senders: float


def children(process: int) -> list[int]:
    """Those of a process that run, or have ended and were not yet asked about."""
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def told(process: int, what: str) -> list[str]:
    """What /proc says of a process and of its children, as far as they are still there."""
    found = []
    for each in (process, *children(process)):
        with suppress(OSError):
            found.append(Path(f"/proc/{each}/{what}").read_text())
    return found


def used(process: int) -> float:
    """CPU seconds of a process and of its children."""
    fields = [each.rpartition(")")[2].split()[11:15] for each in told(process, "stat")]
    return sum(int(ticks) for each in fields for ticks in each) / TICK


def peak(process: int) -> int:
    """MB, the largest of a process and of its children that run."""
    status = [each.partition("VmHWM:")[2] for each in told(process, "status")]
    return max(int(each.split()[0]) for each in status if each) >> 10


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def listening(receiver: Program, work: Path) -> Iterator[tuple[int, int, Path]]:
    """Port, process and folder of a receiver."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
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


def dcmtk_receiver(name: str, environment: dict[str, str], certificates: Certificates | None) -> Program:
    options = ["--fork", "--bit-preserving", "--max-pdu", "131072", *(certificates.dcmtk() if certificates else [])]
    return Program(name, lambda port, out: ["storescp", *options, "-od", str(out), str(port)], environment)


def dcmtk_sender(name: str, environment: dict[str, str], certificates: Certificates | None) -> Program:
    options = ["--required", *(certificates.dcmtk() if certificates else []), "+sd"]
    return Program(name, lambda port, source: ["storescu", *options, "localhost", str(port), str(source)], environment)


def our_receiver(how: str, certificates: Certificates | None) -> Program:
    script = str(Path(__file__).with_name("receiver.py"))
    more = [str(certificates.folder)] if certificates else []
    return Program(how, lambda port, out: [sys.executable, script, how, str(port), str(out), *more], {})


def orthanc(environment: dict[str, str]) -> list[Program]:
    """None where it is not installed."""

    def command(port: int, out: Path) -> list[str]:
        settings = {
            "StorageDirectory": str(out), "IndexDirectory": str(out), "DicomPort": port, "HttpServerEnabled": False,
            "OverwriteInstances": True,
        }  # fmt: skip
        (out / "settings").write_text(json.dumps(settings))
        return ["Orthanc", str(out / "settings")]

    return [Program("Orthanc", command, environment)] if shutil.which("Orthanc") else []


def our_sender(certificates: Certificates | None) -> Program:
    program = [str(Path(sys.executable).with_name("deid")), "send", *(certificates.ours() if certificates else [])]
    return Program("deid send", lambda port, source: [*program, str(source), f"ANY-SCP@localhost:{port}"], {})


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


LEGS = {"receive": receiving, "receive-as-it-comes": receiving_as_it_comes, "send": sending}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", default=",".join(LEGS))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "deid-bench")
    wanted = parser.parse_args()
    work = wanted.work.resolve()
    names = {name: SETS[name] for name in wanted.sets.split(",")}
    generator = Path(__file__).with_name("datasets.py")
    subprocess.run([sys.executable, generator, work / "data", *names.values()], check=True)
    certificates = None
    if wanted.tls:
        folder = work / "certificates"
        if not folder.exists():
            Authority.create(folder, "bench", 3000).issue(Subject("ours", ("DEID",), ("localhost",)), 3000)
        certificates = Certificates(folder)
    for key, value in machine(work).items():
        say(f"{key}: {value}")
    for name, full in names.items():
        for leg in wanted.legs.split(","):
            for pairs in LEGS[leg](certificates):
                say(f"\n{leg}: {name}{', TLS' if certificates else ''}")
                compare(pairs, work / "data" / full, wanted.rounds, work)


if __name__ == "__main__":
    main()
