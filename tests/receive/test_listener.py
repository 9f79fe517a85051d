"""A port serves each connection by itself, within bounds."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

import pytest

from deid.network.pdu import Ended
from deid.receive.listener import CROWDED, CROWDED_ADDRESS, NO_MEANS, Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def echo(connection: socket.socket, stays: Callable[[], None]) -> None:
    """Say what is heard; whoever has said something stays."""
    with suppress(OSError):  # a peer that hangs up with something unread resets its connection
        while heard := connection.recv(100):
            stays()
            connection.sendall(heard)


@pytest.fixture
def closed() -> list[tuple[str, str]]:
    """Who had to go, and why."""
    return []


@pytest.fixture
def listener(closed: list[tuple[str, str]]) -> Iterator[Listener]:
    def note(address: str, _port: int, why: str) -> None:
        closed.append((address, why))

    listener = Listener("127.0.0.1", 0, echo, most=4, each=3, closed=note)
    listener.start()
    yield listener
    listener.close(0.1)


@pytest.fixture
def connect(listener: Listener) -> Iterator[Callable[[], socket.socket]]:
    made: list[socket.socket] = []

    def connect() -> socket.socket:
        made.append(socket.create_connection(("127.0.0.1", listener.port), timeout=10))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def answers(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"hello")
        return connection.recv(100) == b"hello"
    except OSError:
        return False


def test_whoever_is_silent_keeps_nobody_waiting(connect: Callable[[], socket.socket]) -> None:
    connect(), connect()
    assert answers(connect())


def test_those_that_stay_take_no_place_of_others(
    connect: Callable[[], socket.socket], closed: list[tuple[str, str]]
) -> None:
    staying = [connection for _ in range(10) if answers(connection := connect())]
    assert all(answers(connection) for connection in staying)
    assert len(staying) == 10
    assert closed == []


def test_whoever_is_silent_gives_his_place_to_others(
    connect: Callable[[], socket.socket], closed: list[tuple[str, str]]
) -> None:
    first, *silent = [connect() for _ in range(3)]
    served = connect()
    assert answers(served)
    assert first.recv(1) == b""
    assert closed == [("127.0.0.1", CROWDED_ADDRESS)]
    assert all(answers(connection) for connection in silent)
    assert answers(served)
    assert len(closed) == 1


def test_the_silence_of_one_address_costs_others_nothing(
    listener: Listener, connect: Callable[[], socket.socket], closed: list[tuple[str, str]]
) -> None:
    assert answers(theirs := connect())
    silent = connect()
    flood = [socket.create_connection(("127.0.0.1", listener.port), 10, ("127.0.0.2", 0)) for _ in range(50)]
    assert answers(theirs)
    assert answers(connect())
    assert answers(silent)
    assert sum(answers(connection) for connection in flood) == 2  # of four places, two were for others
    assert closed == [("127.0.0.2", CROWDED_ADDRESS)] * 47 + [("127.0.0.2", CROWDED)]
    for connection in flood:
        connection.close()


def test_the_address_that_is_silent_most_makes_room_for_others(
    listener: Listener, connect: Callable[[], socket.socket], closed: list[tuple[str, str]]
) -> None:
    silent = connect()
    flood = [socket.create_connection(("127.0.0.1", listener.port), 10, ("127.0.0.2", 0)) for _ in range(3)]
    other = socket.create_connection(("127.0.0.1", listener.port), 10, ("127.0.0.3", 0))
    assert answers(other)
    assert answers(silent)
    assert [answers(connection) for connection in flood] == [False, True, True]
    assert closed == [("127.0.0.2", CROWDED)]
    for connection in (*flood, other):
        connection.close()


@pytest.mark.parametrize("lacks", ["socket.socket.dup", "threading.Thread.start"])
def test_who_is_closed_for_want_of_means_is_told(
    connect: Callable[[], socket.socket],
    closed: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    lacks: str,
) -> None:
    def none(_: object) -> None:
        raise OSError if lacks.endswith("dup") else RuntimeError

    assert answers(connect())
    monkeypatch.setattr(lacks, none)
    refused = connect()
    assert not answers(refused)
    monkeypatch.undo()
    assert answers(connect())
    assert closed == [("127.0.0.1", NO_MEANS)]


def test_what_was_cut_off_cannot_stay_any_more() -> None:
    cut_off, tried = Event(), Event()
    ends: list[str] = []

    def talk(connection: socket.socket, stays: Callable[[], None]) -> None:
        heard = connection.recv(100)
        if heard:
            return
        assert cut_off.wait(20)
        try:
            stays()
        except Ended as reason:
            ends.append(str(reason))
        tried.set()

    listener = Listener("127.0.0.1", 0, talk, most=1, each=1, closed=lambda *_: cut_off.set())
    listener.start()
    with (
        socket.create_connection(("127.0.0.1", listener.port), 20),
        socket.create_connection(("127.0.0.1", listener.port), 20) as other,
    ):
        assert tried.wait(20)
        other.sendall(b"hello")
    listener.close(20)
    assert ends == [CROWDED_ADDRESS]


def test_a_place_is_free_again_when_its_connection_ends(connect: Callable[[], socket.socket]) -> None:
    for connection in [connect() for _ in range(3)]:
        connection.close()
    by = time.monotonic() + 10
    while not answers(connect()):
        assert time.monotonic() < by


def test_closing_cuts_off_those_that_do_not_end(listener: Listener, connect: Callable[[], socket.socket]) -> None:
    port, connection = listener.port, connect()
    assert answers(connection)
    listener.close(0.1)
    assert connection.recv(100) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=10)
