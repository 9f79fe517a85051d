"""What is asked for in the wrong way is refused in the right way, before anything is read that is not wanted."""

from __future__ import annotations

import http.client
import ipaddress
import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from deid.gateway.dicomweb import DicomWeb
from deid.gateway.places import Places
from deid.network import pdu
from deid.network.passcodes import Passcodes, line
from deid.network.peers import Peer, Peers
from deid.receive.inlet import Inlet
from deid.receive.listener import Listener
from deid.settings.document import Limits
from deid.store.inbox import Inbox
from deid.store.queue import Queue
from deid.store.spool import Spool
from deid.store.vault import Vault

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deid.network.refusals import RequestRefused

HERE = (ipaddress.ip_network("127.0.0.1"),)
RELATED = 'multipart/related; type="application/dicom"; boundary=b'
GOOD = {"Content-Type": RELATED, "Authorization": "Bearer open sesame"}
NOTHING = b"--b\r\n\r\nno DICOM\r\n--b--"


class Door:
    def __init__(self, folder: Path, vault: Vault) -> None:
        (folder / "users").write_text(line("tech", b"open sesame") + "\n")
        (folder / "users").chmod(0o600)
        self.room = True
        self.refused: list[RequestRefused] = []
        self.connection = vault.another_connection()
        spool = Spool(vault.ledger.parent / "spool" / "route")
        journey = Queue(self.connection, vault.keys).journey(spool.folder, folder / "out", "route")
        inlet = Inlet(journey, spool, Inbox(self.connection, vault.keys), lambda *_: None, lambda: True)
        self.places = Places(Limits(10, 1, 20, 65536, 1), lambda: self.room)
        peers = Peers("DEID", [Peer("CT1", "all", addresses=HERE, user="tech")], Passcodes(folder / "users"))
        waiting = pdu.Limits(setup=20.0, idle=20.0)
        web = DicomWeb("DEID", peers, {"all": inlet}, self.places, self.refused.append, waiting, folder)

        def talk(connection: socket.socket, stays: Callable[[], None]) -> None:
            with suppress(pdu.Ended):
                web.talk("/dicom-web", 8080, connection, stays)

        self.listener = Listener("127.0.0.1", 0, talk, most=20, each=20)
        self.listener.start()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=20)

    def ask(
        self,
        method: str = "POST",
        path: str = "/dicom-web/studies",
        content: bytes = NOTHING,
        headers: dict[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> http.client.HTTPResponse:
        used = connection or self.connect()
        used.request(method, path, content, GOOD if headers is None else headers)
        answer = used.getresponse()
        answer.content = answer.read()  # type: ignore[attr-defined]
        if connection is None:
            used.close()
        return answer


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        door = Door(tmp_path, vault)
        yield door
        door.listener.close(20)
        door.connection.close()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/dicom-web/studies", 405),
        ("POST", "/dicom-web/studies", 409),  # understood
        ("POST", "/dicom-web/studies/", 409),
        ("POST", "/dicom-web/studies?x=y", 409),
        ("POST", "/dicom-web/studies/1.2.33", 409),
        ("POST", "/dicom-web/studies/1.2.x", 404),
        ("POST", "/dicom-web/studies/1.2/series", 404),
        ("POST", "/studies", 404),
        ("POST", "/", 404),
        ("GET", "/dicom-web/studies/1.2.3", 405),
    ],
)
def test_there_is_one_service(door: Door, method: str, path: str, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    answer = door.ask(method, path)
    door.listener.close(20)
    said = json.loads(capfd.readouterr().err)
    assert (said["event"], said["calling"], said["refusal"]) == ("request answered", "CT1", code)
    assert "1.2" not in said.get("reason", "")
    assert answer.status == code
    assert code != 405 or answer.headers["Allow"] == "POST"
    assert answer.headers["Server"] is None


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 415),
        ({"Content-Type": "application/dicom"}, 415),
        ({"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b'}, 415),
        ({"Content-Type": RELATED, "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "multipart/related; boundary=b"}, 409),  # understood
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, 400),
        ({"Content-Type": 'multipart/related; boundary="\u00e9"'}, 400),
    ],
)
def test_there_is_one_media_type(door: Door, headers: dict[str, str], code: int) -> None:
    answer = door.ask(headers={**headers, "Authorization": GOOD["Authorization"]})
    assert answer.status == code


def test_an_answer_is_in_json(door: Door) -> None:
    answer = door.ask()
    assert answer.headers["Content-Type"] == "application/dicom+json"
    said = json.loads(answer.content)  # type: ignore[attr-defined]
    assert said["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]


def test_who_is_not_known_is_refused_before_his_body_is_read(door: Door) -> None:
    for said in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic b3BlbiBzZXNhbWU="}):
        answer = door.ask(
            headers={"Content-Type": RELATED, "Content-Length": "1000000", "Expect": "100-continue", **said}
        )
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.headers["Connection"] == "close"
    assert [refused.fields()["refusal"] for refused in door.refused] == ["401"] * 3
    assert "guessed" not in str(door.refused)
    assert door.places.taken() == 0


def test_without_room_or_a_place_the_sender_comes_again(door: Door) -> None:
    door.room = False
    assert (door.ask().status, door.ask().headers["Retry-After"]) == (503, "30")
    door.room = True
    with closing(door.connect()) as one, closing(door.connect()) as other:
        assert door.ask(connection=one).status == 409
        assert door.ask(connection=other).status == 503
    assert {refused.reason for refused in door.refused} == {
        "refused for now: temporary congestion",
        "refused for now: a local limit is exceeded",
    }


def test_a_connection_serves_request_after_request_for_one_that_stays_known(door: Door) -> None:
    with closing(door.connect()) as connection:
        for _ in range(3):
            assert door.ask(connection=connection).status == 409
            assert door.places.taken() == 1
        assert door.ask(connection=connection, headers={"Content-Type": RELATED}).status == 401
    assert door.places.taken() == 0


def test_who_hangs_up_gives_his_place_back(door: Door) -> None:
    with closing(door.connect()) as connection:
        assert door.ask(connection=connection).status == 409
    door.listener.close(20)
    assert door.places.taken() == 0


def test_what_is_no_http_is_told_so(door: Door) -> None:
    with closing(door.connect()) as connection:
        connection.connect()
        connection.sock.sendall(b"\x01\0\0\0\0\xd0\r\n\r\n")
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        assert answer.status == 400
        answer.close()
