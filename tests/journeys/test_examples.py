"""The examples of samples/deploy do what they are for, on ports that are free."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.samples.planted import PLANTED
from tests.ports import free_ports

from .site import PATIENCE, all_in, eventually

if TYPE_CHECKING:
    from tests.conftest import Programs

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "samples" / "deploy"
OBJECTS = 12  # in samples/studies
IGNORED = {line.strip("/") for line in (DEPLOY / "loopback" / ".gitignore").read_text().splitlines()}


def deid(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "deid", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("Orthanc"), reason="Orthanc is not installed")
def test_the_gateway_and_the_archive_of_the_containers_understand_each_other(
    tmp_path: Path, programs: Programs
) -> None:
    """Each with its own settings, over TLS with both certificates; only paths, hosts and ports are of this machine."""
    for line in re.findall(r"^deid (certs .+)$", (DEPLOY / "README.md").read_text(), re.MULTILINE):
        deid(tmp_path, *line.replace("--host archive", "--host archive --host localhost").split())
    port, archive, web, watch = free_ports(4)

    stored = tmp_path / "stored"
    stored.mkdir()
    told = (DEPLOY / "compose" / "archive.json").read_text()
    told = told.replace("/var/lib/orthanc/db-v6", str(stored)).replace("/etc/orthanc/pki", str(tmp_path / "pki"))
    told = told.replace("/run/secrets", str(tmp_path / "pki")).replace('"DicomPort": 2762', f'"DicomPort": {archive}')
    (tmp_path / "archive.json").write_text(told.replace('"HttpPort": 8042', f'"HttpPort": {web}'))
    programs.start(["Orthanc", str(tmp_path / "archive.json")], web, archive)

    settings = (DEPLOY / "compose" / "settings.yaml").read_text()
    settings = (
        settings.replace("/run/secrets", "pki").replace("/var/lib/deid/state", "state").replace("9090", str(watch))
    )
    settings = settings.replace("port: 2762\n", f"port: {port}\n", 1).replace("port: 2762\n", f"port: {archive}\n")
    (tmp_path / "settings.yaml").write_text(settings.replace("host: archive", "host: localhost"))
    (tmp_path / "settings.yaml").chmod(0o600)
    programs.start([sys.executable, "-m", "deid", "serve", str(tmp_path / "settings.yaml")], port)

    tls = ("--tls-authorities", "pki/ca.pem", "--tls-certificate", "pki/ct1.pem", "--tls-key", "pki/ct1.key")
    deid(tmp_path, "send", str(ROOT / "samples" / "studies"), f"DEID@localhost:{port}", "--calling", "CT1", *tls)

    def ask(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    eventually(lambda: ask("statistics")["CountInstances"] == OBJECTS)
    named = json.dumps(ask("patients?expand") + ask("studies?expand"))
    assert [value for value in PLANTED if value in named] == []


def test_three_commands_bring_a_de_identified_object_to_the_other_side(tmp_path: Path) -> None:
    """Those of the README, in a fresh shell at the top of the checkout; only the ports are others."""
    section = (ROOT / "README.md").read_text().split("\n## The gateway\n")[1].split("\nIts settings:\n")[0]
    commands = section.split("```sh\n")[1].split("```")[0]
    assert len(commands.splitlines()) == 3
    example = tmp_path / "samples" / "deploy" / "loopback"
    shutil.copytree(DEPLOY / "loopback", example)
    (example / "settings.yaml").chmod(0o664)  # as a checkout has it where people work in groups
    shutil.copytree(ROOT / "samples" / "studies", tmp_path / "samples" / "studies")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f"PATH={Path(sys.executable).parent}:$PATH\n")
    ports = dict(zip(("2762", "2763"), map(str, free_ports(2)), strict=True))

    def on_free_ports(text: str) -> str:
        return re.sub(r"\b276[0-9]\b", lambda number: ports[number[0]], text)

    (example / "settings.yaml").write_text(on_free_ports((example / "settings.yaml").read_text()))

    def arrived() -> list[Path]:
        return [path for path in all_in(example / "archive") if path.suffix == ".dcm"]

    with subprocess.Popen(["bash", "-e"], stdin=subprocess.PIPE, cwd=tmp_path, start_new_session=True) as shell:
        try:
            shell.communicate(on_free_ports(commands).encode(), PATIENCE)
            assert shell.returncode == 0
            eventually(lambda: len(arrived()) == OBJECTS)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
    contents = b"".join(path.read_bytes() for path in arrived())
    assert [value for value in PLANTED if value.encode() in contents] == []
    assert {path.name for path in example.iterdir()} - {
        path.name for path in (DEPLOY / "loopback").iterdir()
    } <= IGNORED
    eventually(lambda: '"stopped"' in (example / "log.jsonl").read_text())
