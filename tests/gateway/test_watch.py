"""Whoever watches is answered, however many others ask, say nothing, or say it slowly."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from deid.gateway import watch
from deid.gateway.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0  # seconds


class Counted(Collector):
    """What the ledger would say, if it can be read."""

    def __init__(self) -> None:
        self.readable = True
        self.ready = True
        self.locked = False
        self.waiting = 0
        self.unlocked = threading.Event()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self.locked:
            self.waiting += 1
            self.unlocked.wait(PATIENCE)
        if not self.readable:
            raise sqlite3.OperationalError("QUILLFEATHER")
        yield GaugeMetricFamily("deid_things", "Things.", 7)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def watching(counted: Counted) -> Iterator[Watch]:
    made = Watch("127.0.0.1", 0, counted, lambda: counted.ready)
    yield made
    made.close()


def ask(watching: Watch, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", watching.port, timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_what_is_asked_is_answered(watching: Watch, counted: Counted) -> None:
    assert ask(watching, "/healthz") == (200, "alive\n")
    assert ask(watching, "/readyz") == (200, "ready\n")
    counted.ready = False
    assert ask(watching, "/readyz")[0] == 503
    assert "deid_things 7.0" in ask(watching, "/metrics")[1]
    assert ask(watching, "/state")[0] == 404
    assert ask(watching, "/metrics", "POST")[0] == 501
    assert ask(watching, "/metrics", "HEAD") == (501, "")


def test_a_ledger_that_cannot_be_read_is_told_without_what_it_says(
    watching: Watch, counted: Counted, capfd: pytest.CaptureFixture[str]
) -> None:
    counted.readable = False
    code, said = ask(watching, "/metrics")
    assert code == 503
    assert said.startswith("the metrics cannot be read now (")
    assert ask(watching, "/healthz")[0] == 200
    assert "QUILLFEATHER" not in said + "".join(capfd.readouterr())


def test_few_wait_for_a_ledger_that_is_locked(watching: Watch, counted: Counted) -> None:
    """However many ask and hang up: a thread that waits for the ledger does not notice."""
    before = threading.active_count()
    counted.locked = True
    until = time.monotonic() + PATIENCE
    try:
        asked = 0
        while asked < 200 or counted.waiting < watch._MOST_READING:
            assert time.monotonic() < until
            with socket.create_connection(("127.0.0.1", watching.port), timeout=PATIENCE) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            asked += 1
        assert ask(watching, "/metrics") == (503, "the metrics are being read for others: ask again\n")
        assert ask(watching, "/healthz")[0] == 200
        assert threading.active_count() - before < 100
    finally:
        counted.unlocked.set()
    while ask(watching, "/metrics")[0] != 200:
        assert time.monotonic() < until


@pytest.mark.parametrize("said", [b"", b"GET /metr"])
def test_who_opens_many_connections_takes_up_few_threads(said: bytes, watching: Watch) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", watching.port), timeout=PATIENCE))
            with suppress(OSError):  # it was given up for one of the others
                connection.sendall(said)
        assert ask(watching, "/healthz")[0] == 200
        assert threading.active_count() - before < 100


def test_who_sends_byte_by_byte_is_cut_off(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LIMITS", replace(watch._LIMITS, setup=0.5))
    watching = Watch("127.0.0.1", 0, counted, lambda: True)
    try:
        with socket.create_connection(("127.0.0.1", watching.port), timeout=PATIENCE) as connection:
            connection.settimeout(0.02)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
            until = time.monotonic() + PATIENCE
            while not _has_ended(connection):
                assert time.monotonic() < until
    finally:
        watching.close()


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other side has hung up, and takes no further byte."""
    try:
        connection.sendall(b"x")
        return not connection.recv(100)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_nothing_that_is_no_request_is_a_trace_in_the_log(watching: Watch, capfd: pytest.CaptureFixture[str]) -> None:
    for said in (b"", b"\x16\x03\x01\0\xa5\x01", b"GET /metrics\r\n\r\n", b"GET /" + b"x" * 100_000, b"\r\n" * 9):
        with socket.create_connection(("127.0.0.1", watching.port), timeout=PATIENCE) as connection:
            with suppress(OSError):
                connection.sendall(said)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass
    assert ask(watching, "/healthz")[0] == 200
    assert not capfd.readouterr().err


def test_the_port_is_free_again_afterwards(counted: Counted) -> None:
    first = Watch("127.0.0.1", 0, counted, lambda: True)
    port = first.port
    ask(first, "/healthz")
    first.close()
    second = Watch("127.0.0.1", port, counted, lambda: True)
    assert ask(second, "/healthz")[0] == 200
    second.close()
