"""The gateway as a service: how it starts, what it tells whoever has started it, and how it ends."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from deid.network.association import accept
from deid.network.contexts import VERIFICATION, accept_storage
from deid.receive.listener import Listener
from tests.ports import free_port

from .site import PATIENCE, SERVE, Site, all_in, eventually

if TYPE_CHECKING:
    from tests.conftest import Pki

RELEASED = 'deid_tickets{route="research",state="released"} 1.0'


class Service(Site):
    """Nobody is at its destination, unless a test puts somebody there."""

    def __init__(self, folder: Path) -> None:
        self.archive = free_port()
        super().__init__(folder, self.archive)

    def refused(self) -> str:
        """Why it does not start, in one line of JSON."""
        done = subprocess.run([*SERVE, self.settings], capture_output=True, check=False, timeout=PATIENCE)
        assert done.returncode == 2
        (line,) = map(json.loads, done.stderr.splitlines())
        assert line["event"] == "not serving"
        return str(line["reason"])


@pytest.fixture
def site(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.mark.parametrize("which", ["port", "watch"])
def test_a_port_that_is_taken_is_told(site: Service, which: str) -> None:
    with socket.create_server(("127.0.0.1", getattr(site, which))) as taken:
        reason = site.refused()
        assert (
            f"port {taken.getsockname()[1]} of 127.0.0.1 cannot be taken (Address already in use): another program"
            in reason
        )


def test_an_address_of_another_machine_is_told(site: Service) -> None:
    site.change(watch={"address": "192.0.2.1", "port": site.watch})
    assert "this machine does not have the address" in site.refused()


@pytest.mark.parametrize("named", ["certificate", "key", "authorities"])
def test_a_file_for_tls_that_is_missing_is_named(site: Service, pki: Pki, named: str) -> None:
    files = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem"} | {named: "nowhere.pem"}
    tls = {key: str(pki.folder / name) for key, name in files.items()}
    site.change(listen=[{"port": site.port, "address": "127.0.0.1", "tls": tls}])
    assert f"{pki.folder / 'nowhere.pem'} cannot be read: No such file" in site.refused()


def test_settings_that_are_missing_or_that_others_may_write_are_named(site: Service) -> None:
    site.settings.chmod(0o620)
    assert "settings.yaml: group or others may write it" in site.refused()
    site.settings.unlink()
    assert "settings.yaml" in site.refused()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_ends_when_it_is_told(site: Service, files: list[Path], number: signal.Signals) -> None:
    with site.serving(("env", "--default-signal", *SERVE)) as process:
        site.send(files[:1])
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    events = [json.loads(line)["event"] for line in site.log.read_text().splitlines()]
    assert (events[0], events[-1]) == ("listening", "stopped")
    assert "stopping" in events


def test_it_ends_whichever_of_its_threads_is_told(site: Service) -> None:
    with site.serving(("env", "--default-signal", *SERVE)) as process:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            if thread.name != str(process.pid):
                ctypes.CDLL(None).tgkill(process.pid, int(thread.name), signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_without_a_terminal_it_goes_on_where_that_was_asked_for(site: Service, files: list[Path]) -> None:
    with site.serving(("nohup", *SERVE)) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        site.send(files[:1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(site.said("association ended")) >= 1


def test_a_destination_that_does_not_answer_cannot_keep_it_from_ending(site: Service, files: list[Path]) -> None:
    asked, over = Event(), Event()

    def ponder(connection: socket.socket, _stays: object) -> None:
        with accept(connection, lambda request: accept_storage(request, (VERIFICATION,))) as association:
            association.receive()
            asked.set()
            over.wait(PATIENCE)

    archive = Listener("127.0.0.1", site.archive, ponder, most=4, each=4)
    archive.start()
    sooner = "from deid.gateway import service; service._SECONDS_TO_FINISH = 3.0; from deid.cli import main; main()"
    try:
        with site.serving((sys.executable, "-c", sooner, "serve")) as process:
            site.send(files[:1])
            assert asked.wait(PATIENCE)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
    finally:
        over.set()
        archive.close(1.0)
    (stopped,) = site.said("stopped")
    assert "done again after the next start" in str(stopped["reason"])
    events = [json.loads(line)["event"] for line in (site.folder / "state" / "audit.jsonl").read_text().splitlines()]
    assert events[-1] == "stopped"


def test_it_goes_on_when_nobody_reads_its_log_any_more(site: Service, files: list[Path]) -> None:
    reading, writing = os.pipe()
    with site.serving(stderr=writing) as process:
        os.close(writing)
        os.close(reading)
        site.send(files[:1])
        eventually(lambda: RELEASED in site.ask("/metrics")[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_the_service_manager_is_told_when_peers_are_let_in_and_when_that_ends(site: Service, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        with site.serving(env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}) as process:
            assert manager.recv(100) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:  # it was taken away since it was listed
        return 0


def test_whatever_it_keeps_is_open_to_its_user_alone(site: Service, files: list[Path]) -> None:
    """It runs without a umask here; what the outbox holds has the modes of files that leave."""
    with site.serving(umask=0):
        site.send(files[:1])
        eventually(lambda: RELEASED in site.ask("/metrics")[1])
        state = site.folder / "state"
        kept = [path for path in (state, *all_in(state)) if state / "outbox" not in path.parents]
        assert {"outbox", "spool", "key", "ledger.sqlite", "audit.jsonl"} <= {path.name for path in kept}
        assert [path for path in kept if mode_of(path) & 0o077] == []


def test_it_can_be_the_first_process_of_a_container(site: Service, files: list[Path]) -> None:
    """There a signal without a handler is lost, and nobody else waits for processes that have ended."""
    apart = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespaces for this user")
    with site.serving((*apart, *SERVE)) as process:
        site.send(files[:1])
        eventually(lambda: RELEASED in site.ask("/metrics")[1])
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (first,) = map(int, children)
        os.kill(first, signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(site.said("stopped")) == 1


def test_what_is_told_of_watching_it_is_so(site: Service, files: list[Path], pki: Pki) -> None:
    tls = {"authorities": str(pki.folder / "ca.pem")}
    site.change(audit={"host": "localhost", "port": free_port(), "tls": tls})  # nobody is there; some is told only then
    told = (Path(__file__).resolve().parents[2] / "samples" / "deploy" / "README.md").read_text()
    with site.serving():
        site.send(files[:1])
        eventually(lambda: RELEASED in site.ask("/metrics")[1])
        metrics = site.ask("/metrics")[1]
        paths = re.findall(r"`(/[a-z]+z|/metrics)`", told)
        assert set(paths) == {"/healthz", "/readyz", "/metrics"}
        assert {site.ask(path)[0] for path in paths} == {200}
    names = re.findall(r"\bdeid_[a-z_]+", told)
    assert set(names) <= set(re.findall(r"^(deid_[a-z_]+)", metrics, re.MULTILINE))
    states = re.findall(r'\b(deid_[a-z]+)\{(state="[a-z]+")', told)
    assert len(states) > 4
    for name, state in states:
        assert re.search(rf"^{name}\{{.*{state}", metrics, re.MULTILINE), state
