"""What administrators and machines do to a gateway: nothing that is acknowledged is lost, and somebody is told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.network.association import connect
from deid.network.contexts import VERIFICATION
from deid.network.negotiation import Proposal, Refused
from deid.part10.encoding import IMPLICIT_SYNTAX
from deid.store.inbox import ELSEWHERE
from tests.ports import free_port

from .conftest import INSTANCE
from .site import PATIENCE, Archive, Site, all_in, eventually, workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PADDING = b"\xfc\xff\xfc\xffOB\0\0" + (400_000).to_bytes(4, "little") + bytes(400_000)


def kept_back(site: Site) -> dict[str, list[dict[str, object]]]:
    listed: dict[str, list[dict[str, object]]] = json.loads(
        site.deid("queue", "list", "--json", "--state", site.folder / "state")
    )
    return listed


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@contextmanager
def asleep(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Nothing is worked at meanwhile."""
    those = workers(process.pid)
    assert those
    for each in those:
        os.kill(each, signal.SIGSTOP)
    yield
    for each in those:
        os.kill(each, signal.SIGCONT)


def refused_start(site: Site) -> str:
    """What it says where it does not start."""
    command = [sys.executable, "-m", "deid", "serve", str(site.settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_route_that_is_renamed_leaves_nothing_forgotten(site: Site, archive: Archive, files: list[Path]) -> None:
    """Killed before the objects are worked at, and started with the route under another name."""
    state = ("--state", site.folder / "state")
    with site.serving() as process:
        # Its workers are asleep, so that the objects are still waiting when it is killed.
        site.send(files[:1])
        eventually(lambda: len(archive.objects) == 1)
        with asleep(process):
            site.send(files[1:3])
            process.kill()
    peer = json.loads(site.settings.read_text())["peers"][0]
    routes = json.loads(site.settings.read_text())["routes"]
    site.change(peers=[peer | {"route": "renamed"}], routes=[routes[0] | {"name": "renamed"}])
    with site.serving() as process:
        held = kept_back(site)["held"]
        assert len(held) == 2
        assert all("route is not in the settings any more" in str(each["reason"]) for each in held)
        assert [line["count"] for line in site.said("set aside")] == [2]
        site.send(files[3:4])
        eventually(lambda: len(archive.objects) == 2)
        stop(process)
    site.change(peers=[peer], routes=routes)
    with site.serving():
        said = site.deid("queue", "retry", *(str(each["ticket"]) for each in held), *state)
        assert str(said).count("waits until the gateway is started with its route") == 2
        eventually(lambda: len(archive.objects) == 4)


def test_what_a_former_route_has_delivered_does_not_follow_in_another_version(
    site: Site, archive: Archive, files: list[Path]
) -> None:
    """The route has another name and profile, and its sender sends once more."""
    with site.serving() as process:
        site.send(files[:1])
        eventually(lambda: len(archive.objects) == 1)
        eventually(lambda: site.left() == 0)
        stop(process)
    settings = json.loads(site.settings.read_text())
    (site.folder / "dates.yaml").write_text("version: 1\nbase: basic\noptions: [retain-full-dates]\n")
    site.change(
        routes=[settings["routes"][0] | {"name": "renamed", "profile": "./dates.yaml"}],
        peers=[each | {"route": "renamed"} for each in settings["peers"]],
    )
    with site.serving():
        site.send(files[:2])
        eventually(lambda: len(archive.objects) == 2)
        (held,) = kept_back(site)["held"]
        assert held["reason"] == ELSEWHERE
    assert (len(archive.came), archive.changed) == (2, set())


def test_a_destination_that_is_taken_out_leaves_nothing_forgotten(tmp_path: Path, files: list[Path]) -> None:
    site = Site(tmp_path, port := free_port())
    state = ("--state", site.folder / "state")
    before = json.loads(site.settings.read_text())
    with site.serving() as process:
        site.send(files[:2])
        eventually(lambda: bool(site.said("delivery paused")))
        eventually(lambda: 'state="waiting"} 2.0' in site.ask("/metrics")[1])
        stop(process)
    site.change(
        destinations=[before["destinations"][0] | {"name": "other"}],
        routes=[before["routes"][0] | {"destinations": ["other"]}],
    )
    with site.serving() as process:
        failed = kept_back(site)["undeliverable"]
        assert [each["destination"] for each in failed] == ["archive", "archive"]
        assert 'deid_deliveries{destination="archive",state="failed"} 2.0' in site.ask("/metrics")[1]
        given_up, wanted = (str(each["ticket"]) for each in failed)
        site.deid("queue", "discard", given_up, "--reason", "nobody wants it", *state)
        eventually(lambda: site.left() == 2, "the files of the delivery that was given up are deleted")
        stop(process)
    site.change(destinations=before["destinations"], routes=before["routes"])
    archive = Archive(port)
    with site.serving():
        site.deid("queue", "retry", wanted, *state)
        eventually(lambda: len(archive.objects) == 1)
        eventually(lambda: site.left() == 0)
    archive.close()


def test_a_route_that_is_taken_out_is_told_and_nothing_of_it_goes_on(tmp_path: Path, files: list[Path]) -> None:
    """Of the third object a power cut has taken the ticket away."""
    site = Site(tmp_path, port := free_port())
    state = ("--state", site.folder / "state")
    with site.serving() as process:
        site.send(files[:2])
        eventually(lambda: bool(site.said("delivery paused")))
        eventually(lambda: 'state="waiting"} 2.0' in site.ask("/metrics")[1])
        stop(process)
    content = files[2].read_bytes()
    (tmp_path / "state" / "spool" / "research" / f"{'0' * 32}-{len(content)}.dcm").write_bytes(content)
    settings = json.loads(site.settings.read_text())
    site.change(
        routes=[settings["routes"][0] | {"name": "new"}], peers=[each | {"route": "new"} for each in settings["peers"]]
    )
    archive = Archive(port)
    with site.serving() as process:
        eventually(lambda: len(kept_back(site)["undeliverable"]) == 2)
        assert [(each["route"], each["count"]) for each in site.said("route is not in the settings")] == [
            ("research", 3)
        ]
        assert 'deid_tickets{route="research",state="held"} 1.0' in site.ask("/metrics")[1]
        for each in kept_back(site)["undeliverable"]:
            site.deid("queue", "discard", str(each["ticket"]), "--reason", "nobody wants it", *state)
        eventually(lambda: site.left() == 1, "what was made of them goes as well")
        stop(process)
    assert len(kept_back(site)["held"]) == 1
    assert archive.came == []
    archive.close()


def test_another_profile_from_the_next_start_on(site: Site, archive: Archive, files: list[Path]) -> None:
    """What was released stays as it was released, and is not made a second time; what comes anew is made anew."""
    with site.serving() as process:
        site.send(files[:1])
        eventually(lambda: len(archive.objects) == 1)
        stop(process)
    routes = json.loads(site.settings.read_text())["routes"]
    site.change(routes=[routes[0] | {"options": ["retain-full-dates"]}])
    with site.serving():
        site.send(files[:2])
        eventually(lambda: len(archive.objects) == 2)
        eventually(lambda: site.left() == 0)
    assert len(archive.came) == 2


def test_however_often_it_is_told_to_stop_it_stops(site: Site) -> None:
    """A second signal comes while the first one is handled: from a terminal, a script, and a service manager."""
    with site.serving() as process:
        by = time.monotonic() + PATIENCE
        while process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                process.send_signal(number)
            time.sleep(0.001)  # without it, a machine with few cores may do nothing but deliver signals
            assert time.monotonic() < by
    assert site.said("stopped")


def test_whoever_watches_and_hangs_up_is_no_trace_in_the_log(site: Site) -> None:
    with site.serving() as process:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", site.watch)) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it is reset
                connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 200)
        assert site.ask("/healthz")[0] == 200
        stop(process)
    assert "Traceback" not in site.log.read_text()


def test_a_key_that_is_missing_or_another_one_is_not_replaced(site: Site, archive: Archive, files: list[Path]) -> None:
    key = site.folder / "state" / "key"
    with site.serving() as process:
        site.send(files[:1])
        eventually(lambda: len(archive.objects) == 1)
        stop(process)
    right = key.read_bytes()
    key.unlink()
    assert "is missing" in refused_start(site)
    assert not key.exists()
    key.write_bytes(b"0" * 64 + b"\n")
    key.chmod(0o600)
    assert "not the one this ledger was written with" in refused_start(site)
    key.write_bytes(right)
    key.chmod(0o644)
    assert "open to group or others" in refused_start(site)
    key.chmod(0o600)
    with site.serving():
        site.send(files[1:2])
        eventually(lambda: len(archive.objects) == 2)


@pytest.mark.parametrize("damage", ["zeros", "cut off", "no database", "half of it is other bytes"])
def test_a_damaged_ledger_does_not_serve(site: Site, archive: Archive, files: list[Path], damage: str) -> None:
    """No new one is made in its place: it would know nothing of what was acknowledged."""
    ledger = site.folder / "state" / "ledger.sqlite"
    with site.serving() as process:
        site.send(files[:3])
        eventually(lambda: len(archive.objects) == 3)
        stop(process)
    content = ledger.read_bytes()
    half = len(content) // 2
    damaged = {
        "zeros": bytes(len(content)),
        "cut off": content[: half // 4096 * 4096],
        "no database": b"nothing of SQLite\n" * 1000,
        "half of it is other bytes": content[:4096] + b"\xa5" * (len(content) - 4096),
    }[damage]
    ledger.write_bytes(damaged)
    assert "ledger" in refused_start(site)
    assert ledger.read_bytes()[:4096] == damaged[:4096]


def test_files_of_the_spool_that_are_taken_away_are_told_and_the_others_go_on(
    tmp_path: Path, files: list[Path]
) -> None:
    """Originals are removed, and replaced by links, while they wait."""
    site = Site(tmp_path, free_port())
    with site.serving() as process:
        site.send(files[:1])
        eventually(lambda: bool(site.said("delivery paused")))
        with asleep(process):
            spool = site.folder / "state" / "spool" / "research"
            known = set(spool.iterdir())
            site.send(files[1:4])
            first, second, third = sorted(set(spool.iterdir()) - known)
            process.kill()
    first.unlink()
    content = second.read_bytes()
    second.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    second.symlink_to(tmp_path / "elsewhere")
    assert third.exists()
    with site.serving():
        eventually(lambda: len(kept_back(site)["unreadable"]) == 2)
        eventually(lambda: 'state="waiting"} 2.0' in site.ask("/metrics")[1])
    assert (tmp_path / "elsewhere").read_bytes() == content


def test_what_is_halted_goes_on(site: Site, archive: Archive, files: list[Path]) -> None:
    """SIGSTOP, as a debugger or a suspended machine does it, in the middle of what comes and goes."""
    with site.serving() as process:
        sending = Thread(target=site.send, args=(files,))
        sending.start()
        while sending.is_alive():
            for number in (signal.SIGSTOP, signal.SIGCONT):
                process.send_signal(number)
                time.sleep(0.05)
        eventually(lambda: len(archive.objects) == len(files))
        stop(process)
    assert len(archive.came) == len(files)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_and_goes_on_by_itself(tmp_path: Path, disk: Path, files: list[Path]) -> None:
    """Peers fill it, and then somebody else, to the last byte; whatever was acknowledged arrives when there is room."""
    port = free_port()
    site = Site(tmp_path, port, state=str(disk / "state"), limits={"free_megabytes": 16})
    content = files[0].read_bytes()
    acknowledged = 0
    with site.serving() as process:
        for number in range(1000):
            path = tmp_path / f"{number}.dcm"
            changed = content.replace(INSTANCE, b"2.25.%d.1.1.1" % (10**38 + number))
            path.write_bytes(changed + PADDING)
            try:
                site.send([path])
            except Deferred:
                break
            acknowledged += 1
        else:
            pytest.fail("it takes more than there is room for")
        assert acknowledged > 5
        filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):
            while os.write(filler, bytes(4096)):
                pass
        os.close(filler)
        for number in range(2, 62):  # there is always something to be written down
            connection = socket.create_connection(("127.0.0.1", site.port), PATIENCE, (f"127.0.0.{number}", 0))
            with pytest.raises(Refused):
                connect(connection, "CT1", "DEID", [Proposal(VERIFICATION, (IMPLICIT_SYNTAX,))])
        eventually(lambda: bool(site.said("audit paused")))
        eventually(lambda: bool(site.said("work paused")))
        assert process.poll() is None, site.log.read_text()
        (disk / "filler").unlink()
        archive = Archive(port)
        eventually(lambda: len(archive.objects) == acknowledged)
        eventually(lambda: not [path for path in all_in(disk / "state" / "spool") if path.suffix == ".dcm"])
        site.send(files[1:2])
        eventually(lambda: len(archive.objects) == acknowledged + 1)
        archive.close()
        stop(process)
    assert "whole" in site.deid("audit", "verify", "--state", disk / "state")
