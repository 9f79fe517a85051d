"""The journey through the gateway, with real processes: what is acknowledged arrives de-identified, once."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread

from deid.errors import Deferred
from deid.forward.scu import Destination, echo
from deid.gateway.heartbeat import LEASE
from deid.network import certificate, status
from deid.samples.planted import PLANTED
from deid.standard.uids import name_of
from deid.store.queue import Queue
from deid.store.vault import Vault
from tests.ports import free_port

from .site import PATIENCE, Archive, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki


def test_both_journeys_make_the_same_objects(site: Site, archive: Archive, files: list[Path], tmp_path: Path) -> None:
    with site.serving():
        site.send(files)
        eventually(lambda: len(archive.objects) == len(files))
        eventually(lambda: site.left() == 0, "what every destination has is deleted")
        outbox = site.folder / "state" / "outbox" / "research"
        eventually(lambda: [path.name for path in outbox.iterdir()] == [".unpublished"], "and so is what is empty")
    key, out = site.folder / "state" / "key", tmp_path / "out"
    site.deid("run", tmp_path / "in", out, "--profile", "basic", "--state", tmp_path / "other", "--key", key)
    by_batch = {path.stem: path.read_bytes() for path in out.rglob("*.dcm")}
    assert archive.objects == by_batch


def test_a_destination_that_is_away_gets_everything_later(tmp_path: Path, files: list[Path]) -> None:
    site = Site(tmp_path, free_port())
    with site.serving() as process:
        site.send(files[:3])
        eventually(lambda: bool(site.said("delivery paused")))
        assert site.left() >= 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    settings = json.loads(site.settings.read_text())
    archive = Archive()
    settings["destinations"][0]["port"] = archive.port
    site.settings.write_text(json.dumps(settings))
    with site.serving():
        eventually(lambda: len(archive.objects) == 3)
    archive.close()


def test_a_name_that_a_power_cut_has_taken_away_is_made_again(tmp_path: Path, files: list[Path]) -> None:
    """The same object had come twice, and its duplicate was deleted already: there is one original left."""
    site = Site(tmp_path, port := free_port())
    with site.serving():
        site.send([files[0], files[0]])
        eventually(lambda: bool(site.said("delivery paused")))
        eventually(lambda: site.left() == 2)  # one in the spool, one in the outbox
    (published,) = (tmp_path / "state" / "outbox").rglob("*.dcm")
    content = published.read_bytes()
    published.unlink()
    archive = Archive(port)
    with site.serving():
        eventually(lambda: len(archive.objects) == 1)
        eventually(lambda: site.left() == 0)
    archive.close()
    assert list(archive.objects.values()) == [content]


def test_what_was_at_work_when_the_gateway_ended_is_nobodys_at_the_next_start(
    tmp_path: Path, files: list[Path]
) -> None:
    """Its lease lasts longer than anybody waits here."""
    site = Site(tmp_path, port := free_port())
    with site.serving():
        site.send(files[:1])
        eventually(lambda: bool(site.said("delivery paused")))
    with Vault.open(tmp_path / "state", shared=True) as vault:
        queue = Queue(vault.connection, vault.keys)
        (journey,) = queue.journeys()
        ((ticket, _),) = queue.released_paths(journey.number)
        queue.make_again(ticket)
        assert len(queue.claim(journey.number, 9, time.time() + PATIENCE, LEASE)) == 1
    archive = Archive(port)
    with site.serving():
        eventually(lambda: len(archive.objects) == 1)
    archive.close()


def test_what_a_destination_refuses_for_good_waits_for_a_person(
    site: Site, archive: Archive, files: list[Path]
) -> None:
    archive.answer = status.DATA_SET_MISMATCH
    state = ("--state", site.folder / "state")
    with site.serving():
        site.send(files[:2])
        eventually(lambda: len(site.said("delivery failed")) == 2)
        archive.answer = status.SUCCESS
        failed = json.loads(site.deid("queue", "list", "--json", *state))["undeliverable"]
        assert [each["destination"] for each in failed] == ["archive", "archive"]
        assert archive.objects == {}
        assert site.left() >= 2
        assert "not taken by archive" in site.deid("queue", "list", *state)
        site.deid("queue", "retry", *(str(each["ticket"]) for each in failed), *state)
        eventually(lambda: len(archive.objects) == 2)


def test_the_same_object_again_is_acknowledged_and_goes_out_once(
    site: Site, archive: Archive, files: list[Path]
) -> None:
    with site.serving():
        site.send(files[:1])
        eventually(lambda: len(archive.came) == 1)
        eventually(lambda: site.left() == 0)
        site.send(files[:1] * 3)
        eventually(lambda: site.left() == 0)
    assert len(archive.came) == 1


def test_strangers_are_not_let_in(site: Site) -> None:
    with site.serving():
        stranger = Destination("DEID", "127.0.0.1", site.port, calling="CT2")
        with pytest.raises(Deferred, match="calling AE title is not recognized"):
            echo(stranger)
        other = Destination("OTHER", "127.0.0.1", site.port, calling="CT1")
        with pytest.raises(Deferred, match="called AE title is not recognized"):
            echo(other)
    assert [line["calling"] for line in site.said("association refused")] == ["CT2", "CT1"]


def test_a_person_decides_while_the_gateway_runs(site: Site, files: list[Path], tmp_path: Path) -> None:
    """An object with another one's UID is held, shown, and discarded."""
    other = tmp_path / "other.dcm"
    content = bytearray(files[0].read_bytes())
    content[-1] ^= 0xFF
    other.write_bytes(content)
    with site.serving():
        site.send([files[0], other])
        state = ("--state", site.folder / "state")
        listed = json.loads(site.deid("queue", "list", "--json", *state))
        (held,) = listed["held"]
        assert "different content" in held["reason"]
        site.deid("queue", "discard", str(held["ticket"]), "--reason", "sent twice", *state)
        assert json.loads(site.deid("queue", "list", "--json", *state))["held"] == []


def test_a_second_gateway_on_the_same_state_does_not_start(site: Site) -> None:
    with site.serving():
        second = subprocess.run(
            [sys.executable, "-m", "deid", "serve", site.settings], capture_output=True, check=False, timeout=PATIENCE
        )
        assert second.returncode == 2
        assert b"in use by another process" in second.stderr


def test_whatever_is_acknowledged_survives_kills(site: Site, archive: Archive, files: list[Path]) -> None:
    """The gateway is killed again and again while objects come and go; each acknowledged one arrives, and no other."""
    chance = random.Random(1)  # noqa: S311 - no secret
    acknowledged: set[Path] = set()
    for _ in range(6):
        with site.serving() as process:
            until = time.monotonic() + chance.uniform(0.3, 2.0)
            while time.monotonic() < until:
                path = chance.choice(files)
                site.send([path])
                acknowledged.add(path)
            process.kill()
    with site.serving():
        eventually(lambda: len(archive.objects) == len(acknowledged))
        eventually(lambda: site.left() == 0)
    assert len(set(archive.came)) == len(archive.objects)


def test_nothing_that_is_said_or_named_identifies(site: Site, archive: Archive, files: list[Path]) -> None:
    with site.serving() as process:
        site.send(files)
        eventually(lambda: len(archive.objects) == len(files))
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    said = site.log.read_text()
    names = " ".join(str(path) for path in (site.folder / "state").rglob("*"))
    for value in PLANTED:
        assert value not in said
        assert value not in names
    assert (site.folder / "state").stat().st_mode & 0o077 == 0


def test_all_that_happens_is_in_the_audit_trail(site: Site, archive: Archive, files: list[Path]) -> None:
    with site.serving() as process:
        site.send([*files[:2], files[0]])
        with pytest.raises(Deferred):
            echo(Destination("DEID", "127.0.0.1", site.port, calling="CT2"))
        eventually(lambda: len(archive.objects) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    events = [json.loads(line) for line in (site.folder / "state" / "audit.jsonl").read_text().splitlines()]
    told = [event["event"] for event in events]
    assert told[0] == "started"
    assert told[-1] == "stopped"
    expected = {"received": 3, "released": 2, "delivered": 2, "association refused": 1}
    assert {event: told.count(event) for event in expected} == expected
    received = [event["fields"] for event in events if event["event"] == "received"]
    assert [fields["state"] for fields in received] == ["received", "received", "duplicate"]
    assert {fields["peer"] for fields in received} == {"CT1"}
    assert f"whole: {len(events)} lines" in site.deid("audit", "verify", "--state", site.folder / "state")


def test_what_was_acknowledged_is_in_the_audit_trail_after_a_kill(site: Site, files: list[Path]) -> None:
    with site.serving() as process:
        for path in files[:6]:
            site.send([path])
        process.kill()
    events = [json.loads(line) for line in (site.folder / "state" / "audit.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("received") == 6
    site.deid("audit", "verify", "--state", site.folder / "state")


def test_whoever_watches_sees_how_much_is_where(site: Site, archive: Archive, files: list[Path]) -> None:
    with site.serving():
        site.send(files[:2])
        eventually(lambda: len(archive.objects) == 2)
        eventually(lambda: 'deid_deliveries{destination="archive",state="sent"} 2.0' in site.ask("/metrics")[1])
        metrics = site.ask("/metrics")[1]
        assert 'deid_tickets{route="research",state="released"} 2.0' in metrics
        assert "deid_associations 0.0" in metrics
        assert site.ask("/healthz") == (200, "alive\n")
        assert site.ask("/readyz") == (200, "ready\n")
        assert site.ask("/")[0] == 404


def test_without_room_nobody_is_let_in(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port(), limits={"free_megabytes": 1 << 24})
    process = subprocess.Popen([sys.executable, "-m", "deid", "serve", site.settings], stderr=subprocess.DEVNULL)
    try:

        def refused() -> bool:
            try:
                echo(site.destination)
            except Deferred as reason:
                return "temporary congestion" in str(reason)
            return False

        eventually(refused)
        assert site.ask("/readyz")[0] == 503
        assert site.ask("/healthz")[0] == 200
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.skipif(not shutil.which("storescu"), reason="dcmtk is not installed")
def test_over_tls_only_the_device_itself_is_let_in(
    tmp_path: Path, archive: Archive, files: list[Path], pki: Pki
) -> None:
    """Storage SCU of dcmtk with its own certificate, with that of another device, with none, and without TLS."""
    folder = pki.folder
    tls = {name: str(folder / f"gateway.{end}") for name, end in (("certificate", "pem"), ("key", "key"))}
    site = Site(
        tmp_path,
        archive.port,
        peers=[{"ae_title": "CT1", "certificate": {"san": "dicom-ae:CT1"}, "route": "research"}],
    )
    settings = json.loads(site.settings.read_text())
    authority = {"authorities": str(folder / "ca.pem"), "crl": str(folder / "ca.crl")}
    settings["listen"] = [{"port": site.port, "address": "127.0.0.1", "tls": tls | authority}]
    site.settings.write_text(json.dumps(settings))

    def send(*more: str | Path) -> int:
        command = ["storescu", "-aet", "CT1", "-aec", "DEID", "-to", "10", *more, "localhost", str(site.port), files[0]]
        return subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE).returncode

    def shown(name: str) -> tuple[str | Path, ...]:
        return "+tls", folder / f"{name}.key", folder / f"{name}.pem", "+cf", folder / "ca.pem"

    with site.log.open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "deid", "serve", site.settings], stderr=log)
    try:
        eventually(lambda: bool(site.said("listening")))
        assert send(*shown("ct2")) != 0
        assert send("+tla", "+cf", folder / "ca.pem") != 0
        assert send(*shown("revoked")) != 0
        assert send() != 0
        assert archive.objects == {}
        assert send(*shown("ct1")) == 0
        eventually(lambda: len(archive.objects) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)
    (refused,) = site.said("association refused")
    assert str(refused["certificate"]).startswith("CN=ct2, dicom-ae:CT2, ")
    (accepted,) = site.said("association accepted")
    shown_by = certificate.from_pem(folder / "ct1.pem", "the certificate")[0]
    assert accepted["certificate"] == str(shown_by)
    assert shown_by.sha256[:16] in str(accepted["certificate"])
    sop_class = name_of(str(dcmread(files[0], stop_before_pixels=True).SOPClassUID))
    assert [sop_class, "Explicit VR Little Endian"] in accepted["accepted"]  # type: ignore[operator]
    reasons = [str(line["reason"]) for line in site.said("connection refused")]
    assert any("plain DICOM" in reason for reason in reasons)
    assert any("revoked" in reason for reason in reasons)
    assert len(reasons) == 3


def test_a_stranger_who_comes_in_a_loop_fills_no_log(site: Site) -> None:
    with site.serving() as process:
        for _ in range(20):
            with pytest.raises(Deferred):
                echo(Destination("DEID", "127.0.0.1", site.port, calling="CT2"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    first, again = site.said("association refused")
    assert first["calling"] == "CT2"
    assert again["count"] == 19
    trail = (site.folder / "state" / "audit.jsonl").read_text()
    assert trail.count("association refused") == 2
