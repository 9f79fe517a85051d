from __future__ import annotations

import errno
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import deid as package
from deid import errors
from deid.store import queue as store_queue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = {"pydicom", "numpy", "rich", "ruamel", "yaml", "cryptography", "sqlite3", "multiprocessing", "platformdirs"}
PRIVATE = "GRUENWALD^HILDEGARD"


@pytest.fixture
def fails_with(state: Path, deid: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a verb in whose middle this error is raised."""

    def run(error: BaseException) -> object:
        def fail(*_: object) -> NoReturn:
            raise error

        monkeypatch.setattr(store_queue.Queue, "kept_back", fail)
        return deid("queue", "list", "--state", state)

    return run


def test_help_imports_nothing_heavy() -> None:
    program = f"import deid.cli, sys; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_module_and_console_script_are_the_same() -> None:
    done = subprocess.run([sys.executable, "-m", "deid", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"deid {package.__version__}\n"


@pytest.mark.parametrize("verb", ["run", "queue", "crosswalk", "profile", "audit", "demo", "conformance"])
def test_help_names_every_verb_and_every_verb_has_help(deid: Callable[..., Any], verb: str) -> None:
    assert f"\n  {verb} " in deid("--help").out
    said = deid(verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: deid {verb}")


def test_wrong_usage_is_2(deid: Callable[..., Any]) -> None:
    assert deid("rum").code == 2
    assert deid("run", "--nonsense").code == 2


@pytest.mark.parametrize("error", [errors.BadProfile("line 3"), errors.BadState("line 3")])
def test_what_cannot_start_is_one_line_and_2(fails_with: Callable[..., Any], error: errors.DeidError) -> None:
    said = fails_with(error)
    assert (said.code, said.out, said.err) == (2, "", "deid: line 3\n")


def test_a_world_that_is_not_ready_is_told_to_run_again(fails_with: Callable[..., Any]) -> None:
    said = fails_with(errors.Deferred("the disk is full"))
    assert (said.code, said.err) == (1, "deid: the disk is full; run again to resume\n")


def test_a_defect_is_named_by_type_and_place_and_its_text_is_not_told(fails_with: Callable[..., Any]) -> None:
    said = fails_with(ValueError(PRIVATE))
    assert said.code == 1
    assert said.err.startswith("deid: this is a defect of deid: ValueError at deid/cli/queue.py:")
    assert PRIVATE not in said.out + said.err
    assert said.err.count("\n") == 1


def test_a_file_system_that_refuses_is_no_defect_and_its_path_is_not_told(fails_with: Callable[..., Any]) -> None:
    said = fails_with(PermissionError(errno.EACCES, "Permission denied", f"/in/{PRIVATE}"))
    assert said.code == 1
    assert said.err.startswith("deid: a file or folder cannot be used: Permission denied (PermissionError at deid/cli/")
    assert PRIVATE not in said.err


def test_a_message_commands_no_terminal(fails_with: Callable[..., Any]) -> None:
    assert fails_with(errors.BadState("folder \x1b[2J\nis\udcff missing")).err == (
        "deid: folder \\x1b[2J\\nis\\udcff missing\n"
    )


def test_an_interrupt_is_130(fails_with: Callable[..., Any]) -> None:
    said = fails_with(KeyboardInterrupt())
    assert (said.code, said.err) == (130, "deid: interrupted; run again to resume\n")


def test_no_process_that_it_starts_prints_warnings() -> None:
    """Those of libraries may quote values."""
    warns = "import warnings; warnings.warn('a value')"
    program = (
        "import subprocess, sys; from deid.cli import main; sys.argv = ['deid', '--version']\n"
        f"try: main()\nexcept SystemExit: subprocess.run([sys.executable, '-c', {warns!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout.startswith("deid "), done.stderr) == (True, "")
