"""What is installed from a built wheel works without the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_brings_all_it_needs(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("deid_gateway-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "-q", wheel], check=True, capture_output=True)
    subprocess.run([programs / "deid", "demo", "demo"], cwd=tmp_path, check=True, capture_output=True)
    again = [str(programs / "deid"), "run", "demo/in", "demo/out", "--state", "demo/state", "--json"]
    done = subprocess.run(again, cwd=tmp_path, check=True, capture_output=True, text=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["received"] == summary["released"] > 0
    assert len(list((tmp_path / "demo" / "out").rglob("*.dcm"))) == summary["released"]
    (tmp_path / "p.yaml").write_text("version: 1\nbase: default\npixels: {devices: ultrasound}\n")
    subprocess.run([programs / "deid", "profile", "check", "p.yaml"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(
        [programs / "deid", "report", "--state", "demo/state"], cwd=tmp_path, check=True, capture_output=True
    )
    assert "data:image/jpeg" in (tmp_path / "demo" / "state" / "report.html").read_text()
