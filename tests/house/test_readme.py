"""The README says what the program does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deid.model import State
from deid.profile.options import OPTIONS
from deid.profile.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_every_module_is_in_the_table_of_rooms() -> None:
    rooms = {path.stem for path in (ROOT / "deid").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    told = {
        word.strip("` ")
        for line in README.splitlines()
        if line.startswith("| `")
        for word in line.split("|")[1].split(",")
    }
    assert rooms - told == {"__init__", "__main__", "errors", "log", "model", "version"}
    assert told - rooms == set()


def test_every_shipped_profile_and_every_option_is_told() -> None:
    for name in shipped():
        assert f"* `{name}`:" in README
    for option in OPTIONS.values():
        assert (f"`{option.name}`" in README) == option.available


def test_every_state_is_in_the_balance() -> None:
    for state in (State.RELEASED, State.HELD, State.DUPLICATE, State.UNREADABLE):
        assert state.value in README


@pytest.mark.parametrize(
    "verb",
    "run scan report queue crosswalk audit profile settings certs demo doctor send echo conformance".split(),
)
def test_the_verbs_are_those_of_the_program(verb: str) -> None:
    assert f"deid {verb}" in README
    done = subprocess.run([sys.executable, "-m", "deid", verb, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_options_of_run_are_those_of_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "deid", "run", "--help"], capture_output=True, text=True, check=False)
    (usage,) = [line for line in README.splitlines() if line.startswith("deid run IN OUT")]
    for word in usage.replace("[", " ").replace("]", " ").split():
        if word.startswith("--"):
            assert word in done.stdout


def test_the_example_profile_is_valid(tmp_path: Path) -> None:
    example = README.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "example.yaml").write_text(example)
    command = [sys.executable, "-m", "deid", "profile", "check", str(tmp_path / "example.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_example_settings_are_valid_with_the_certificates_that_are_told(tmp_path: Path) -> None:
    section = README.split("\nIts settings:\n")[1].split("\n## ")[0]
    (tmp_path / "settings.yaml").write_text(section.split("```yaml\n")[1].split("```")[0])
    for line in section.split("```sh\n")[1].split("```")[0].splitlines():
        done = subprocess.run([sys.executable, "-m", *line.split()], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
