"""What anybody who reaches the port can do to a gateway: it stays small, tells no defect, and serves the next peer.

DEID_ATTACKS is the number of damaged conversations, 10000 for a long look.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.forward.scu import Destination, Sender, echo, need_of
from deid.network import dimse, status
from deid.network.associate import encode_request
from deid.network.association import connect
from deid.network.contexts import VERIFICATION
from deid.network.dimse import encode_command
from deid.network.negotiation import Identity, Proposal, Request, Role
from deid.network.passcodes import line
from deid.network.pdu import ABORT, ASSOCIATE_RQ, HEADER, P_DATA, RELEASE_RQ, Ended, Limits, control
from deid.network.tls import LiveContext
from deid.part10.source import open_stored
from tests.network.conversations import damaged, pdata

from .site import PATIENCE, Archive, Site, all_in, eventually, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.network.dimse import Command
    from tests.conftest import Pki

ATTACKS = int(os.environ.get("DEID_ATTACKS", "400"))
MOST_GROWTH = 64 << 10  # kB of memory that a gateway may take more while it is attacked
MOST_OF_A_WORKER = 256 << 10
SR, EXPLICIT, DEFLATED = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
PROPOSALS = {1: Proposal(VERIFICATION, (EXPLICIT,)), 3: Proposal(SR, (EXPLICIT,)), 5: Proposal(SR, (DEFLATED,))}


class Target:
    """A gateway that runs, and what it takes of the machine."""

    def __init__(self, site: Site, archive: Archive, process: subprocess.Popen[bytes], sample: Path) -> None:
        self.site = site
        self.archive = archive
        self.sample = sample
        self._process = process
        self.serves_the_next()
        self._memory, self._threads = self._told("VmRSS"), self._told("Threads")

    def _told(self, what: str, process: int = 0) -> int:
        status = Path(f"/proc/{process or self._process.pid}/status").read_text()
        return int(status.split(f"{what}:")[1].split()[0])

    def dial(self, address: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.site.port), PATIENCE, (address, 0))

    def serves_the_next(self) -> None:
        """Also an object goes in and comes out; its memory, threads and spool are as they were."""
        assert echo(self.site.destination).is_stored
        self.site.send([self.sample])
        eventually(lambda: bool(self.archive.objects))

    def is_as_it_was(self) -> None:
        self.serves_the_next()
        assert self._process.poll() is None
        assert self._told("VmHWM") - self._memory < MOST_GROWTH
        assert all(self._told("VmHWM", each) < MOST_OF_A_WORKER for each in workers(self._process.pid))
        eventually(lambda: self._told("Threads") <= self._threads + 1, "threads end")
        spool = self.site.folder / "state" / "spool"
        eventually(
            lambda: not [path for path in all_in(spool) if path.suffix == ".part"],
            "nothing is left of what was cut off",
        )
        assert self.site.said("defect") == []
        assert "Traceback" not in self.site.log.read_text()


@pytest.fixture
def sample(files: list[Path]) -> Path:
    """A small object without pixels."""
    return next(path for path in files if path.name == "SR000001")


@pytest.fixture
def target(tmp_path: Path, archive: Archive, sample: Path, request: pytest.FixtureRequest) -> Iterator[Target]:
    associations = getattr(request, "param", 50)  # as many as without a word in the settings
    limits = {"associations": associations, "associations_per_peer": associations, "free_megabytes": 1}
    site = Site(tmp_path, archive.port, limits=limits)
    with site.serving() as process:
        yield Target(site, archive, process, sample)


def proposal(most: int = 16384, roles: tuple[Role, ...] = (), identity: Identity | None = None) -> bytes:
    return encode_request(Request("CT1", "DEID", PROPOSALS, roles, identity), most)


def data_set(path: Path) -> bytes:
    with closing(open_stored(path)) as source:
        return source.read(source.start, source.size - source.start)


def store(context: int, instance: str, content: bytes, number: int = 1) -> bytes:
    command: Command = {
        dimse.AFFECTED_SOP_CLASS: SR,
        dimse.COMMAND_FIELD: dimse.C_STORE,
        dimse.MESSAGE_ID: number,
        dimse.PRIORITY: 0,
        dimse.DATA_SET_TYPE: dimse.DATA_SET,
        dimse.AFFECTED_SOP_INSTANCE: instance,
    }
    parts = [content[at : at + 8192] for at in range(0, len(content), 8192)]
    fragments = (pdata(context, 2 if at == len(parts) - 1 else 0, part) for at, part in enumerate(parts))
    return pdata(context, 3, encode_command(command)) + b"".join(fragments)


def heard(connection: socket.socket) -> bytes:
    said = bytearray()
    with suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            said += part
    return bytes(said)


def uid_of(path: Path) -> str:
    found = data_set(path).partition(b"\x08\0\x18\0UI")[2]
    return found[2 : 2 + int.from_bytes(found[:2], "little")].rstrip(b"\0").decode()


def test_damaged_conversations(target: Target) -> None:
    """At every layer: lengths, items, command sets, fragments, data sets; from several peers at a time."""
    chance = random.Random(11)  # noqa: S311 - the same cases every time
    echo_command: Command = {
        dimse.AFFECTED_SOP_CLASS: VERIFICATION,
        dimse.COMMAND_FIELD: dimse.C_ECHO,
        dimse.MESSAGE_ID: 2,
        dimse.DATA_SET_TYPE: dimse.NO_DATA_SET,
    }
    conversation = b"".join(
        (
            proposal(roles=(Role(SR, scu=True, scp=True),), identity=Identity(2, b"user", b"passcode", True)),
            store(3, uid_of(target.sample), data_set(target.sample)),
            pdata(1, 3, encode_command(echo_command)),
            control(RELEASE_RQ),
        )
    )
    cases = [conversation, *(damaged(conversation, chance) for _ in range(ATTACKS))]

    def talk(case: bytes) -> bytes:
        with target.dial() as connection:
            with suppress(ConnectionError):
                connection.sendall(case)
                connection.shutdown(socket.SHUT_WR)
            return heard(connection)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(talk, cases))
    assert said[0].endswith(control(dimse.C_STORE + 5))  # A-RELEASE-RP
    assert sum(HEADER.pack(ABORT, 4) in each for each in said) > ATTACKS // 10
    eventually(lambda: 'state="received"} 0.0' in target.site.ask("/metrics")[1], "all that was taken has an end")
    target.is_as_it_was()


@pytest.mark.parametrize(
    ("before", "length", "kind"),
    [
        (False, 0xFFFFFFFF, ASSOCIATE_RQ),
        (False, 0xFFFFFFFF, P_DATA),
        (True, 0xFFFFFFFF, P_DATA),
        (True, (128 << 10) + 1, P_DATA),
        (True, 0xFFFFFFFF, RELEASE_RQ),
    ],
)
def test_a_length_that_may_not_be_is_not_waited_for(
    target: Target,
    before: bool,  # noqa: FBT001 - a table
    length: int,
    kind: int,
) -> None:
    with target.dial() as connection:
        if before:
            connection.sendall(proposal())
            assert connection.recv(6)[:1] == b"\2"
        connection.sendall(HEADER.pack(kind, length))
        with suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(bytes(1 << 20))
            pytest.fail("it goes on taking what nobody may send")
    target.is_as_it_was()


@pytest.mark.parametrize("target", [250], indirect=True)
def test_two_hundred_associations_at_once(target: Target) -> None:
    with ExitStack() as stack:
        open_ones = [stack.enter_context(target.dial()) for _ in range(200)]
        for connection in open_ones:
            connection.sendall(proposal())
        assert all(connection.recv(6)[:1] == b"\2" for connection in open_ones)
        content, uid = data_set(target.sample), uid_of(target.sample)
        for connection in open_ones:
            connection.sendall(store(3, uid, content)[:-10])
        target.serves_the_next()
        for connection in open_ones:
            connection.sendall(store(3, uid, content)[-10:] + control(RELEASE_RQ))
        assert all(b"\x00\x09\x02\x00\x00\x00\x00\x00" in heard(connection) for connection in open_ones)  # success
    target.is_as_it_was()


def test_silent_and_slow_connections_keep_nobody_out(target: Target) -> None:
    """More than there are places: silent ones, half-open ones, and some that say a byte from time to time."""
    said = proposal()
    with ExitStack() as stack:
        addresses = [f"127.0.0.{2 + at % 5}" for at in range(600)]
        slow = [stack.enter_context(target.dial(address)) for address in addresses]
        for at in range(5):
            for connection in slow[::3]:
                with suppress(ConnectionError):
                    connection.sendall(said[at : at + 1])
            target.serves_the_next()
    target.is_as_it_was()


def test_whoever_goes_away_in_the_middle_leaves_nothing(target: Target) -> None:
    whole = proposal() + store(3, uid_of(target.sample), data_set(target.sample) * 50)
    for at in range(0, len(whole), len(whole) // 23):
        with target.dial() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it is reset
            connection.sendall(whole[:at])
    target.is_as_it_was()


def test_requests_that_wait_for_no_answer_are_not_piled_up(target: Target) -> None:
    """Sixty megabytes of them, and nobody reads what is answered until all is sent."""
    content, uid = data_set(target.sample) + b"\x10\0\x10\0LT\0\0" * 8000, uid_of(target.sample)
    requests = store(3, uid, content) * 8
    with target.dial() as connection, ThreadPoolExecutor(1) as pool:
        answers = pool.submit(heard, connection)
        connection.sendall(proposal())
        for _ in range(100):
            connection.sendall(requests)
        connection.sendall(control(RELEASE_RQ))
        assert answers.result(PATIENCE).count(b"\x00\x00\x00\x09\x02\x00\x00\x00") == 800
    target.is_as_it_was()


def test_a_bomb_is_held_and_takes_little_memory(target: Target) -> None:
    """PS3.5 A.5: a megabyte that inflates to a gigabyte."""
    head = data_set(target.sample).partition(b"\x08\0\x20\0")[0]
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(head + b"\x09\0\x10\0LO\4\0ACME\x09\0\1\x10UN\0\0" + (1 << 30).to_bytes(4, "little"))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(1 << 10)) + packer.flush()
    assert len(bomb) < 2 << 20
    with target.dial() as connection:
        connection.sendall(proposal() + store(5, uid_of(target.sample), bomb) + control(RELEASE_RQ))
        assert b"\x00\x09\x02\x00\x00\x00\x00\x00" in heard(connection)
    eventually(lambda: 'state="held"} 1.0' in target.site.ask("/metrics")[1])
    target.is_as_it_was()


@pytest.mark.parametrize("instance", ["../pwned", "/pwned", "1.2.3/../../pwned", "1.2.3\0/pwned", "..", "1..2", ""])
def test_a_uid_that_is_a_path_is_no_uid(target: Target, instance: str) -> None:
    before = {path for path in all_in(target.site.folder) if "pwned" in path.name}
    with target.dial() as connection:
        connection.sendall(proposal() + store(3, instance, data_set(target.sample)) + control(RELEASE_RQ))
        answered = heard(connection)
    assert status.INVALID_OBJECT_INSTANCE.to_bytes(2, "little") in answered
    assert b"\x00\x09\x02\x00\x00\x00\x00\x00" not in answered
    assert {path for path in all_in(target.site.folder) if "pwned" in path.name} == before
    target.is_as_it_was()


def test_an_object_that_is_not_the_one_of_its_command_is_refused(target: Target) -> None:
    with target.dial() as connection:
        connection.sendall(proposal() + store(3, "1.2.3", data_set(target.sample)) + control(RELEASE_RQ))
        answered = heard(connection)
    assert b"\x00\x09\x02\x00\x00\x00" + status.DATA_SET_MISMATCH.to_bytes(2, "little") in answered
    target.is_as_it_was()


def test_the_same_object_from_eight_peers_at_the_same_moment_goes_out_once(
    target: Target, archive: Archive, files: list[Path]
) -> None:
    before = len(archive.came)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(target.site.send, [files[:1]] * 8))
    eventually(lambda: len(archive.came) == before + 1)
    eventually(lambda: target.site.left() == 0)
    metrics = target.site.ask("/metrics")[1]
    assert 'state="held"} 0.0' in metrics
    assert len(archive.came) == before + 1
    target.is_as_it_was()


def test_different_objects_with_one_uid_at_the_same_moment(
    target: Target, archive: Archive, files: list[Path], tmp_path: Path
) -> None:
    """One goes out, and the others wait for a person."""
    before = len(archive.came)
    content = bytearray(files[0].read_bytes())
    others = []
    for number in range(8):
        content[-1] = number
        others.append(tmp_path / f"{number}.dcm")
        others[-1].write_bytes(content)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: target.site.send([path]), others))
    eventually(lambda: 'state="held"} 7.0' in target.site.ask("/metrics")[1])
    eventually(lambda: len(archive.came) == before + 1)
    target.is_as_it_was()


@pytest.mark.parametrize("kind", [1, 2])
def test_a_user_gets_the_response_that_he_asks_for(
    tmp_path: Path,
    archive: Archive,
    sample: Path,
    kind: int,
) -> None:
    """PS3.7 D.3.3.7: only who has shown his passcode is told that he is known."""
    passcodes = tmp_path / "passcodes"
    passcodes.write_text(line("tech", b"open sesame") + "\n")
    passcodes.chmod(0o600)
    peers = [
        {"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research"},
        {"ae_title": "CT2", "addresses": ["127.0.0.1"], "route": "research", "user": "tech"},
    ]
    site = Site(tmp_path, archive.port, peers=peers, passcodes=str(passcodes))
    identity = Identity(kind, b"tech", b"open sesame" if kind == 2 else b"", wants_response=True)
    with site.serving():
        for calling in ("CT1", "CT2"):
            connection = socket.create_connection(("127.0.0.1", site.port), PATIENCE)
            try:
                with connect(connection, calling, "DEID", [PROPOSALS[1]], Limits(), identity=identity) as association:
                    assert association.identity_response == (b"" if calling == "CT2" else None)
            except Ended:
                assert (calling, kind) == ("CT2", 1)
        if kind == 2 and shutil.which("echoscu"):
            asked = ["-usr", "tech", "-pwd", "open sesame", "-rsp"]
            command = ["storescu", "-aet", "CT2", "-aec", "DEID", *asked, "127.0.0.1", str(site.port), str(sample)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert done.returncode == 0, done.stderr
            eventually(lambda: len(archive.objects) == 1)
    assert "sesame" not in site.log.read_text()


def test_a_silent_connection_blocks_no_one_who_has_a_certificate(
    tmp_path: Path, archive: Archive, sample: Path, pki: Pki
) -> None:
    """Silent, in the middle of a handshake, and slow, from the same address; all before anybody is known."""
    folder = pki.folder
    tls = {"certificate": f"{folder}/gateway.pem", "key": f"{folder}/gateway.key", "authorities": f"{folder}/ca.pem"}
    site = Site(tmp_path, archive.port)
    site.change(listen=[{"port": site.port, "address": "127.0.0.1", "tls": tls}])
    with ExitStack() as stack, site.log.open("ab") as log:
        process = stack.enter_context(
            subprocess.Popen([sys.executable, "-m", "deid", "serve", site.settings], stderr=log)
        )
        stack.callback(process.kill)
        eventually(lambda: bool(site.said("listening")))
        for beginning in (b"", b"\x16\x03\x01\x20\x00", b"\x16"):
            for _ in range(40):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), PATIENCE))
                connection.sendall(beginning)
        live = LiveContext(pki.tls("ct1"), server=False, say=lambda _line: None)
        there = Destination("DEID", "localhost", site.port, "CT1", tls=live)
        with Sender(there, [need] if (need := need_of(sample)) else []) as sender:
            sender.send(sample)
        eventually(lambda: len(archive.objects) == 1)
