"""What happens at a gateway reaches an audit repository as valid messages: all of it, and nothing that identifies."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from deid.errors import Deferred
from deid.forward.scu import Destination, echo
from deid.network.tls import build
from deid.samples.planted import PLANTED
from tests.ports import free_port

from .site import PATIENCE, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import AuditRepository, Pki

    from .site import Archive

ACCESSED, TRANSFERRED, ALERT = "DICOM Instances Accessed", "DICOM Instances Transferred", "Security Alert"


@pytest.fixture
def audited(tmp_path: Path, archive: Archive, audit_repository: AuditRepository, pki: Pki) -> Site:
    return site_for(tmp_path, archive, audit_repository.port, pki)


def site_for(folder: Path, archive: Archive, port: int, pki: Pki) -> Site:
    ours = pki.folder
    tls = {"authorities": str(ours / "ca.pem"), "certificate": str(ours / "ct1.pem"), "key": str(ours / "ct1.key")}
    return Site(folder, archive.port, audit={"host": "localhost", "port": port, "tls": tls})


def events(repository: AuditRepository) -> list[tuple[str, Element]]:
    found = [fromstring(document) for document in list(repository.documents())]  # noqa: S314 - our own
    return [(message[0][0].attrib["originalText"], message) for message in found]


def objects(repository: AuditRepository, event: str, role: str = "", outcome: str = "0") -> int:
    """How many objects are told of in messages of an event, in which DEID has a role."""
    total = 0
    for name, message in events(repository):
        ours = [each for each in message.iter("ActiveParticipant") if each.attrib["UserID"] == "DEID"]
        roles = [code.attrib["originalText"] for each in ours for code in each.iter("RoleIDCode")]
        if name == event and message[0].attrib["EventOutcomeIndicator"] == outcome and (not role or role in roles):
            total += sum(int(told(each, "instances")) for each in message.iter("ParticipantObjectDetail"))
    return total


def told(detail: Element, kind: str) -> str:
    return base64.b64decode(detail.attrib["value"]).decode() if detail.attrib["type"] == kind else "0"


def everything_said(repository: AuditRepository) -> str:
    """All messages, and what they say in base64."""
    said = b"\n".join(repository.messages).decode()
    hidden = re.findall(r'value="([A-Za-z0-9+/=]+)"|Query>([A-Za-z0-9+/=]+)<', said)
    return said + "\n".join(base64.b64decode("".join(each)).decode() for each in hidden)


def waiting(site: Site) -> float:
    (line,) = [line for line in site.ask("/metrics")[1].splitlines() if line.startswith("deid_audit_lines_waiting")]
    return float(line.split()[1])


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_all_that_happens_is_told(
    audited: Site, archive: Archive, audit_repository: AuditRepository, files: list[Path], tmp_path: Path
) -> None:
    state = ("--state", tmp_path / "state")
    other = tmp_path / "other.dcm"
    content = bytearray(files[0].read_bytes())
    content[-1] ^= 0xFF
    other.write_bytes(content)
    with audited.serving() as process:
        audited.send([*files, files[0], other])
        with pytest.raises(Deferred):
            echo(Destination("DEID", "127.0.0.1", audited.port, calling="CT2"))
        eventually(lambda: len(archive.objects) == len(files))
        (held,) = json.loads(audited.deid("queue", "list", "--json", *state))["held"]
        audited.deid("queue", "discard", str(held["ticket"]), "--reason", f"{PLANTED[0]} came twice", *state)
        subprocess.run(
            [sys.executable, "-m", "deid", "crosswalk", "lookup", "--reason", f"{PLANTED[0]} asks", *map(str, state)],
            input=PLANTED[0], capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        audited.deid("crosswalk", "export", tmp_path / "crosswalk", *state)
        eventually(lambda: "Export" in [name for name, _ in events(audit_repository)])
        eventually(lambda: waiting(audited) == 0)
        stop(process)
    assert objects(audit_repository, TRANSFERRED, "Destination Role ID") == len(files) + 2
    assert objects(audit_repository, TRANSFERRED, "Source Role ID") == len(files)
    names = [name for name, _ in events(audit_repository)]
    assert (names[0], names[-1]) == ("Application Activity", "Application Activity")
    for name in (ALERT, "Query", "Export", ACCESSED):
        assert name in names
    assert len(names) < 3 * len(files), "not one message for each object"
    studies = {
        subject.attrib["ParticipantObjectID"]
        for _, message in events(audit_repository)
        for subject in message.iter("ParticipantObjectIdentification")
    }
    published = b"".join(archive.objects.values())
    new = {study for study in studies if study.startswith("2.25.")}
    assert new
    assert all(study.encode() in published for study in new), "as the archive knows them"
    assert PLANTED[0] in (tmp_path / "state" / "audit.jsonl").read_text(), "the trail has it, so that it could be told"
    said = everything_said(audit_repository)
    for value in PLANTED:
        assert value not in said


def test_nothing_that_is_kept_is_told(
    audited: Site, archive: Archive, audit_repository: AuditRepository, files: list[Path]
) -> None:
    """With the original UIDs in the output, these stay out of the messages."""
    settings: dict[str, Any] = json.loads(audited.settings.read_text())
    settings["routes"][0]["options"] = ["retain-uids"]
    audited.settings.write_text(json.dumps(settings))
    with audited.serving() as process:
        audited.send(files[:4])
        eventually(lambda: len(archive.objects) == 4)
        stop(process)
    assert objects(audit_repository, TRANSFERRED, "Source Role ID") == 4
    said = everything_said(audit_repository)
    assert not [uid for uid in archive.objects if uid in said]
    assert "2.25." not in said


def test_a_repository_that_is_away_gets_everything_later(
    tmp_path: Path, archive: Archive, pki: Pki, files: list[Path], audit_repository: AuditRepository
) -> None:
    site = site_for(tmp_path, archive, port := free_port(), pki)
    with site.serving() as process:
        site.send(files)
        eventually(lambda: len(archive.objects) == len(files))
        eventually(lambda: bool(site.said("audit messages paused")))
        eventually(lambda: waiting(site) > 3 * len(files))
        stop(process)
    came = type(audit_repository)(build(pki.tls(), server=True), port)
    with site.serving():
        eventually(lambda: waiting(site) == 0)
    came.close()
    assert objects(came, TRANSFERRED, "Destination Role ID") == len(files)
    assert objects(came, TRANSFERRED, "Source Role ID") == len(files)
    assert objects(came, ACCESSED) == len(files)


def test_a_gateway_that_is_killed_tells_all_after_its_start(
    audited: Site, archive: Archive, audit_repository: AuditRepository, files: list[Path]
) -> None:
    """What is told twice are whole batches, and each is told once at least."""
    for some in (files[:4], files[4:8], files[8:]):
        with audited.serving() as process:
            audited.send(some)
            process.kill()
    with audited.serving():
        eventually(lambda: len(archive.objects) == len(files))
        eventually(lambda: audited.left() == 0)
        eventually(lambda: waiting(audited) == 0)
    assert objects(audit_repository, TRANSFERRED, "Destination Role ID") >= len(files)
    assert objects(audit_repository, TRANSFERRED, "Source Role ID") >= len(files)
    assert [name for name, _ in events(audit_repository)].count("Application Activity") >= 4


def test_a_batch_that_was_cut_off_is_told_again(
    audited: Site, audit_repository: AuditRepository, files: list[Path]
) -> None:
    audit_repository.confirms = False
    with audited.serving():
        audited.send(files[:3])
        eventually(lambda: bool(audited.said("audit messages paused")))
        assert waiting(audited) > 0
        audit_repository.confirms = True
        eventually(lambda: waiting(audited) == 0)
        eventually(lambda: bool(audited.said("audit messages resumed")))
    assert objects(audit_repository, TRANSFERRED, "Destination Role ID") >= 3


def test_a_place_that_was_moved_is_no_place(audited: Site, tmp_path: Path) -> None:
    with audited.serving() as process:
        eventually(lambda: waiting(audited) == 0)
        stop(process)
    place = tmp_path / "state" / "audit.jsonl.reported"
    place.write_bytes(place.read_bytes().replace(b" ", b" 1", 1))
    done = subprocess.run(
        [sys.executable, "-m", "deid", "serve", audited.settings], capture_output=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert b"remove it" in done.stderr


def test_the_doctor_tells_what_waits(audited: Site, tmp_path: Path) -> None:
    def said() -> str:
        checks = json.loads(audited.deid("doctor", "--json", "--state", tmp_path / "state"))["checks"]
        return " ".join(check["says"] for check in checks if check["what"] == "audit messages")

    with audited.serving() as process:
        eventually(lambda: waiting(audited) == 0)
        stop(process)
    assert said() == "the audit repository has all of them"
    reason = ("--reason", "why")
    subprocess.run(
        [sys.executable, "-m", "deid", "crosswalk", "lookup", *reason, "--state", str(tmp_path / "state")],
        input="somebody", text=True, capture_output=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert said().startswith("1 lines of the audit trail wait since")
