"""A gateway whose state folder was moved, or copied, goes on with what is in it, and touches nothing elsewhere."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.ports import free_port

from .site import IN_THE_CLEAR, PATIENCE, Site, all_in, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .site import Archive

RULES = [{"called": ["DEID"], "modality": ["CT"], "route": "research"}]


def archive_at(port: int) -> list[dict[str, object]]:
    there = {"name": "archive", "ae_title": "ARCHIVE", "host": "localhost", "port": port}
    return [{**there, "unencrypted": IN_THE_CLEAR}]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Nobody is at its destination yet, and what is not CT has no route."""
    peers = [{"ae_title": "CT1", "addresses": ["127.0.0.1"]}]
    return Site(tmp_path, free_port(), rules=RULES, peers=peers)


@pytest.mark.parametrize("elsewhere", [shutil.move, shutil.copytree])
def test_what_was_on_its_way_arrives(
    site: Site, archive: Archive, files: list[Path], tmp_path: Path, elsewhere: Callable[..., object]
) -> None:
    images, others = ([path for path in files if (path.parent.name == "CT") is ct] for ct in (True, False))
    with site.serving() as process:  # some of it is made and not delivered, some not made, and some has no route
        site.send([*images[:2], others[0]])
        eventually(lambda: 'deid_tickets{route="research",state="released"} 2.0' in site.ask("/metrics")[1])
        site.send(images[2:])
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    elsewhere(tmp_path / "state", tmp_path / "moved")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "state").rglob("*")}
    site.change(state="moved", destinations=archive_at(archive.port), rules=[{"called": ["DEID"], "route": "research"}])
    state = ("--state", tmp_path / "moved")
    with site.serving():
        eventually(lambda: len(archive.objects) == 3)
        site.deid("queue", "retry", "3", *state)
        eventually(lambda: len(archive.objects) == 4)
        eventually(lambda: not [path for path in all_in(tmp_path / "moved") if path.suffix == ".dcm"])
        site.send(images[:2])
        eventually(lambda: 'deid_tickets{route="research",state="duplicate"} 2.0' in site.ask("/metrics")[1])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "state").rglob("*")} == before
    assert archive.changed == set()
    assert len(archive.came) == 4
    assert [each["count"] for each in site.said("state folder was moved")] == [1, 3]
    with site.serving():
        assert len(site.said("state folder was moved")) == 2
