"""An open vault, and a process that does one thing to it and is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deid.model import Change, Outcome, Replacement, Result, State
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHANGES = (Change("PatientName", "Z", "basic profile"), Change("(0009,0010)", "X", "basic profile"))

PRELUDE = """
import os, signal, sys
from pathlib import Path
from deid.model import *
from deid.store.audit import Audit
from deid.store.queue import Queue
from deid.store.vault import Vault
state = Path(sys.argv[1])
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def vault(state: Path) -> Iterator[Vault]:
    with Vault.open(state) as vault:
        yield vault


@pytest.fixture
def queue(vault: Vault) -> Queue:
    return Queue(vault.connection, vault.keys)


@pytest.fixture
def journey(queue: Queue, tmp_path: Path) -> int:
    return queue.journey(tmp_path / "in", tmp_path / "out", "plan")


@pytest.fixture
def came_out_well() -> Callable[..., Outcome]:
    """Makes the outcome of a ticket whose object may be published."""

    def outcome(ticket: int, instance: str = "", replacements: tuple[Replacement, ...] = ()) -> Outcome:
        path = f"P/S/E/{ticket}.dcm"
        result = Result("1.2.840.10008.5.1.4.1.1.2", instance or f"1.2.{ticket}", path, CHANGES, replacements)
        return Outcome(ticket, State.RELEASED, result=result)

    return outcome


@pytest.fixture
def kill_after(state: Path) -> Callable[[str], None]:
    """Runs lines of a program on the state folder in another process, which then is killed."""

    def run(lines: str) -> None:
        program = PRELUDE + lines + "\nos.kill(os.getpid(), signal.SIGKILL)\n"
        done = subprocess.run([sys.executable, "-c", program, state], capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    return run
