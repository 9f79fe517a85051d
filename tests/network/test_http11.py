"""Requests come as they may, whole or in pieces; what is no HTTP, too long or too slow is told so, and ends."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from deid.network.http11 import Exchange, Unclear
from deid.network.pdu import Aborted, Limits, Stalled

if TYPE_CHECKING:
    from collections.abc import Iterator

POST = b"POST /studies HTTP/1.1\r\nHost: here\r\n"
QUICK = Limits(setup=0.3, idle=0.3, stall=0.3, message=0.6)


class Pair:
    """An exchange, and the socket at the other side."""

    def __init__(self, limits: Limits) -> None:
        self.peer, ours = socket.socketpair()
        self.peer.settimeout(20)
        self.exchange = Exchange(ours, limits)

    def heard(self) -> bytes:
        """All that is said until the connection is closed."""
        self.exchange.close()
        said = b""
        while more := self.peer.recv(65536):
            said += more
        return said


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair(Limits(setup=20.0, idle=20.0, stall=20.0))
    with closing(pair.peer), closing(pair.exchange):
        yield pair


@pytest.fixture
def quick() -> Iterator[Pair]:
    pair = Pair(QUICK)
    with closing(pair.peer), closing(pair.exchange):
        yield pair


def test_requests_come_one_after_another_and_all_at_once(pair: Pair) -> None:
    pair.peer.sendall(2 * (POST + b"Content-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\nabc"))
    pair.peer.shutdown(socket.SHUT_WR)
    for _ in range(2):
        request = pair.exchange.request(20)
        assert request is not None
        assert (request.method, request.target, request.headers["x-a"]) == ("POST", "/studies", "1, 2")
        assert b"".join(pair.exchange.body()) == b"abc"
        pair.exchange.answer(200, b"{}", [("Content-Type", "application/json")])
    assert pair.exchange.request(20) is None
    said = pair.heard()
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"server" not in said.lower()


@pytest.mark.parametrize("requests", [0, 1])
def test_no_connection_goes_on_for_ever(pair: Pair, monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    """Neither with requests one after another, nor with one whose body has no end."""
    pair.peer.sendall(requests * (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
    for _ in range(requests):
        assert pair.exchange.request(20)
    body = pair.exchange.body()
    assert [next(body) for _ in range(requests)] == requests * [b"abc"]
    a_day_later = time.monotonic() + 86_400
    monkeypatch.setattr("deid.network.http11.time.monotonic", lambda: a_day_later)
    pair.peer.sendall(b"3\r\nabc\r\n" if requests else POST)
    with pytest.raises(Stalled, match="there for too long"):
        next(body) if requests else pair.exchange.request(20)


def test_a_body_may_come_in_chunks(pair: Pair) -> None:
    pair.peer.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrailer: t\r\n\r\n")
    assert pair.exchange.request(20)
    assert b"".join(pair.exchange.body()) == b"abcd"


def test_who_waits_for_100_is_told_when_the_body_is_wanted(pair: Pair) -> None:
    pair.peer.sendall(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert pair.exchange.request(20)
    body = pair.exchange.body()

    def go_on() -> None:
        assert pair.peer.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        pair.peer.sendall(b"abc")

    peer = Thread(target=go_on)
    peer.start()
    assert b"".join(body) == b"abc"
    peer.join(20)
    pair.exchange.answer(200)
    assert pair.heard().startswith(b"HTTP/1.1 200")


def test_who_is_refused_before_is_not_told_to_go_on(pair: Pair) -> None:
    pair.peer.sendall(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert pair.exchange.request(20)
    pair.exchange.answer(401)
    pair.peer.shutdown(socket.SHUT_WR)
    said = pair.heard()
    assert said.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"onnection: close\r\n" in said
    assert pair.exchange.request(20) is None


def test_who_is_still_sending_gets_the_answer(pair: Pair) -> None:
    pair.peer.sendall(POST + b"Content-Length: 3000000\r\n\r\n")
    assert pair.exchange.request(20)
    sending = Thread(target=pair.peer.sendall, args=(b"\0" * 3_000_000,))
    sending.start()
    pair.exchange.answer(415)
    assert pair.heard().startswith(b"HTTP/1.1 415")
    sending.join(20)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x01\0\0\0\0\xd0\0\1\0\0" + b"\0" * 20 + b"\r\n\r\n", 400),  # an A-ASSOCIATE-RQ
        (b"POST /studies\r\n\r\n", 400),
        (b"POST /stu dies HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        (b"POST /studies HTTP/1.1\r\n\r\n", 400),  # no host
        (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
        (POST + b"Content-Length: -3\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (POST + b"X: " + b"y" * 20_000, 431),
        (POST + b"Name : value\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_told_so(pair: Pair, sent: bytes, code: int) -> None:
    pair.peer.sendall(sent)
    with pytest.raises(Unclear) as told:
        pair.exchange.request(20)
    assert told.value.code == code
    pair.exchange.answer(told.value.code)
    pair.peer.shutdown(socket.SHUT_WR)
    assert pair.heard().startswith(b"HTTP/1.1 %d " % code)


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 30\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n",
    ],
)
def test_a_body_that_is_shorter_or_other_than_said_never_ends(pair: Pair, sent: bytes) -> None:
    pair.peer.sendall(POST + sent)
    pair.peer.shutdown(socket.SHUT_WR)
    assert pair.exchange.request(20)
    with pytest.raises(Unclear):
        list(pair.exchange.body())


def test_who_says_nothing_is_not_waited_for(quick: Pair) -> None:
    with pytest.raises(Stalled):
        quick.exchange.request(0.3)


def test_who_hangs_up_before_a_request_wants_nothing(pair: Pair) -> None:
    pair.peer.close()
    assert pair.exchange.request(20) is None


def test_who_hangs_up_in_the_middle_is_gone(pair: Pair) -> None:
    pair.peer.sendall(POST + b"Content-Length: 30\r\n\r\nabc")
    assert pair.exchange.request(20)
    next(pair.exchange.body())
    pair.peer.close()
    with pytest.raises((Aborted, Unclear)):
        list(pair.exchange.body())
    with pytest.raises(Aborted):
        pair.exchange.answer(200, b"\0" * 10_000_000)


@pytest.mark.parametrize("start", [b"", POST + b"Content-Length: 100000\r\n\r\n"])
def test_who_sends_byte_by_byte_is_not_waited_for_without_end(quick: Pair, start: bytes) -> None:
    ended: list[bool] = []

    def trickle() -> None:
        for byte in start or [POST]:
            if ended:
                return
            quick.peer.sendall(bytes([byte]) if isinstance(byte, int) else byte)
        while not ended:
            quick.peer.sendall(b"x")
            time.sleep(0.05)

    peer = Thread(target=trickle)
    peer.start()
    try:
        with pytest.raises(Stalled):
            list(quick.exchange.body() if quick.exchange.request(20) else ())
    finally:
        ended.append(True)
        peer.join(20)
