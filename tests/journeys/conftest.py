"""Whole runs, as their user starts them: `deid` in a process of its own, on objects made from one sample."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid import samples

from .site import Archive, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Whoever runs the tests in the background may have them ignore Ctrl-C, and their children with them.
PROGRAM = ("env", "--default-signal=INT", sys.executable, "-m", "deid")
HEADER_ONLY = ("--profile", "basic")  # most journeys are about files, and searching images takes its time
INSTANCE = b"2.25.264681962108898903464577784891660788833.1.1.1"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @cached_property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.out.splitlines()[-1]))

    @property
    def counts(self) -> dict[str, int]:
        """What is not 0, after a look at the balance."""
        ends = ("released", "held", "duplicate", "unreadable", "discarded", "waiting")
        assert self.summary["received"] == sum(self.summary[end] for end in ends)
        return {name: self.summary[name] for name in (*ends, "leaks", "dicomdir") if self.summary[name]}


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Makes a CT image: `number` is in its SOP Instance UID, `pixel` is its first pixel."""
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    sample = (folder / "CT/IM000001").read_bytes()
    at = sample.index(b"\xe0\x7f\x10\0OW\0\0") + 12
    assert INSTANCE in sample[:at]

    def make(number: int, pixel: int = 0) -> bytes:
        changed = sample[:at] + pixel.to_bytes(2, "little") + sample[at + 2 :]
        return changed.replace(INSTANCE, b"2.25.%d.1.1.1" % (10**38 + number))

    assert len(make(1)) == len(sample)
    return make


@pytest.fixture
def deid(tmp_path: Path) -> Callable[..., Said]:
    """Runs a verb to its end; `run` takes IN to OUT with the state in `state`, unless told otherwise."""

    def call(*words: object, state: Path | None = None, code: int = 0) -> Said:
        profile = HEADER_ONLY if words[0] == "run" and "--profile" not in words else ()
        line = [*PROGRAM, *map(str, words), *profile, "--state", str(state or tmp_path / "state")]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == code, done.stderr + done.stdout
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def tree() -> Callable[[Path], dict[str, str]]:
    """Every file below a folder, hidden ones too, with the digest of its content."""

    def read(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }

    return read


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Synthetic studies, without the index that no modality sends."""
    samples.make(tmp_path / "in")
    return [path for path in sorted((tmp_path / "in").rglob("*")) if path.is_file() and path.name != "DICOMDIR"]


@pytest.fixture
def site(tmp_path: Path, archive: Archive) -> Site:
    return Site(tmp_path, archive.port)
