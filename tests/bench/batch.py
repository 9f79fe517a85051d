"""How long a folder takes: cp, three other de-identifiers and `deid run`, in turn on the same files, whole processes.

python tests/bench/batch.py [--sets ct,tiny,multiframe,scaling] [--rounds N] [--work DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

SETS = {"ct": "ct-400", "tiny": "tiny-1000", "multiframe": "three-150"}
SCALING = {  # what one unit is, as the manifests of the data sets call it
    "files": ("ct-100", "ct-200", "ct-400", "ct-800"),
    "elements": ("contours-500", "contours-1000", "contours-2000", "contours-4000"),
    "bytes": ("multiframe-50", "multiframe-100", "multiframe-200"),
}
PEERS = {"dicognito": "0.19.0", "dicom-anonymizer": "2.1.0"}
OURS = "deid"

Command = Callable[[Path, Path, Path], list[str]]  # (IN, OUT, a fresh folder for state) -> what to run


@dataclass(frozen=True, slots=True)
class Program:
    """One contestant: what it is called, which version, and how it is told to de-identify a folder."""

    name: str
    version: str
    command: Command


@dataclass(frozen=True, slots=True)
class Run:
    """One whole process, seen from outside."""

    wall: float  # seconds from before it was started until it was waited for
    sync: float  # seconds to bring the rest of what it wrote to the disk, after it ended
    cpu: float  # user + system, its children included
    peak: int  # KiB, the largest of its processes
    released: int
    code: int


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def first_line(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.partition("\n")[0].strip()


def installed(work: Path, name: str, what: str) -> tuple[str, str]:
    """Give interpreter and version of a program in an environment of its own, which is made if it is missing."""
    python = work / "venvs" / name / "bin" / "python"
    if not python.exists():
        say(f"making {python.parents[1]}")
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    ask = f"from importlib.metadata import version as v; print(v({name!r}), 'on pydicom', v('pydicom'))"
    return str(python), first_line(str(python), "-c", ask)


def peer(work: Path, name: str) -> tuple[str, str]:
    return installed(work, name, f"{name}=={PEERS[name]}")


def ours(work: Path) -> Program:
    """Installed as its users install it, like the peers: from a checkout, Python may compile it anew for each run."""
    python, release = installed(work, "deid-gateway", str(Path(__file__).resolve().parents[2]))
    script = str(Path(python).with_name("deid"))
    options = ["--profile", "basic", "--jobs", "1", "--json"]
    return Program(OURS, release, lambda i, o, state: [script, "run", str(i), str(o), "--state", str(state), *options])


def contestants(work: Path) -> list[Program]:
    """Those that can be had here, cp first; who is missing is named and left out."""
    copy = 'cp -r "$1" "$2" && sync -f "$2"'
    programs = [Program("cp", first_line("cp", "--version"), lambda i, o, _: ["sh", "-c", copy, "sh", str(i), str(o)])]
    try:
        certificate = work / "gdcmanon.pem"  # gdcmanon encrypts the original attributes for its owner
        if not certificate.exists():
            request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench"]
            request += ["-keyout", str(work / "gdcmanon.key"), "-out", str(certificate)]
            subprocess.run(request, check=True, capture_output=True)
        anon = ["gdcmanon", "--de-identify", "--certificate", str(certificate), "--recursive", "--continue"]
        release = first_line("gdcmanon", "--version").partition(" $")[0]
        programs.append(Program("gdcmanon", release, lambda i, o, _: [*anon, "-i", str(i), "-o", str(o)]))
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"without gdcmanon: {error}")
    try:
        python, release = peer(work, "dicognito")
        # -P: `-m` would put the current folder before the environment's own packages.
        walk = [python, "-P", "-m", "dicognito", "--quiet", "--output-directory"]
        programs.append(Program("dicognito", release, lambda i, o, _: [*walk, str(o), str(i)]))
        python, release = peer(work, "dicom-anonymizer")
        script = str(Path(python).with_name("dicom-anonymizer"))
        programs.append(Program("dicom-anonymizer", release, lambda i, o, _: [script, str(i), str(o)]))
    except subprocess.CalledProcessError as error:
        say(f"without peers from PyPI: {error}")
    return [*programs, ours(work)]


def measure(program: Program, source: Path, work: Path) -> Run:
    """Run it once on a warm page cache, a quiet disk and an empty OUT; what it says goes to work/logs."""
    scratch = work / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    out, state = scratch / "out", scratch / "state"
    out.mkdir(parents=True)
    (work / "logs").mkdir(exist_ok=True)
    for path in source.iterdir():
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    os.sync()  # nobody pays for what the one before left behind
    log = work / "logs" / f"{program.name}-{source.name}.log"
    with log.open("wb") as said:
        began = perf_counter()
        process = subprocess.Popen(program.command(source, out, state), stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    began = perf_counter()
    subprocess.run(["sync", "-f", out], check=True)
    sync = perf_counter() - began
    released = sum(1 for path in out.rglob("*.dcm") if path.stat().st_size)
    return Run(wall, sync, used.ru_utime + used.ru_stime, used.ru_maxrss, released, process.returncode)


def in_turn(pairs: list[tuple[Program, Path]], rounds: int, work: Path) -> list[list[Run]]:
    """Every pair once a round, never two at a time, each round begun by another; who releases nothing runs once."""
    runs: list[list[Run]] = [[] for _ in pairs]
    for turn in range(rounds):
        for place in range(len(pairs)):
            which = (place + turn) % len(pairs)
            if not runs[which] or runs[which][-1].released:
                runs[which].append(measure(*pairs[which], work))
    shutil.rmtree(work / "run", ignore_errors=True)
    return runs


def head(title: str, *more: str) -> None:
    say(f"\n{title}")
    said = ("median s", "min s", "sync s", "user+sys s", "peak MB", "released", *more)
    say(" " * 17 + "".join(f" {word:>12}" for word in said))


def row(name: str, mine: list[Run], files: int, *more: str) -> None:
    if not mine[-1].released:
        say(f"{name:17}        skipped: exit {mine[-1].code}, nothing released; its log says why")
        return
    middle = median(run.wall for run in mine), min(run.wall for run in mine), median(run.sync for run in mine)
    peak = max(run.peak for run in mine) / 1024
    said = *(f"{value:.3f}" for value in (*middle, median(run.cpu for run in mine))), f"{peak:.1f}"
    failed = f", exit {mine[-1].code}" if mine[-1].code else ""
    say(f"{name:17}" + "".join(f" {word:>12}" for word in (*said, f"{mine[-1].released}/{files}{failed}", *more)))


def compare(name: str, made: dict[str, int], programs: list[Program], rounds: int, work: Path) -> dict[str, list[Run]]:
    """One data set, all programs. `x cp on disk` counts for each the sync which cp's own time holds already."""
    what = f"{made['files']} files, {made['bytes'] / 1e6:.1f} MB, {made['elements']} elements"
    head(f"{name}: {what}, {rounds} rounds", "x cp", "x cp on disk")
    found = in_turn([(program, work / "data" / name) for program in programs], rounds, work)
    runs = dict(zip((program.name for program in programs), found, strict=True))
    copied = median(run.wall for run in found[0])
    on_disk = median(run.wall + run.sync for run in found[0])
    for who, mine in runs.items():
        ratio = median(run.wall for run in mine) / copied
        row(who, mine, made["files"], f"{ratio:.2f}", f"{median(run.wall + run.sync for run in mine) / on_disk:.2f}")
    return runs


def scale(unit: str, manifests: dict[str, dict[str, int]], rounds: int, work: Path) -> dict[str, list[Run]]:
    """Cost of ours per unit: in all, its start included, and of each step to the next size, which is the slope."""
    names = SCALING[unit]
    head(f"{OURS}, cost by {unit}, {rounds} rounds", unit, "us each", "us each more")
    program = ours(work)
    runs = in_turn([(program, work / "data" / name) for name in names], rounds, work)
    before = 0, 0.0
    for name, mine in zip(names, runs, strict=True):
        count, wall = manifests[name][unit], median(run.wall for run in mine)
        more = (wall - before[1]) / (count - before[0]) * 1e6
        row(name, mine, manifests[name]["files"], str(count), f"{wall / count * 1e6:.4g}", f"{more:.4g}")
        before = count, wall
    return dict(zip(names, runs, strict=True))


def machine(work: Path) -> dict[str, str]:
    """Where and when: without it no number below means anything."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpus = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = subprocess.run(["df", "--output=fstype", work], check=True, capture_output=True, text=True).stdout.split()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": f"{cpus[0] if cpus else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory:.1f} GiB",
        "file system": kind[-1],
        "system": f"{platform.platform()}, Python {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "peak MB is at least": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} (the benchmark's own)",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join([*SETS, "scaling"]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "deid-bench")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    sets, work = wanted.sets.split(","), wanted.work.resolve()
    if set(sets) - {*SETS, "scaling"}:
        parser.error(f"the sets are {', '.join(SETS)}, scaling")
    work.mkdir(parents=True, exist_ok=True)
    names = [SETS[name] for name in sets if name in SETS]
    scaled = [name for group in SCALING.values() for name in group] if "scaling" in sets else []
    generator = Path(__file__).with_name("datasets.py")
    subprocess.run([sys.executable, generator, work / "data", *names, *scaled], check=True)
    manifests = {name: json.loads((work / "data" / f"{name}.json").read_text()) for name in [*names, *scaled]}
    programs = contestants(work) if names else [ours(work)]
    found = machine(work) | {program.name: program.version for program in programs}
    for key, value in found.items():
        say(f"{key}: {value}")
    runs = {name: compare(name, manifests[name], programs, wanted.rounds, work) for name in names}
    for unit in SCALING if scaled else ():
        runs[f"by {unit}"] = scale(unit, manifests, wanted.rounds, work)
    if wanted.json:
        everything = {"machine": found, "sets": manifests, "runs": runs}
        wanted.json.write_text(json.dumps(everything, indent=1, default=asdict) + "\n")


if __name__ == "__main__":
    main()
