"""Whoever only knocks at a port does not fill the log."""

from __future__ import annotations

import ipaddress
import json
import select
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deid.gateway.reception import Reception
from deid.gateway.strangers import Strangers
from deid.network.association import Association, connect
from deid.network.commitment import PROPOSAL
from deid.network.pdu import Aborted, Ended, Limits
from deid.network.peers import Peer
from deid.receive.listener import CROWDED
from deid.settings.document import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.network.negotiation import Request

KNOCKS = 40
MOST_SILENT = 2  # of one address, for two associations

Told = list[tuple[str, dict[str, object]]]


class Door:
    """A port in the clear, at which nobody is known."""

    def __init__(self, peers: Any = None, places: Any = None, most: int = MOST_SILENT) -> None:
        self.told: Told = []
        self.strangers = Strangers(lambda event, **fields: self.told.append((event, fields)), threading.Event())
        settings: Any = SimpleNamespace(
            listeners=[Listener("127.0.0.1", 0, None)],
            limits=SimpleNamespace(associations=most),
        )
        nobody: Any = None
        web: Any = SimpleNamespace(limits=Limits(setup=20.0, idle=20.0))
        self.reception = Reception(settings, peers, {}, nobody, places, web, self.strangers.note)
        self.reception.start()

    def knock(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.reception.listeners[0].port), timeout=20)


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.reception.close(20)


def said(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, capfd.readouterr().err.splitlines()) if line["event"] != "listening"]


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_whoever_scans_ports_makes_a_line_each_minute(capfd: pytest.CaptureFixture[str], words: bytes) -> None:
    door = Door(most=KNOCKS)  # what has ended may take up its place for a moment more
    for _ in range(KNOCKS):
        with door.knock() as connection:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(100):
                pass
    door.reception.close(20)
    (first,) = said(capfd)
    assert (first["event"], first["address"]) == ("connection ended", "127.0.0.1")
    assert first["reason"]
    door.strangers.sum_up()
    (rest,) = said(capfd)
    assert (rest["event"], rest["count"]) == ("connection ended", KNOCKS - 1)
    assert door.told == []  # nobody was refused anything


def test_whoever_is_silent_on_many_connections_makes_few_lines(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    silent = [door.knock() for _ in range(KNOCKS)]
    for connection in silent[: KNOCKS - MOST_SILENT]:
        assert connection.recv(100) == b""
    for connection in silent:
        connection.close()
    door.reception.close(20)
    door.strangers.sum_up()
    counted: Counter[str] = Counter()
    lines = said(capfd)
    for line in lines:
        counted[line["event"]] += line.get("count", 1)
    # Each is told once: those that had to go, and those that hung up by themselves.
    assert counted == {"connection given up": KNOCKS - MOST_SILENT, "connection ended": MOST_SILENT}
    assert len(lines) <= 2 * len({(line["event"], line["reason"]) for line in lines})
    assert door.told == []


class Known:
    """Lets the one peer in, which brings results alone; counts its places."""

    def __init__(self) -> None:
        self.left = 1

    def judge(self, _request: Request) -> Peer:
        return Peer("CT1", "", addresses=(ipaddress.ip_network("127.0.0.1"),), sends=False)

    def take(self, _peer: Peer) -> None:
        self.left -= 1

    def leave(self, _peer: Peer) -> None:
        self.left += 1


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def answered(known: Known) -> Iterator[Callable[[Callable[[socket.socket], None]], Association]]:
    """What comes of a request where `stays` looks at the connection of the peer when the gateway says that it stays."""
    door = Door(known, known)
    with ExitStack() as ending:
        ending.callback(door.reception.close, 20)

        def answered(stays: Callable[[socket.socket], None]) -> Association:
            ours, theirs = socket.socketpair()
            ending.enter_context(ours)

            def serve() -> None:
                with suppress(Ended):
                    door.reception._associate(104, theirs, lambda: stays(ours))

            serving = threading.Thread(target=serve)
            serving.start()
            ending.callback(serving.join)
            return ending.enter_context(connect(ours, "CT1", "DEID", (PROPOSAL,)))

        yield answered


def test_an_association_stays_before_its_peer_is_told_of_it(
    answered: Callable[[Callable[[socket.socket], None]], Association],
) -> None:
    told: list[bool] = []
    association = answered(lambda connection: told.append(bool(select.select([connection], [], [], 0)[0])))
    assert association.contexts
    assert told == [False]
    association.release()


def test_who_was_cut_off_meanwhile_is_not_told_that_he_is_in(
    answered: Callable[[Callable[[socket.socket], None]], Association],
    known: Known,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def cut_off(_: socket.socket) -> None:
        raise Aborted(CROWDED)

    with pytest.raises(Aborted):
        answered(cut_off)
    by = time.monotonic() + 20
    while not known.left:
        assert time.monotonic() < by
        time.sleep(0.01)
    assert said(capfd) == []
