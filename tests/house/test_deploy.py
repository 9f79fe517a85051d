"""What samples/deploy says is so: the unit, the images, the containers, and what the README tells of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deid.gateway import service

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "samples" / "deploy"
UNIT = (DEPLOY / "deid.service").read_text()
CONTAINERFILE = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
README = (DEPLOY / "README.md").read_text()
TO_END = service._SECONDS_TO_END + service._SECONDS_TO_FINISH

systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """With a program that is there."""
    path = tmp_path / "deid.service"
    path.write_text(UNIT.replace("/opt/deid/bin/deid", "/bin/true"))
    return path


@systemd
def test_systemd_understands_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "deid.service" in line]) == (0, [])


@systemd
def test_the_unit_exposes_little(unit: Path) -> None:
    """The score of systemd 252 is 1.2 of 10: what is left is the network, and the files of the machine to read."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_everybody_waits_for_the_end_longer_than_it_takes() -> None:
    (unit,) = re.findall(r"^TimeoutStopSec=([0-9]+)s$", UNIT, re.MULTILINE)
    container = COMPOSE["services"]["gateway"]["stop_grace_period"]
    assert min(int(unit), int(container.removesuffix("s"))) > TO_END + 5
    assert f"have {service._SECONDS_TO_END:.0f} seconds" in README
    assert f"has {service._SECONDS_TO_FINISH:.0f} seconds to finish" in README


def test_whatever_is_copied_into_an_image_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    assert {source for line in copied for source in line.split()} == {"pyproject.toml", "README.md", "deid", "profiles"}
    assert all((ROOT / source).exists() for line in copied for source in line.split())


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    container = COMPOSE["services"][name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    stage = CONTAINERFILE.split(f" AS {container['build']['target']}\n")[1].split("\nFROM ")[0]
    assert re.search(r"^USER (?!root)", stage, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_file_of_a_container_is_there_or_made_by_the_commands_that_are_told(name: str, tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    make_certificates(tmp_path / "deploy")
    container = COMPOSE["services"][name]
    assert (DEPLOY / container["build"]["context"] / container["build"]["dockerfile"]).samefile(
        DEPLOY / "Containerfile"
    )
    mounted = [volume.split(":")[0] for volume in container["volumes"]]
    files = [path for path in mounted if path.startswith("./")]
    assert set(mounted) - set(files) <= COMPOSE["volumes"].keys()
    files += [COMPOSE["secrets"][secret]["file"] for secret in container["secrets"]]
    for file in files:
        assert (tmp_path / "deploy" / file).is_file(), file
    assert set(container["networks"]) <= COMPOSE["networks"].keys()


def make_certificates(folder: Path) -> None:
    """By the commands of the README."""
    commands = re.findall(r"^deid (certs .+)$", README, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        subprocess.run([sys.executable, "-m", "deid", *command.split()], cwd=folder, check=True, capture_output=True)


def test_the_image_begins_with_a_verb_and_is_asked_where_it_answers() -> None:
    (program,) = re.findall(r"^ENTRYPOINT (\[\"deid\".*)$", CONTAINERFILE, re.MULTILINE)
    (verb,) = re.findall(r"^CMD (\[\"serve\".*)$", CONTAINERFILE, re.MULTILINE)
    line = [*json.loads(program), *json.loads(verb)]
    done = subprocess.run([sys.executable, "-m", *line[:-1], "--help"], capture_output=True, check=False)
    assert done.returncode == 0
    gateway = COMPOSE["services"]["gateway"]
    assert f"./compose/settings.yaml:{line[-1]}:ro" in gateway["volumes"]
    settings = YAML(typ="safe").load(DEPLOY / "compose" / "settings.yaml")
    (asked,) = re.findall(r"CMD (\[\"python3\".*)$", CONTAINERFILE, re.MULTILINE)
    assert json.loads(asked) == gateway["healthcheck"]["test"][1:]
    assert f":{settings['watch']['port']}/healthz" in asked
    assert gateway["ports"] == [f"{settings['listen'][0]['port']}:{settings['listen'][0]['port']}"]


def test_the_settings_in_containers_are_valid(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path, dirs_exist_ok=True)
    make_certificates(tmp_path)
    text = (tmp_path / "compose" / "settings.yaml").read_text()
    text = text.replace("/run/secrets/", "pki/").replace("/var/lib/deid/state", "state")
    (tmp_path / "settings.yaml").write_text(text)
    (tmp_path / "settings.yaml").chmod(0o644)
    command = [sys.executable, "-m", "deid", "settings", "check", "settings.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
