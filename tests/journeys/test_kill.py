"""SIGKILL at any moment: what is under a final name is whole, nothing is lost or doubled, and the next run goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.forward.folder import UNPUBLISHED

from .conftest import HEADER_ONLY, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = 100  # for each number of jobs
OBJECTS = 140
ENDS = {"released": OBJECTS, "held": 3, "duplicate": 5, "unreadable": 2}


@pytest.fixture
def filled(source: Path, ct: Callable[..., bytes]) -> Path:
    for number in range(OBJECTS):
        (source / f"{number:03}.dcm").write_bytes(ct(number))
    for number in range(5):
        (source / f"again {number}").write_bytes(ct(number * 28))
    for number in range(3):
        (source / f"other {number}").write_bytes(ct(number * 47, pixel=7))
    for number in range(2):
        (source / f"notes {number}.txt").write_bytes(b"no DICOM")
    return source


@pytest.mark.parametrize("jobs", [1, 2])
def test_kills_lose_nothing_double_nothing_and_show_nothing_partial(
    filled: Path, target: Path, tmp_path: Path, jobs: int, deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    undisturbed, state = tmp_path / "undisturbed", tmp_path / "state"
    began = time.monotonic()
    assert (
        deid("run", filled, undisturbed, "--jobs", jobs, "--json", state=tmp_path / "its state", code=3).counts == ENDS
    )
    took = time.monotonic() - began
    whole = tree(undisturbed)
    shutil.copy(tmp_path / "its state/key", tmp_path / "key")
    line = ["run", filled, target, *HEADER_ONLY, "--jobs", jobs, "--key", tmp_path / "key", "--json"]
    chance = random.Random(jobs)  # noqa: S311 - it chooses moments, not keys
    kills = finished = 0
    while kills < KILLS:
        run = subprocess.Popen(
            [*PROGRAM, *map(str, line), "--state", str(state)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            code = run.wait(chance.uniform(0.3, 1.02) * took)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
            took *= 1 if finished else 1.05  # the machine may have less time for this than it had at first
        else:
            assert code == 3
            assert tree(target) == whole
            shutil.rmtree(target)
            shutil.rmtree(state)
            finished += 1
            continue
        visible = {name: digest for name, digest in tree(target).items() if not name.startswith(UNPUBLISHED)}
        assert visible.items() <= whole.items()
    assert deid(*line, code=3).counts == ENDS
    assert tree(target) == whole
    assert not (target / UNPUBLISHED).exists()
    assert list((state / "work").iterdir()) == []
    assert finished, "no run ever came to its end, so nothing was resumed"


def test_no_process_outlives_a_killed_run(filled: Path, target: Path, tmp_path: Path) -> None:
    line = [*PROGRAM, "run", filled, target, *HEADER_ONLY, "--jobs", "2", "--state", tmp_path / "state"]
    run = subprocess.Popen(list(map(str, line)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    workers: set[int] = set()
    while run.poll() is None and len(workers) < 2:
        workers = {pid for pid in _children(run.pid) if "spawn_main" in _words_of(pid)}
    assert len(workers) == 2
    run.kill()
    run.wait()
    until = time.monotonic() + 30
    while any("spawn_main" in _words_of(pid) for pid in workers):
        assert time.monotonic() < until, "a worker waits for ever"
        time.sleep(0.01)


def _children(pid: int) -> set[int]:
    try:
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))
    except FileNotFoundError:
        return set()


def _words_of(pid: int) -> str:
    """The command line of a process; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_with_130_and_the_next_run_resumes(
    filled: Path, target: Path, tmp_path: Path, jobs: int, deid: Callable[..., Any]
) -> None:
    line = [*PROGRAM, "run", filled, target, *HEADER_ONLY, "--jobs", str(jobs), "--state", tmp_path / "state"]
    run = subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
    while not any(target.glob(f"{UNPUBLISHED}/*.part")):
        assert run.poll() is None
    os.killpg(run.pid, signal.SIGINT)  # as the terminal does: to the worker processes too
    out, err = run.communicate()
    assert (run.returncode, out, err) == (130, b"", b"deid: interrupted; run again to resume\n")
    assert not (target / UNPUBLISHED).exists()
    assert deid("run", filled, target, "--json", code=3).counts == ENDS


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_again_and_again_is_no_other_end(filled: Path, target: Path, tmp_path: Path, jobs: int) -> None:
    line = [*PROGRAM, "run", filled, target, *HEADER_ONLY, "--jobs", str(jobs), "--state", tmp_path / "state"]
    run = subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
    while not any(target.glob(f"{UNPUBLISHED}/*.part")):
        assert run.poll() is None
    while run.poll() is None:
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.02)
    assert (run.communicate(), run.returncode) == ((b"", b"deid: interrupted; run again to resume\n"), 130)
    assert not (target / UNPUBLISHED).exists()
