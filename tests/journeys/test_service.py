"""The gateway as a service: how it starts, what it tells whoever has started it, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from deid import samples
from deid.errors import Deferred
from deid.forward.scu import Destination, Sender, echo
from deid.network.association import accept
from deid.network.contexts import VERIFICATION, accept_storage
from deid.network.pdu import Limits
from deid.receive.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Pki

IN_THE_CLEAR = "yes, I accept that names travel in the clear"
PATIENCE = 60.0
PROGRAM = (sys.executable, "-m", "deid", "serve")


class Site:
    """A folder with settings on free ports; nobody is at its destination, unless a test puts somebody there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.watch, self.archive = (_free_port() for _ in range(3))
        self.settings = folder / "settings.yaml"
        self.log = folder / "log.jsonl"
        self.write()

    def write(self, **changed: object) -> None:
        given = {
            "version": 1,
            "ae_title": "DEID",
            "state": "state",
            "listen": [{"port": self.port, "address": "127.0.0.1", "unencrypted": IN_THE_CLEAR}],
            "peers": [{"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"}],
            "destinations": [
                {
                    "name": "archive",
                    "ae_title": "ARCHIVE",
                    "host": "127.0.0.1",
                    "port": self.archive,
                    "unencrypted": IN_THE_CLEAR,
                }
            ],
            "routes": [{"name": "research", "profile": "basic", "destinations": ["archive"]}],
            "watch": {"port": self.watch},
        }
        self.settings.write_text(json.dumps(given | changed))  # JSON is YAML
        self.settings.chmod(0o600)

    @contextmanager
    def serving(
        self, program: tuple[str, ...] = PROGRAM, stderr: int | None = None, **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The gateway from when it listens."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*program, self.settings], stderr=stderr or log, umask=0, env={**os.environ, **environment}
            )
        try:
            eventually(lambda: process.poll() is not None or self.listens())
            assert process.poll() is None, self.log.read_text()
            yield process
        finally:
            process.kill()
            process.wait(PATIENCE)

    def refused(self) -> dict[str, Any]:
        """What it says when it does not start."""
        done = subprocess.run([*PROGRAM, self.settings], capture_output=True, check=False, timeout=PATIENCE)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        said: dict[str, Any] = json.loads(line)
        assert said["event"] == "not serving"
        return said

    @property
    def destination(self) -> Destination:
        return Destination("DEID", "127.0.0.1", self.port, calling="CT1", limits=Limits(setup=10.0))

    def listens(self) -> bool:
        try:
            return echo(self.destination).is_stored
        except Deferred:
            return False

    def send(self) -> None:
        samples.make(self.folder / "in")
        with Sender(self.destination) as sender:
            sender.send(self.folder / "in" / "CT/IM000001")

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.watch, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def said(self, event: str) -> list[dict[str, object]]:
        """Every line is one of JSON."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def eventually(holds: Callable[[], bool]) -> None:
    by = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < by
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("which", ["port", "watch"])
def test_a_port_that_is_taken_is_told(site: Site, which: str) -> None:
    with socket.create_server(("127.0.0.1", getattr(site, which))) as taken:
        reason = site.refused()["reason"]
        assert f"port {taken.getsockname()[1]} of 127.0.0.1" in reason
    assert "another program listens there" in reason


def test_an_address_of_another_machine_is_told(site: Site) -> None:
    site.write(watch={"address": "192.0.2.1", "port": site.watch})
    assert "this machine does not have the address" in site.refused()["reason"]


@pytest.mark.parametrize("named", ["certificate", "key", "authorities"])
def test_a_file_for_tls_that_is_missing_is_named(site: Site, pki: Pki, named: str) -> None:
    files = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem"} | {named: "nowhere.pem"}
    tls = {key: str(pki.folder / name) for key, name in files.items()}
    site.write(listen=[{"port": site.port, "address": "127.0.0.1", "tls": tls}])
    assert f"{pki.folder / 'nowhere.pem'} cannot be read: No such file" in site.refused()["reason"]


def test_settings_that_are_missing_or_that_others_may_write_are_named(site: Site) -> None:
    site.settings.chmod(0o620)
    assert "settings.yaml: group or others may write it" in site.refused()["reason"]
    site.settings.unlink()
    assert "settings.yaml" in site.refused()["reason"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_ends_when_it_is_told(site: Site, number: signal.Signals) -> None:
    with site.serving(("env", "--default-signal", *PROGRAM)) as process:
        site.send()
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert len(site.said("stopping")) == len(site.said("stopped")) == 1


def test_without_a_terminal_it_goes_on_where_that_was_asked_for(site: Site) -> None:
    with site.serving(("nohup", *PROGRAM)) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        site.send()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(site.said("association ended")) >= 1


def test_a_destination_that_does_not_answer_cannot_keep_it_from_ending(site: Site) -> None:
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
            site.send()
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


def test_it_goes_on_when_nobody_reads_its_log_any_more(site: Site) -> None:
    reading, writing = os.pipe()
    with site.serving(stderr=writing) as process:
        os.close(writing)
        os.close(reading)
        site.send()
        eventually(lambda: 'deid_tickets{route="research",state="released"} 1.0' in site.metrics())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_the_service_manager_is_told_when_peers_are_let_in_and_when_that_ends(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        with site.serving(NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert manager.recv(100) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def test_whatever_it_keeps_is_open_to_its_user_alone(site: Site) -> None:
    """It runs without a umask here; what the outbox holds has the modes of files that leave."""
    with site.serving():
        site.send()
        eventually(lambda: 'deid_tickets{route="research",state="released"} 1.0' in site.metrics())
        state = site.folder / "state"
        kept = [path for path in (state, *state.rglob("*")) if state / "outbox" not in path.parents]
        assert {"outbox", "spool", "key", "ledger.sqlite", "audit.jsonl"} <= {path.name for path in kept}
        assert [path for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_it_can_be_the_first_process_of_a_container(site: Site) -> None:
    """There a signal without a handler is lost, and nobody else waits for processes that have ended."""
    apart = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process namespaces for this user")
    with site.serving((*apart, *PROGRAM)) as process:
        site.send()
        eventually(lambda: 'deid_tickets{route="research",state="released"} 1.0' in site.metrics())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (first,) = map(int, children)
        os.kill(first, signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(site.said("stopped")) == 1
