"""A destination that is asked whether it keeps what it was sent: nothing is deleted before, and nothing lost."""

from __future__ import annotations

import json
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread

from deid.forward.scu import Destination
from deid.network import status
from deid.network.commitment import (
    PROPOSAL,
    REPORTER,
    Request,
    Result,
    answer,
    ask,
    result_in,
    tell,
)
from deid.network.contexts import STORAGE_COMMITMENT
from tests.ports import free_port

from .committing import Keeper
from .site import IN_THE_CLEAR, PATIENCE, Archive, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Programs


@pytest.fixture
def keepers() -> Iterator[list[Keeper]]:
    made: list[Keeper] = []
    yield made
    for keeper in made:
        keeper.close()


def site_with(keeper: Keeper, folder: Path, **commitment: object) -> Site:
    site = Site(folder, keeper.port)
    settings = json.loads(site.settings.read_text())
    settings["destinations"][0]["commitment"] = {"wait_seconds": 60} | commitment
    site.settings.write_text(json.dumps(settings))
    keeper.gateway = site.port
    return site


@pytest.mark.parametrize("over", ["same", "new"])
def test_what_is_sent_is_asked_for_by_its_new_names_and_goes_when_it_is_kept(
    tmp_path: Path, files: list[Path], keepers: list[Keeper], over: str
) -> None:
    keepers.append(keeper := Keeper(over=over))
    site = site_with(keeper, tmp_path, **({"addresses": ["127.0.0.1"]} if over == "new" else {}))
    with site.serving():
        site.send(files[:4])
        eventually(lambda: site.left() == 0)
        eventually(lambda: 'deid_uncommitted{destination="archive"} 0.0' in site.ask("/metrics")[1])
    asked = [reference.instance for request in keeper.requests for reference in request.references]
    assert sorted(asked) == sorted(keeper.came)
    originals = [dcmread(path, stop_before_pixels=True) for path in files[:4]]
    assert set(asked).isdisjoint(each.SOPInstanceUID for each in originals)
    assert {each.sop_class for request in keeper.requests for each in request.references} == {
        each.SOPClassUID for each in originals
    }
    assert keeper.told == len(keeper.requests)
    trail = (tmp_path / "state" / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in trail].count("committed") == 4


@pytest.mark.parametrize(("over", "takes"), [("same", status.SUCCESS), ("new", status.UNRECOGNIZED_OPERATION)])
def test_a_result_counts_that_comes_before_its_request_is_taken_or_refused(
    tmp_path: Path, files: list[Path], keepers: list[Keeper], over: str, takes: int
) -> None:
    keepers.append(keeper := Keeper(over=over))
    keeper.first, keeper.takes = True, takes
    site = site_with(keeper, tmp_path, addresses=["127.0.0.1"])
    with site.serving() as process:
        site.send(files[:3])
        eventually(lambda: site.left() == 0)
        eventually(lambda: keeper.told == len(keeper.requests))
        assert site.said("defect") == site.said("commitment paused") == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(keeper.came) == 3


def test_nothing_goes_before_there_is_a_result_and_a_kill_changes_nothing(
    tmp_path: Path, files: list[Path], keepers: list[Keeper]
) -> None:
    keepers.append(keeper := Keeper(over="none"))
    site = site_with(keeper, tmp_path, addresses=["127.0.0.1"])
    with site.serving() as process:
        site.send(files[:2])
        eventually(lambda: sum(len(each.references) for each in keeper.requests) == 2)
        assert site.left() == 4  # original and new
        process.kill()
    with site.serving():
        assert site.left() == 4
        for request in keeper.requests:
            keeper.bring(request)
        eventually(lambda: site.left() == 0)
    assert keeper.told == len(keeper.requests)
    assert len(keeper.came) == 2


def test_who_answers_over_the_association_of_a_request_alone_is_asked_again_after_a_kill(
    tmp_path: Path, files: list[Path], keepers: list[Keeper]
) -> None:
    keepers.append(keeper := Keeper(over="none"))
    site = site_with(keeper, tmp_path, wait_seconds=3600)
    with site.serving() as process:
        site.send(files[:2])
        eventually(lambda: sum(len(each.references) for each in keeper.requests) == 2)
        process.kill()
    keeper.over = "same"
    with site.serving():
        eventually(lambda: site.left() == 0)
    assert len(keeper.came) == 2


def test_what_is_not_kept_is_sent_again(tmp_path: Path, files: list[Path], keepers: list[Keeper]) -> None:
    keepers.append(keeper := Keeper(over="same", loses=1))
    site = site_with(keeper, tmp_path)
    with site.serving():
        site.send(files[:2])
        eventually(lambda: site.left() == 0)
    assert len(keeper.came) == 4
    assert len(set(keeper.came)) == 2


def test_one_that_is_busy_is_asked_again(tmp_path: Path, files: list[Path], keepers: list[Keeper]) -> None:
    keepers.append(keeper := Keeper(over="same"))
    keeper.busy = 1
    site = site_with(keeper, tmp_path, wait_seconds=3600)
    with site.serving():
        site.send(files[:1])
        eventually(lambda: site.left() == 0)
    assert len(keeper.came) == len(keeper.requests) == 1
    assert any("resource limitation" in str(line["reason"]) for line in site.said("commitment paused"))


def test_a_destination_without_storage_commitment_leaves_it_to_a_person(tmp_path: Path, files: list[Path]) -> None:
    archive = Archive()
    site = Site(tmp_path, archive.port)
    settings = json.loads(site.settings.read_text())
    settings["destinations"][0]["commitment"] = {"wait_seconds": 1}
    site.settings.write_text(json.dumps(settings))
    state = ("--state", tmp_path / "state")
    with site.serving():
        site.send(files[:1])
        eventually(lambda: bool(json.loads(site.deid("queue", "list", "--json", *state))["undeliverable"]))
        assert site.left() == 2
    archive.close()
    (failed,) = json.loads(site.deid("queue", "list", "--json", *state))["undeliverable"]
    assert "no presentation context for storage commitment" in failed["reason"]


def test_who_brings_results_sends_nothing_and_nobody_else_brings_them(
    tmp_path: Path, files: list[Path], keepers: list[Keeper]
) -> None:
    keepers.append(keeper := Keeper(over="none"))
    site = site_with(keeper, tmp_path, addresses=["127.0.0.1"])
    with site.serving():
        site.send(files[:1])
        eventually(lambda: bool(keeper.requests))
        archive = Destination("DEID", "127.0.0.1", site.port, calling="ARCHIVE")
        proposals = (PROPOSAL, *(PROPOSAL._replace(abstract_syntax=str(dcmread(files[0]).SOPClassUID)),))
        with archive.associate(proposals) as association:
            assert [each.abstract_syntax for each in association.contexts.values()] == [STORAGE_COMMITMENT]
            association.release()
        with site.destination.associate((PROPOSAL,), roles=(REPORTER,)) as association:
            said = tell(association, keeper.result(keeper.requests[0]))
            assert said.code == status.UNRECOGNIZED_OPERATION
            association.release()
        assert site.left() == 2
        keeper.bring(keeper.requests[0])
        eventually(lambda: site.left() == 0)


def test_a_sender_is_told_committed_only_when_the_destination_keeps_it(
    tmp_path: Path, files: list[Path], keepers: list[Keeper]
) -> None:
    keepers.append(keeper := Keeper(over="none"))
    site = site_with(keeper, tmp_path, addresses=["127.0.0.1"])
    with site.serving():
        site.send(files[:1])
        eventually(lambda: bool(keeper.requests))
        read = dcmread(files[0], stop_before_pixels=True)
        request = Request("1.2.3.4", (keeper.requests[0].references[0]._replace(instance=read.SOPInstanceUID),))
        with site.destination.associate((PROPOSAL,)) as association:
            assert ask(association, request).is_stored
            assert association.is_quiet(2.0)
            keeper.bring(keeper.requests[0])
            message = association.receive()
            assert message is not None
            assert result_in(message) == Result("1.2.3.4", request.references)
            answer(association, message, status.SUCCESS)
            association.release()


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_orthanc_keeps_what_it_was_sent(tmp_path: Path, files: list[Path], programs: Programs) -> None:
    site = Site(tmp_path, free_port())
    orthanc = programs.orthanc({"gateway": ["DEID", "127.0.0.1", site.port]})
    settings = json.loads(site.settings.read_text())
    settings["destinations"] = [
        {
            "name": "archive",
            "ae_title": "ORTHANC",
            "host": "127.0.0.1",
            "port": orthanc.port,
            "unencrypted": IN_THE_CLEAR,
            "commitment": {"wait_seconds": 60, "addresses": ["127.0.0.1"]},
        }
    ]
    site.settings.write_text(json.dumps(settings))
    with site.serving():
        site.send(files[:3])
        eventually(lambda: site.left() == 0)
    assert len(orthanc.ask("/instances")) == 3
    trail = (tmp_path / "state" / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in trail].count("committed") == 3
