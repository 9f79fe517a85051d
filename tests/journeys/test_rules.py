"""Objects of one peer take different routes, by rules, with real processes; what has none waits, and nothing leaks."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from deid.samples.planted import PLANTED
from deid.store.inbox import ELSEWHERE

from .site import IN_THE_CLEAR, PATIENCE, Archive, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIAL = "Thorax Grünwald"  # how the descriptions of one study begin


@pytest.fixture
def other() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close()


def destination(name: str, port: int) -> dict[str, object]:
    return {"name": name, "ae_title": "A", "host": "localhost", "port": port, "unencrypted": IN_THE_CLEAR}


def ruled(folder: Path, archive: Archive, other: Archive, *rules: dict[str, object], **more: Any) -> Site:
    """Two routes, each to an archive of its own, unless told otherwise; the peer has none of its own."""
    return Site(
        folder,
        0,
        **{
            "peers": [{"ae_title": "CT1", "addresses": ["127.0.0.1"]}],
            "destinations": [destination("archive", archive.port), destination("other", other.port)],
            "routes": [
                {"name": "research", "profile": "basic", "destinations": ["archive"]},
                {"name": "trial", "profile": "basic", "destinations": ["other"]},
            ],
            "rules": rules,
        }
        | more,
    )


def about(site: Site, *words: str) -> Any:
    return json.loads(site.deid("queue", *words, "--state", site.folder / "state", "--json"))


def modality(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).Modality)


def test_each_object_takes_the_route_of_the_first_rule_that_holds(
    tmp_path: Path, archive: Archive, other: Archive, files: list[Path]
) -> None:
    site = ruled(
        tmp_path,
        archive,
        other,
        {"match": [{"attribute": "StudyDescription", "starts": TRIAL}], "route": "trial"},
        {"modality": ["CT", "MR"], "route": "research"},
    )
    described = {
        path: pydicom.dcmread(path, stop_before_pixels=True).get("StudyDescription", "").startswith(TRIAL)
        for path in files
    }
    trial = [path for path in files if described[path]]
    research = [path for path in files if not described[path] and modality(path) in ("CT", "MR")]
    left = [path for path in files if path not in trial and path not in research]
    assert trial
    assert research
    assert left
    with site.serving() as process:
        site.send(files)
        eventually(lambda: len(other.objects) == len(trial) and len(archive.objects) == len(research))
        eventually(lambda: site.left() == len(left), "only what is held stays")
        held = about(site, "list")["held"]
        assert len(held) == len(left)
        assert all("no rule is for it" in each["reason"] for each in held)
        assert f'deid_tickets{{route=".unrouted",state="held"}} {len(left)}.0' in site.ask("/metrics")[1]
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    # What the rules look at identifies.
    told = site.log.read_text() + (site.folder / "state" / "audit.jsonl").read_text()
    names = " ".join(str(path) for path in (site.folder / "state").rglob("*"))
    for value in (*PLANTED, TRIAL):
        assert value not in told
        assert value not in names


def test_what_is_held_without_a_route_goes_when_there_is_one_and_a_person_says_so(
    tmp_path: Path, archive: Archive, other: Archive, files: list[Path]
) -> None:
    site = ruled(tmp_path, archive, other, {"modality": ["XX"], "route": "research"})
    state = ("--state", tmp_path / "state")
    with site.serving():
        site.send([files[0], files[0]])
        (held,) = about(site, "list")["held"]
        site.deid("queue", "retry", str(held["ticket"]), *state)
        eventually(lambda: [each["ticket"] for each in about(site, "list")["held"]] == [held["ticket"]], "in vain")
    settings = json.loads(site.settings.read_text())
    settings["rules"] = [{"calling": ["CT1"], "route": "trial"}]
    site.settings.write_text(json.dumps(settings))
    with site.serving():
        assert len(about(site, "list")["held"]) == 1
        site.deid("queue", "retry", str(held["ticket"]), *state)
        eventually(lambda: len(other.objects) == 1)
        eventually(lambda: site.left() == 0)
    assert archive.objects == {}


def test_the_ae_title_that_is_called_takes_a_route(
    tmp_path: Path, archive: Archive, other: Archive, files: list[Path]
) -> None:
    peer = {"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"}
    site = ruled(tmp_path, archive, other, {"called": ["TRIAL"], "route": "trial"}, peers=[peer])
    with site.serving():
        site.send(files[:1])
        site.send(files[:2], called="TRIAL")
        eventually(lambda: (len(archive.objects), len(other.objects)) == (1, 2))


def test_a_destination_gets_an_object_by_one_route_alone(
    tmp_path: Path, archive: Archive, other: Archive, files: list[Path]
) -> None:
    routes = [
        {"name": "research", "profile": "basic", "destinations": ["archive"]},
        {"name": "trial", "profile": "teleradiology", "destinations": ["other", "archive"]},
    ]
    peer = {"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"}
    site = ruled(tmp_path, archive, other, {"called": ["TRIAL"], "route": "trial"}, peers=[peer], routes=routes)
    with site.serving():
        site.send(files[:1])
        site.send(files[:1], called="TRIAL")
        (held,) = about(site, "list")["held"]
        assert held["reason"] == ELSEWHERE
        eventually(lambda: len(archive.came) == 1)
        assert other.came == []
        site.deid("queue", "retry", str(held["ticket"]), "--state", tmp_path / "state")
        eventually(lambda: (len(archive.came), len(other.came)) == (2, 1))


def test_a_ticket_that_is_lost_is_made_again_on_the_same_route_whatever_the_rules_are_by_then(
    tmp_path: Path, archive: Archive, other: Archive, files: list[Path]
) -> None:
    """As after a power cut: the file is there, the ledger knows nothing of it."""
    site = ruled(tmp_path, archive, other, {"modality": [modality(files[0])], "route": "trial"})
    other.close()
    with site.serving():
        site.send(files[:1])
        eventually(lambda: bool(site.said("delivery paused")))
    for ledger in (tmp_path / "state").glob("ledger.sqlite*"):
        ledger.unlink()
    for left in (tmp_path / "state" / "outbox").rglob("*.dcm"):
        left.unlink()
    again = Archive()
    settings = json.loads(site.settings.read_text())
    settings["rules"] = [{"calling": ["CT1"], "route": "research"}]
    settings["destinations"][1]["port"] = again.port
    site.settings.write_text(json.dumps(settings))
    with site.serving():
        eventually(lambda: len(again.objects) == 1)
    again.close()
    assert archive.objects == {}
