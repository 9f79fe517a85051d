from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
import tracemalloc
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from deid import samples
from deid.errors import BadProfile, BrokenOff, Declined, Deferred, Rejected
from deid.forward import stow
from deid.forward.stow import Service, Stow
from deid.network.tls import LiveContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Pki


class Archive(ThreadingHTTPServer):
    """A DICOMweb service that says what it is told to say; where it is not, that it stored the object."""

    daemon_threads = True

    def __init__(self, says: int = 200, told: object = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.says, self.told, self.more = says, told, headers or {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.hangs_up_after = 0  # objects, 0: never

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Archive

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        told = answer(stored=instance_in(body)) if self.server.told is None else self.server.told
        said = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(self.server.says)
        for name, value in self.server.more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        if len(self.server.requests) == self.server.hangs_up_after:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(archive: Archive) -> Iterator[Archive]:
    thread = threading.Thread(target=archive.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield archive
    finally:
        archive.shutdown()
        thread.join()
        archive.server_close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("in")
    samples.make(folder)
    return sorted((folder / "CT").iterdir())


def instance_in(content: bytes) -> str:
    found = re.search(rb"\x08\x00\x18\x00UI..([0-9.]+)", content)
    assert found
    return found[1].decode()


def answer(*failures: int, stored: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {}
    if failures:
        items = [{"00081197": {"vr": "US", "Value": [failure]}} for failure in failures]
        told["00081198"] = {"vr": "SQ", "Value": items}
    if stored:
        told["00081199"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [stored]}}]}
    return told


def test_objects_go_as_they_are_over_one_connection(files: list[Path]) -> None:
    with serving(Archive()) as archive, Stow(Service("127.0.0.1", archive.port, "/dicom-web")) as service:
        for path in files:
            service.send(path)
    assert archive.connections == 1
    for path, (asked, headers, body) in zip(files, archive.requests, strict=True):
        assert asked == "/dicom-web/studies"
        kind = re.fullmatch(
            r'multipart/related; type="application/dicom"; boundary=([0-9a-f]{32})', headers["Content-Type"]
        )
        assert kind
        start = f"--{kind[1]}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        assert body == start + path.read_bytes() + f"\r\n--{kind[1]}--\r\n".encode()
        assert headers["Accept"] == "application/dicom+json"
        assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("says", "told", "becomes", "because"),
    [
        (409, answer(0xA700), Declined, "HTTP 409, failure reason A700"),
        (409, answer(0x0122), Rejected, "HTTP 409, failure reason 0122"),
        (409, {"00081198": {"Value": [{}]}}, Rejected, "failure reason 0110"),
        (409, {"0008119A": {"Value": [{"00081197": {"Value": [0xA700]}}]}}, Declined, "failure reason A700"),
        (202, answer(1 << 64, -5), Rejected, "failure reason 0110"),
        (409, b"<html>", Rejected, "HTTP 409"),
        (200, answer(0xC000), Rejected, "failure reason C000"),
        (200, b"", Declined, "not that it stored"),
        (200, b"<html>Please sign in</html>", Declined, "not that it stored"),
        (200, {"status": "ok"}, Declined, "not that it stored"),
        (200, answer(stored="1.2.3"), Declined, "not that it stored"),
        (202, {}, Rejected, "does not say that it stored"),
        (202, answer(stored="1.2.3"), Rejected, "does not say that it stored"),
        (400, None, Rejected, "HTTP 400"),
        (413, None, Rejected, "HTTP 413"),
        (415, None, Rejected, "HTTP 415"),
        (401, None, Deferred, "token"),
        (403, None, Deferred, "token"),
        (404, None, Deferred, "HTTP 404"),
        (302, None, Deferred, "sends us elsewhere"),
        (429, None, Deferred, "HTTP 429"),
        (500, None, Declined, "HTTP 500"),
        (503, b"[" * 100_000, Declined, "HTTP 503"),
        (204, None, Deferred, "HTTP 204"),
    ],
)
def test_each_answer_has_its_fate(
    files: list[Path], says: int, told: object, becomes: type[Exception], because: str
) -> None:
    with (
        serving(Archive(says, told, {"Location": "http://192.0.2.1/"})) as archive,
        Stow(Service("127.0.0.1", archive.port, "")) as service,
        pytest.raises(becomes, match=because),
    ):
        service.send(files[0])


@pytest.mark.parametrize("says", [200, 202])
def test_what_was_stored_with_warnings_is_stored(files: list[Path], says: int) -> None:
    with (
        serving(Archive(says, answer(stored=instance_in(files[0].read_bytes())))) as archive,
        Stow(Service("127.0.0.1", archive.port, "")) as service,
    ):
        service.send(files[0])


def test_a_service_may_close_the_connection_behind_each_answer(files: list[Path]) -> None:
    with (
        serving(Archive(headers={"Connection": "close"})) as archive,
        Stow(Service("127.0.0.1", archive.port, "")) as service,
    ):
        for path in files[:2]:
            service.send(path)
    assert archive.connections == len(archive.requests) == 2


def test_a_connection_that_was_closed_meanwhile_is_made_anew(files: list[Path]) -> None:
    archive = Archive()
    archive.hangs_up_after = 1
    with serving(archive), Stow(Service("127.0.0.1", archive.port, "")) as service:
        for path in files:
            service.send(path)
    assert len(archive.requests) == len(files)
    assert archive.connections == 2


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", b"220 mail.example\r\n", b"HTTP/1.1 200"]
)
def test_half_an_answer_is_none(files: list[Path], said: bytes) -> None:
    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                while not connection.recv(1 << 20).endswith(b"--\r\n"):
                    pass
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
            pytest.raises(BrokenOff, match="before it answered"),
        ):
            service.send(files[0])
        thread.join()


def test_an_answer_that_comes_before_all_was_sent_counts(tmp_path: Path, files: list[Path]) -> None:
    long = tmp_path / "long.dcm"
    long.write_bytes(files[0].read_bytes())
    with long.open("ab") as file:
        file.truncate(64 << 20)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            with suppress(OSError):
                for _ in range(40):  # some of the rest, and then no more
                    connection.recv(1 << 16)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
            pytest.raises((Rejected, Deferred), match=r"413|before it answered"),  # a reset may overtake the answer
        ):
            service.send(long)
        thread.join()


def test_who_says_that_he_stored_what_he_has_not_taken_is_not_believed(tmp_path: Path, files: list[Path]) -> None:
    long = tmp_path / "long.dcm"
    long.write_bytes(files[0].read_bytes())
    with long.open("ab") as file:
        file.truncate(64 << 20)
    said = json.dumps(answer(stored=instance_in(files[0].read_bytes()))).encode()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
            pytest.raises(BrokenOff, match=r"not taken all|before it answered"),  # a reset may overtake the answer
        ):
            service.send(long)
        thread.join()


@pytest.mark.parametrize("first", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_the_last_of_several_answers_counts(files: list[Path], first: bytes) -> None:
    said = json.dumps(answer(stored=instance_in(files[0].read_bytes()))).encode()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while not connection.recv(1 << 20).endswith(b"--\r\n"):
                pass
            connection.sendall((b"HTTP/1.1 %s\r\nLink: </x>\r\n\r\n" % first) * 2)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service:
            service.send(files[0])
        thread.join()


def test_a_service_that_says_nothing_is_left(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow, "_ANSWER", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
        pytest.raises(BrokenOff, match="too long"),
    ):
        service.send(files[0])


@pytest.mark.parametrize("drip", [b"HTTP/1.1 100 Continue\r\n\r\n", b"x"])
def test_a_service_whose_answer_drips_is_left(files: list[Path], monkeypatch: pytest.MonkeyPatch, drip: bytes) -> None:
    """Each byte comes long before any one read is over time, and the answer never ends."""
    monkeypatch.setattr(stow, "_ANSWER", 0.5)
    left = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                while not connection.recv(1 << 20).endswith(b"--\r\n"):
                    pass
                if drip == b"x":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not left.wait(0.02):
                    connection.sendall(drip)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
                pytest.raises(BrokenOff, match="too long"),
            ):
                service.send(files[0])
        finally:
            left.set()
            thread.join()


def test_no_more_is_read_of_an_answer_than_one_object_needs(files: list[Path]) -> None:
    mib = bytes(1 << 20)
    taken: list[int] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while not connection.recv(1 << 20).endswith(b"--\r\n"):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * len(mib)))
            for number in range(64):
                connection.sendall(mib)
                taken.append(number)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service, pytest.raises(Declined):
            service.send(files[0])
        thread.join()
    assert len(taken) < 64, "the rest is in the buffers of the kernel at most"


def test_nobody_there(files: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Stow(Service("127.0.0.1", port, "")) as service, pytest.raises(Deferred, match="cannot be reached") as away:
        service.send(files[0])
    assert not isinstance(away.value, BrokenOff)


def test_a_file_that_becomes_shorter_is_not_the_fault_of_the_service(tmp_path: Path, files: list[Path]) -> None:
    short = tmp_path / "short.dcm"
    short.write_bytes(files[0].read_bytes())
    with short.open("ab") as file:
        file.truncate(64 << 20)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 10)  # its length was told by then
            os.truncate(short, 1 << 10)
            while connection.recv(1 << 20):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service,
            pytest.raises(Deferred, match="shorter"),
        ):
            service.send(short)
        thread.join()


def test_memory_does_not_grow_with_the_object(tmp_path: Path, files: list[Path]) -> None:
    long = tmp_path / "long.dcm"
    long.write_bytes(files[0].read_bytes())
    said = json.dumps(answer(stored=instance_in(files[0].read_bytes()))).encode()
    with long.open("ab") as file:
        file.truncate(48 << 20)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            buffer, last = bytearray(1 << 16), b""
            while not last.endswith(b"--\r\n"):
                count = connection.recv_into(buffer)
                last = (last + bytes(buffer[:count][-8:]))[-8:]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        with Stow(Service("127.0.0.1", listener.getsockname()[1], "")) as service:
            tracemalloc.start()
            try:
                service.send(long)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()
        thread.join()


def test_the_token_is_read_for_each_object(tmp_path: Path, files: list[Path]) -> None:
    file = tmp_path / "token"
    file.write_text("first.token\n")
    file.chmod(0o600)
    with serving(Archive()) as archive, Stow(Service("127.0.0.1", archive.port, "", token_file=file)) as service:
        service.send(files[0])
        file.write_text("second~token==\n")
        service.send(files[1])
        file.chmod(0o644)
        with pytest.raises(Deferred, match="open to group or others"):
            service.send(files[2])
    assert [headers["Authorization"] for _, headers, _ in archive.requests] == [
        "Bearer first.token",
        "Bearer second~token==",
    ]


@pytest.mark.parametrize("token", ["", "two words", "a\r\nb", "tökn"])
def test_what_is_no_token_is_told_at_the_start(tmp_path: Path, token: str) -> None:
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)
    with pytest.raises(BadProfile, match="token file"):
        Service("localhost", 80, "", token_file=file).token()


@contextmanager
def secure(archive: Archive, pki: Pki, name: str = "gateway") -> Iterator[Archive]:
    context = LiveContext(pki.tls(name), server=True, say=print).context()
    archive.socket = context.wrap_socket(archive.socket, server_side=True)
    with serving(archive):
        yield archive


def test_over_tls_both_sides_show_certificates(files: list[Path], pki: Pki) -> None:
    live = LiveContext(pki.tls("ct1"), server=False, say=print)
    made: list[tuple[str, bytes | None]] = []
    with (
        secure(Archive(), pki) as archive,
        Stow(Service("localhost", archive.port, "", live, made=lambda *shown: made.append(shown))) as service,
    ):
        for path in files[:2]:
            service.send(path)
    assert archive.requests[0][2].count(b"DICM") == 1
    ((address, certificate),) = made
    assert address in ("127.0.0.1", "::1")
    assert certificate == ssl.PEM_cert_to_DER_cert(first_of((pki.folder / "gateway.pem").read_text()))


def first_of(chain: str) -> str:
    end = "-----END CERTIFICATE-----"
    return chain[: chain.index(end)] + end


def test_in_the_clear_nobody_shows_a_certificate(files: list[Path]) -> None:
    made: list[tuple[str, bytes | None]] = []
    with (
        serving(Archive()) as archive,
        Stow(Service("127.0.0.1", archive.port, "", made=lambda *shown: made.append(shown))) as service,
    ):
        service.send(files[0])
    assert made == [("127.0.0.1", None)]


def test_a_stranger_gets_nothing(files: list[Path], pki: Pki) -> None:
    live = LiveContext(pki.tls("ct1"), server=False, say=print)
    stranger = Archive()
    tls = pki.tls("stranger", crl=None)
    with (
        secure(stranger, pki._replace(folder=pki.folder), tls.certificate.stem if tls.certificate else ""),
        Stow(Service("localhost", stranger.port, "", live)) as service,
        pytest.raises(Deferred, match="no secure connection"),
    ):
        service.send(files[0])
    assert not stranger.requests


def test_a_name_that_the_certificate_does_not_have_gets_nothing(
    files: list[Path], pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveContext(pki.tls("ct1"), server=False, say=print)
    resolve: Callable[..., Any] = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: resolve("127.0.0.1", *rest, **more))
    with (
        secure(Archive(), pki) as archive,
        Stow(Service("archive.example", archive.port, "", live)) as service,
        pytest.raises(Deferred, match="no secure connection"),
    ):
        service.send(files[0])
    assert not archive.requests
