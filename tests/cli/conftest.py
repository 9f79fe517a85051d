"""The command line as its user meets it: words in, an exit code and two streams out."""

from __future__ import annotations

import io
import json
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from deid.cli import main
from deid.model import Change, Finding, Outcome, Replacement, Result, State
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOUND = Finding("ImageComments", "PatientName")
LEAK = "an identifying value survives in ImageComments"
TOO_LARGE = "the header is too large"
PAIR = Replacement("patient", "GRUENWALD^1", "1234567890123456")


@dataclass(frozen=True)
class Said:
    code: object
    out: str
    err: str


@pytest.fixture
def deid(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    before = signal.getsignal(signal.SIGINT)

    def run(*words: object, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["deid", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            main()
        return Said(end.value.code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """After a run: ticket 1 is released, 2 held for a finding, 3 held for another reason."""
    folder = tmp_path / "state"
    with Vault.open(folder) as vault:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "out", "plan")
        queue.enrol(journey, [(tmp_path / "in" / f"[bold]{number}\x1b[2J", (1, 1, 1)) for number in (1, 2, 3)])
        result = Result("1.2.840.10008.5.1.4.1.1.2", "1.2.1", "P/S/E/1.dcm", (Change("PatientName", "Z", ""),), (PAIR,))
        released = Outcome(1, State.RELEASED, result=result)
        leaking = Outcome(2, State.HELD, LEAK, leak=True, findings=(FOUND,))
        queue.record_ends(journey, [released, leaking, Outcome(3, State.HELD, TOO_LARGE)])
    return folder


@pytest.fixture
def events(state: Path) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """What stands in the audit trail."""

    def read() -> list[tuple[str, dict[str, Any]]]:
        trail = state / "audit.jsonl"
        lines = trail.read_text("ascii").splitlines() if trail.exists() else []
        return [(line["event"], line["fields"]) for line in map(json.loads, lines)]

    return read
