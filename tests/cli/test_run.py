from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import platformdirs
import pytest

from deid import batch, samples
from deid.errors import Deferred
from deid.model import Summary

if TYPE_CHECKING:
    from collections.abc import Callable

CLEAN = Summary(
    received=5, released=4, held=0, duplicate=1, unreadable=0, discarded=0, waiting=0, leaks=0, dicomdir=0, beside=0,
    seconds=1.5,
    reasons=(),
)  # fmt: skip
REASON = "no SOP Class UID [0008,0016]"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the batch was asked for; "summary" is what it gives back."""
    asked: dict[str, Any] = {"summary": CLEAN}

    def run(**words: object) -> object:
        asked.update(words)
        return asked["summary"]

    monkeypatch.setattr(batch, "run", run)
    return asked


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_defaults(deid: Callable[..., Any], asked: dict[str, Any], source: Path) -> None:
    assert deid("run", source, "out").code == 0
    assert (asked["source"], asked["target"], asked["key"]) == (source, Path("out"), None)
    assert asked["state"] == platformdirs.user_data_path("deid-gateway")
    assert asked["plan"].document.name == "default"
    assert asked["plan"].options == {"clean-pixel-data"}
    assert asked["jobs"] >= 1
    assert asked["dicomdir"] is False


def test_options_reach_the_batch(deid: Callable[..., Any], asked: dict[str, Any], source: Path) -> None:
    words = "--state s --key k --jobs 3 --dicomdir --profile teleradiology --option retain-safe-private"
    assert deid("run", source, "out", *words.split()).code == 0
    assert (asked["state"], asked["key"], asked["jobs"], asked["dicomdir"]) == (Path("s"), Path("k"), 3, True)
    assert asked["plan"].document.name == "teleradiology"
    assert {"retain-safe-private", "retain-uids"} <= asked["plan"].options


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({}, 0),
        ({"discarded": 1}, 0),
        ({"held": 1}, 3),
        ({"unreadable": 1}, 3),
        ({"waiting": 1}, 3),
        ({"held": 1, "leaks": 1}, 4),
    ],
)
def test_exit_codes(
    deid: Callable[..., Any], asked: dict[str, Any], source: Path, found: dict[str, Any], code: int
) -> None:
    asked["summary"] = replace(CLEAN, **found)
    assert deid("run", source, "out").code == code
    assert deid("run", source, "out", "--json").code == code


def test_json_is_the_summary_and_nothing_else(deid: Callable[..., Any], asked: dict[str, Any], source: Path) -> None:
    asked["summary"] = summary = replace(CLEAN, held=2, reasons=((REASON, 2),))
    said = deid("run", source, "out", "--json")
    assert json.loads(said.out) == asdict(summary) | {"reasons": [[REASON, 2]]}
    assert said.out.count("\n") == 1


def test_the_summary_balances_and_says_why_and_what_next(
    deid: Callable[..., Any], asked: dict[str, Any], source: Path
) -> None:
    asked["summary"] = replace(CLEAN, received=8, held=3, reasons=((REASON, 3),))
    said = deid("run", source, "out", "--state", "my state")
    counts = dict(line.split() for line in said.out.split("\n\n")[0].splitlines())
    assert counts == {"received": "8", "released": "4", "held": "3", "duplicate": "1", "unreadable": "0"}
    assert f"3  {REASON}\n" in said.out
    assert "output is in out\n" in said.out
    assert "Look at it: deid report --state 'my state'\n" in said.out
    assert "Next: deid queue list --state 'my state'\n" in said.out
    assert said.err == ""


def test_rare_states_are_shown_when_they_count(deid: Callable[..., Any], asked: dict[str, Any], source: Path) -> None:
    asked["summary"] = replace(CLEAN, discarded=7, waiting=9, dicomdir=1)
    said = deid("run", source, "out")
    assert "discarded   7" in said.out
    assert "waiting     9" in said.out
    assert "Not counted: 1 DICOMDIR" in said.out


def test_a_bar_is_drawn_on_stderr_when_somebody_watches(
    deid: Callable[..., Any], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(**words: Any) -> Summary:
        words["progress"](4, 5)
        return CLEAN

    monkeypatch.setattr(batch, "run", run)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    said = deid("run", source, "out", "--json")
    assert "4/5" in said.err
    assert json.loads(said.out)["released"] == 4


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("missing", "out"), "no folder or file missing"),
        ((".", "out", "--profile", "basik"), "unknown profile"),
        ((".", "out", "--option", "clean-graphics"), "refused, not ignored"),
        ((".", "out", "--jobs", "0"), "--jobs"),
    ],
)
def test_nothing_starts(deid: Callable[..., Any], asked: dict[str, Any], words: tuple[str, ...], error: str) -> None:
    said = deid("run", *words)
    assert said.code == 2
    assert error in said.err
    assert "source" not in asked


def test_an_interrupted_batch_is_130(deid: Callable[..., Any], source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "run", run)
    said = deid("run", source, "out")
    assert (said.code, said.out) == (130, "")
    assert "run again to resume" in said.err


@pytest.mark.parametrize(("words", "lines"), [(("--json",), 1), ((), 0)])
def test_a_run_that_stops_early_says_as_json_how_far_it_came(
    deid: Callable[..., Any], source: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], lines: int
) -> None:
    def run(**given: Any) -> NoReturn:
        given["stopped"](replace(CLEAN, waiting=7))
        raise Deferred("the disk is full")

    monkeypatch.setattr(batch, "run", run)
    said = deid("run", source, "out", *words)
    assert (said.code, said.err) == (1, "deid: the disk is full; run again to resume\n")
    assert [json.loads(line)["waiting"] for line in said.out.splitlines()] == [7] * lines


def test_what_cannot_be_looked_at_is_no_input(
    deid: Callable[..., Any], asked: dict[str, Any], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", closed)
        said = deid("run", source, "out")
    assert said.code == 2
    assert "to read: Permission denied" in said.err
    assert "source" not in asked


def test_a_folder_commands_no_terminal(deid: Callable[..., Any], asked: dict[str, Any], source: Path) -> None:
    assert asked["summary"] is CLEAN
    assert "The output is in out\\x1b[2J\n" in deid("run", source, "out\x1b[2J").out


def test_demo_goes_the_whole_way(deid: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    said = deid("demo", folder)
    assert said.code == 0
    assert list((folder / "out").rglob("*.dcm"))
    released = next(line.split()[1] for line in said.out.splitlines() if "released" in line)
    assert int(released) == len(list((folder / "out").rglob("*.dcm")))
    assert (folder / "state" / "key").exists()


def test_demo_leaves_other_files_alone(
    deid: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "make", lambda _: pytest.fail("samples were written"))
    (tmp_path / "mine").touch()
    said = deid("demo", tmp_path)
    assert said.code == 2
    assert "not empty" in said.err
