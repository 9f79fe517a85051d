"""A gateway in a process of its own, with a folder and settings of its own, and an archive at the other side."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import Deferred
from deid.forward.scu import Destination, Sender, echo, need_of
from deid.network import dimse, status
from deid.network.association import accept
from deid.network.contexts import VERIFICATION, accept_storage
from deid.network.negotiation import TRANSFER_SYNTAXES_NOT_SUPPORTED, Acceptance
from deid.network.pdu import Ended, Limits
from deid.part10.target import file_meta
from deid.receive.listener import Listener
from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from deid.network.association import Association, Message
    from deid.network.negotiation import Request

IN_THE_CLEAR = "yes, I accept that names travel in the clear"
PATIENCE = 60.0
SERVE = (sys.executable, "-m", "deid", "serve")


class Archive:
    """A Storage SCP at the other side: keeps data sets by SOP Instance UID, and every one that came."""

    def __init__(self, port: int = 0, answer: int = status.SUCCESS, private: tuple[str, ...] = ()) -> None:
        self.objects: dict[str, bytes] = {}
        self.came: list[str] = []
        self.changed: set[str] = set()  # those that came again and were not the same
        self.answer = answer
        self.takes: set[str] = set()  # transfer syntaxes; empty: all
        self._private = private
        self._listener = Listener("127.0.0.1", port, self._talk, most=20, each=20)
        self._listener.start()
        self.port = self._listener.port

    def _talk(self, connection: socket.socket, _stays: object) -> None:
        try:
            with accept(connection, self._decide) as association:
                while message := association.receive():
                    self.take(association, message)
        except Ended:
            pass

    def take(self, association: Association, message: Message) -> None:
        """Keep one object, and answer."""
        uid, syntax = message.text(dimse.AFFECTED_SOP_INSTANCE), message.context.transfer_syntax
        content = b"".join(map(bytes, message.chunks()))
        if self.answer == status.SUCCESS:
            self.came.append(uid)
            content = file_meta(message.context.abstract_syntax, uid, syntax) + content
            if self.objects.setdefault(uid, content) != content:
                self.changed.add(uid)
        association.send(message.context.id, message.response(self.answer))

    def _decide(self, request: Request) -> Acceptance:
        answer = accept_storage(request, (VERIFICATION,), self._private)
        if not self.takes:
            return answer
        taken = {number: syntax for number, syntax in answer.transfer_syntaxes.items() if syntax in self.takes}
        return Acceptance(taken, dict.fromkeys(request.proposals, TRANSFER_SYNTAXES_NOT_SUPPORTED))

    def close(self) -> None:
        self._listener.close(0.1)


class Site:
    """A folder with settings, and the gateway that runs on them."""

    def __init__(self, folder: Path, archive_port: int, **more: object) -> None:
        self.folder = folder
        self.port, self.watch = free_ports(2)
        self.log = folder / "log.jsonl"
        self.calling = "CT1"
        settings = {
            "version": 1,
            "ae_title": "DEID",
            "state": "state",
            "listen": [{"port": self.port, "address": "127.0.0.1", "unencrypted": IN_THE_CLEAR}],
            "peers": [{"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"}],
            "destinations": [
                {
                    "name": "archive",
                    "ae_title": "ARCHIVE",
                    "host": "localhost",
                    "port": archive_port,
                    "unencrypted": IN_THE_CLEAR,
                }
            ],
            "routes": [{"name": "research", "profile": "basic", "destinations": ["archive"]}],
            "watch": {"port": self.watch},
        } | more
        self.settings = folder / "settings.yaml"
        self.settings.write_text(json.dumps(settings))  # JSON is YAML
        self.settings.chmod(0o600)

    def change(self, **keys: object) -> None:
        """Other settings for the next start."""
        self.settings.write_text(json.dumps(json.loads(self.settings.read_text()) | keys))

    @contextmanager
    def serving(
        self,
        program: Sequence[str] = SERVE,
        stderr: int | None = None,
        umask: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The gateway from when it listens."""
        with self.log.open("ab") as log:
            process = subprocess.Popen([*program, self.settings], stderr=stderr or log, umask=umask, env=env)
            try:
                self.wait_until_it_listens(process)
                yield process
            finally:
                process.kill()
                process.wait(PATIENCE)

    def wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        by = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < by
            try:
                assert echo(self.destination).is_stored
            except Deferred:
                time.sleep(0.05)
            else:
                return

    @property
    def destination(self) -> Destination:
        return Destination("DEID", "127.0.0.1", self.port, calling=self.calling, limits=Limits(setup=10.0))

    def send(self, paths: list[Path], called: str = "DEID") -> None:
        needs = {need for path in paths if (need := need_of(path))}
        with Sender(replace(self.destination, ae_title=called), needs) as sender:
            for path in paths:
                sender.send(path)

    def said(self, event: str) -> list[dict[str, object]]:
        # Python's own resource tracker writes there as well, when the gateway was killed.
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def deid(self, *words: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "deid", *words], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode in (0, 3), done.stderr
        return done.stdout

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.watch, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def left(self) -> int:
        return sum(path.suffix == ".dcm" for path in all_in(self.folder / "state"))


def all_in(folder: Path) -> list[Path]:
    """What is below a folder while a gateway runs. Not rglob: it raises where folders are taken away meanwhile."""
    return [Path(above, name) for above, folders, files in os.walk(folder) for name in (*folders, *files)]


def workers(process: int) -> set[int]:
    """The processes of a gateway that de-identify; not the one that tidies up after them."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    found = {int(child) for each in children for child in each.read_text().split()}
    return {each for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()}


def eventually(holds: Callable[[], bool], what: str = "") -> None:
    by = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < by, what
        time.sleep(0.05)
