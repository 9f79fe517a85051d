"""Storage Commitment through the real process: what a sender is told, and what its copy may depend on."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, evt

from deid.forward.scu import Sender
from deid.network import status
from deid.network.commitment import (
    CLASS_CONFLICT,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    PROPOSAL,
    Failure,
    Reference,
    Request,
    Result,
    answer,
    ask,
    result_in,
)
from deid.network.contexts import STORAGE_COMMITMENT
from tests.ports import free_port
from tests.scu import at_rest

from .committing import Modality
from .site import IN_THE_CLEAR, PATIENCE, Archive, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Programs

MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def modality() -> Iterator[Modality]:
    modality = Modality()
    yield modality
    modality.close()


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    yield archive
    archive.close()


def site_of(folder: Path, archive_port: int, modality_port: int = 0, **more: object) -> Site:
    """CT1 is called back, if it has a port; CT2 is another peer that is not."""
    back = {"host": "127.0.0.1", "port": modality_port, "unencrypted": IN_THE_CLEAR}
    peer = {"addresses": ["127.0.0.1"], "route": "research"}
    peers = [{"ae_title": "CT1", **({"results": back} if modality_port else {}), **peer}, {"ae_title": "CT2", **peer}]
    return Site(folder, archive_port, peers=peers, **more)


def references_to(paths: list[Path]) -> tuple[Reference, ...]:
    read = [dcmread(path, stop_before_pixels=True) for path in paths]
    return tuple(Reference(each.SOPClassUID, each.SOPInstanceUID) for each in read)


def request_for(site: Site, *references: Reference, calling: str = "CT1") -> str:
    """Ask as Orthanc does: the association is over before there is a result."""
    request = Request(generate_uid(), references)
    with replace(site.destination, calling=calling).associate((PROPOSAL,)) as association:
        assert ask(association, request).is_stored
        association.release()
    return request.transaction


def test_what_every_destination_has_is_committed_by_the_names_that_the_sender_knows(
    tmp_path: Path, archive: Archive, modality: Modality, files: list[Path]
) -> None:
    site = site_of(tmp_path, archive.port, modality.port)
    sent = references_to(files[:3])
    with site.serving() as process:
        site.send(files[:3])
        transaction = request_for(site, *sent)
        assert modality.told() == Result(transaction, sent)
        assert len(archive.objects) == 3
        eventually(lambda: site.left() == 0)
        transaction = request_for(site, *sent)
        assert modality.told() == Result(transaction, sent)  # although its files are gone
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    trail = (tmp_path / "state" / "audit.jsonl").read_text()
    events = [json.loads(line) for line in trail.splitlines()]
    assert [event["fields"] for event in events if event["event"] == "commitment asked"] == [
        {"peer": "CT1", "count": 3}
    ] * 2
    assert [event["fields"] for event in events if event["event"] == "commitment told"] == [
        {"peer": "CT1", "committed": 3, "failed": 0}
    ] * 2
    for uid in (transaction, *(reference.instance for reference in sent)):
        assert uid not in trail
        assert uid not in site.log.read_text()


def test_nothing_is_committed_before_it_is_safe_elsewhere_and_a_kill_changes_nothing(
    tmp_path: Path, modality: Modality, files: list[Path]
) -> None:
    site = site_of(tmp_path, archive_port := free_port(), modality.port)
    sent = references_to(files[:2])
    with site.serving() as process:
        site.send(files[:2])
        transaction = request_for(site, *sent)
        eventually(lambda: bool(site.said("delivery paused")))
        process.kill()
    with pytest.raises(Empty):
        modality.results.get(timeout=1.0)
    archive = Archive(archive_port)
    with site.serving():
        assert modality.told() == Result(transaction, sent)
        assert len(archive.objects) == 2
        eventually(lambda: len(site.said("commitment told")) == 1)
    archive.close()


def test_a_sender_that_is_away_is_told_after_a_kill(tmp_path: Path, archive: Archive, files: list[Path]) -> None:
    site = site_of(tmp_path, archive.port, port := free_port())
    sent = references_to(files[:2])
    with site.serving() as process:
        site.send(files[:2])
        transaction = request_for(site, *sent)
        eventually(lambda: bool(site.said("commitment not told")))
        process.kill()
    modality = Modality(port)
    with site.serving():
        assert modality.told() == Result(transaction, sent)
    modality.close()


def test_what_is_not_the_senders_and_what_is_held_is_not_committed(
    tmp_path: Path, archive: Archive, modality: Modality, files: list[Path]
) -> None:
    site = site_of(tmp_path, archive.port, modality.port)
    mine, theirs, held, other_class = references_to(files[:4])
    unknown = Reference(MR, generate_uid())
    changed = bytearray(files[2].read_bytes())
    changed[-1] ^= 0xFF
    (tmp_path / "changed.dcm").write_bytes(changed)
    with site.serving():
        site.send([files[0], files[2], tmp_path / "changed.dcm", files[3]])
        with Sender(replace(site.destination, calling="CT2")) as sender:
            sender.send(files[1])
        eventually(lambda: len(archive.objects) == 4)
        wrong = Reference("1.2.840.10008.5.1.4.1.1.7", other_class.instance)
        transaction = request_for(site, mine, theirs, held, wrong, unknown)
        result = modality.told()
    assert result.transaction == transaction
    assert result.committed == (mine,)
    assert result.failed == (
        Failure(*theirs, NO_SUCH_INSTANCE),
        Failure(*held, PROCESSING_FAILURE),
        Failure(*wrong, CLASS_CONFLICT),
        Failure(*unknown, NO_SUCH_INSTANCE),
    )


def test_a_sender_without_an_address_is_told_over_the_association_on_which_it_asks(
    tmp_path: Path, archive: Archive, files: list[Path]
) -> None:
    """Also what it has asked for on one that has ended."""
    site = site_of(tmp_path, archive.port)
    sent = references_to(files[:2])
    with site.serving():
        earlier = request_for(site, *sent[:1])
        with Sender(site.destination) as sender:
            sender.send(files[1])
        request = Request(generate_uid(), sent[1:])
        with site.destination.associate((PROPOSAL,)) as association:
            assert ask(association, request).is_stored
            results = {}
            for _ in range(2):
                message = association.receive(PATIENCE)
                assert message is not None
                result = result_in(message)
                results[result.transaction] = result
                answer(association, message, status.SUCCESS)
            association.release()
        eventually(lambda: len(site.said("commitment told")) == 2)
    assert results == {
        earlier: Result(earlier, (), (Failure(*sent[0], NO_SUCH_INSTANCE),)),
        request.transaction: Result(request.transaction, sent[1:]),
    }


def test_a_result_that_the_sender_does_not_want_is_not_told_again(
    tmp_path: Path, archive: Archive, modality: Modality, files: list[Path]
) -> None:
    modality.answer = status.INVALID_ARGUMENT
    site = site_of(tmp_path, archive.port, modality.port)
    with site.serving():
        request_for(site, *references_to(files[:1]))
        modality.told()
        eventually(lambda: bool(site.said("commitment not wanted")))
        assert "deid_commitment_requests 0.0" in site.ask("/metrics")[1]


def test_pynetdicom_is_told_over_the_association_on_which_it_asks(
    tmp_path: Path, archive: Archive, files: list[Path]
) -> None:
    site = site_of(tmp_path, archive.port)
    (sent,) = references_to(files[:1])
    told: SimpleQueue[tuple[int | None, Dataset]] = SimpleQueue()

    def hear(event: evt.Event) -> tuple[int, None]:
        told.put((event.event_type, event.event_information))
        return 0x0000, None

    information = Dataset()
    information.TransactionUID = generate_uid()
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sent
    information.ReferencedSOPSequence = [item]
    entity = AE("CT1")
    entity.add_requested_context(UID(STORAGE_COMMITMENT))
    with site.serving():
        site.send(files[:1])
        association = entity.associate(
            "127.0.0.1", site.port, ae_title="DEID", evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
        )
        said, _ = at_rest(association).send_n_action(
            information, 1, UID(STORAGE_COMMITMENT), UID("1.2.840.10008.1.20.1.1")
        )
        assert said.Status == 0x0000
        kind, result = told.get(timeout=PATIENCE)
        association.release()
    assert kind == 1
    assert result.TransactionUID == information.TransactionUID
    assert [each.ReferencedSOPInstanceUID for each in result.ReferencedSOPSequence] == [sent.instance]


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_orthanc_asks_and_is_told(tmp_path: Path, archive: Archive, files: list[Path], programs: Programs) -> None:
    site = Site(tmp_path, archive.port)
    orthanc = programs.orthanc({"gateway": ["DEID", "127.0.0.1", site.port]})
    back = {"host": "127.0.0.1", "port": orthanc.port, "unencrypted": IN_THE_CLEAR}
    settings = json.loads(site.settings.read_text())
    settings["peers"] = [{"ae_title": "ORTHANC", "addresses": ["127.0.0.1"], "route": "research", "results": back}]
    site.settings.write_text(json.dumps(settings))
    site.calling = "ORTHANC"
    sent, absent = references_to(files[:2]), references_to(files[2:3])
    with site.serving():
        stored = [orthanc.ask("/instances", path.read_bytes())["ID"] for path in files[:2]]
        orthanc.ask("/modalities/gateway/store", stored)
        wanted = [{"SOPClassUID": each.sop_class, "SOPInstanceUID": each.instance} for each in (*sent, *absent)]
        asked = orthanc.ask("/modalities/gateway/storage-commitment", {"DicomInstances": wanted})
        eventually(lambda: orthanc.ask(f"/storage-commitment/{asked['ID']}")["Status"] != "Pending")
        said = orthanc.ask(f"/storage-commitment/{asked['ID']}")
    assert {each["SOPInstanceUID"] for each in said["Success"]} == {each.instance for each in sent}
    assert [each["SOPInstanceUID"] for each in said["Failures"]] == [absent[0].instance]
    assert len(archive.objects) == 2
