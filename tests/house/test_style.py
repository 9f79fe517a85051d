"""Style, types and floors: one command checks all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent

COMMANDS = {
    "linter": [sys.executable, "-m", "ruff", "check", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "types": [sys.executable, "-m", "mypy"],
    "floors": [str(SCRIPTS / "lint-imports"), "--no-cache"],
}


@pytest.mark.parametrize("what", COMMANDS)
def test_the_house_is_in_order(what: str) -> None:
    done = subprocess.run(COMMANDS[what], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
