"""From the first byte to the first message: TLS, then who is calling; with real peers where they are installed."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.network.association import accept, connect
from deid.network.negotiation import Acceptance, Identity, Proposal, Refusal, Refused, Request
from deid.network.passcodes import Passcodes, line
from deid.network.pdu import Aborted, Ended, Limits
from deid.network.peers import Denial, Holder, Peer, Peers
from deid.network.refusals import AssociationRefused, ConnectionRefused
from deid.network.tls import LiveContext, NotSecure, handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Pki

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"
PATIENT = Limits(setup=20.0, idle=20.0, stall=20.0)
CT1 = Peer("CT1", "research", Holder(san="dicom-ae:CT1"), LOOPBACK)
CT2 = Peer("CT2", "research", Holder(san="dicom-ae:CT2"))


class Door:
    """A port that lets in peers and answers C-ECHO; a thread for each connection."""

    def __init__(self, peers: Peers, live: LiveContext | None) -> None:
        self._peers = peers
        self._live = live
        self.refused: list[ConnectionRefused | AssociationRefused] = []
        self.echoes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, (address, _) = self._listener.accept()
                self._threads.append(threading.Thread(target=self._talk, args=(connection, address)))
                self._threads[-1].start()

    def _talk(self, connection: socket.socket, address: str) -> None:
        try:
            secured = handshake(connection, self._live, 20) if self._live else connection
            with accept(secured, self._decide, PATIENT) as association:
                while message := association.receive():
                    association.send(message.context.id, message.response(0))
                    self.echoes += 1
        except NotSecure as error:
            self.refused.append(ConnectionRefused.by(error, address, self.port))
        except Ended:
            pass

    def _decide(self, request: Request) -> Acceptance | Refusal:
        judged = self._peers.judge(request)
        if isinstance(judged, Denial):
            self.refused.append(AssociationRefused.by(judged, request, self.port))
            return judged.refusal
        response = b"" if request.identity and request.identity.wants_response else None
        syntaxes = {number: asked.transfer_syntaxes[0] for number, asked in request.proposals.items()}
        return Acceptance(syntaxes, identity_response=response)

    def close(self) -> None:
        """Let nobody in any more; then all that has happened is on record."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def opened(pki: Pki) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def door(peers: Peers, *, tls: bool = True, profile: str = "bcp195") -> Door:
        live = LiveContext(pki.tls(profile=profile), server=True, say=lambda _line: None) if tls else None
        doors.append(Door(peers, live))
        return doors[-1]

    yield door
    for each in doors:
        each.close()


def echo(door: Door, pki: Pki, *options: str, calling: str = "CT1", called: str = "DEID") -> str:
    """What dcmtk's echoscu says; "" when it worked."""
    command = ["echoscu", "-aet", calling, "-aec", called, *options, "localhost", str(door.port)]
    done = subprocess.run(command, cwd=pki.folder, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


dcmtk = pytest.mark.skipif(shutil.which("echoscu") is None, reason="dcmtk is not installed")
AS_CT1 = ("+tls", "ct1.key", "ct1.pem", "+cf", "ca.pem")
AS_CT2 = ("+tls", "ct2.key", "ct2.pem", "+cf", "ca.pem")


@dcmtk
@pytest.mark.parametrize("profile", ["bcp195", "bcp195-modified"])
def test_a_peer_comes_in(pki: Pki, opened: Callable[..., Door], profile: str) -> None:
    door = opened(Peers("DEID", [CT1, CT2]), profile=profile)
    assert echo(door, pki, *AS_CT1) == ""
    assert echo(door, pki, *AS_CT2, calling="CT2") == ""
    door.close()
    assert (door.echoes, door.refused) == (2, [])


@dcmtk
def test_the_certificate_of_another_device_does_not_open(pki: Pki, opened: Callable[..., Door]) -> None:
    door = opened(Peers("DEID", [CT1, CT2]))
    assert "Calling AE Title Not Recognized" in echo(door, pki, *AS_CT2)
    door.close()
    (refused,) = door.refused
    assert refused.event == "association refused"
    fields = refused.fields()
    assert str(fields.pop("certificate")).startswith("CN=ct2, dicom-ae:CT2, localhost, 127.0.0.1 (SHA-256 ")
    assert str(fields.pop("reason")).startswith("the certificate belongs to another: CN=ct2, dicom-ae:CT2, ")
    assert fields == {
        "address": "127.0.0.1",
        "listener": door.port,
        "calling": "CT1",
        "called": "DEID",
        "refusal": "1/1/3",
    }


@dcmtk
def test_another_called_ae_title_does_not_open(pki: Pki, opened: Callable[..., Door]) -> None:
    door = opened(Peers("DEID", [CT1]))
    assert "Called AE Title Not Recognized" in echo(door, pki, *AS_CT1, called="ANY-SCP")
    door.close()
    assert [refused.fields()["refusal"] for refused in door.refused] == ["1/1/7"]


@dcmtk
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ("+tls", "stranger.key", "stranger.pem", "+cf", "ca.pem"),
            "the authority of its certificate is not known here",
        ),
        (("+tls", "revoked.key", "revoked.pem", "+cf", "ca.pem"), "its certificate was revoked"),
        (("+tla", "+cf", "ca.pem"), "it has shown no certificate"),
        ((), "plain DICOM on a port for TLS"),
    ],
)
def test_without_a_secure_connection_nobody_is_asked_who_he_is(
    pki: Pki, opened: Callable[..., Door], options: tuple[str, ...], reason: str
) -> None:
    door = opened(Peers("DEID", [CT1]))
    assert echo(door, pki, *options)
    door.close()
    (refused,) = door.refused
    assert refused.event == "connection refused"
    assert refused.fields() == {"address": "127.0.0.1", "listener": door.port, "reason": reason}


@dcmtk
def test_in_the_clear_the_address_decides(pki: Pki, opened: Callable[..., Door]) -> None:
    door = opened(Peers("DEID", [Peer("CT1", "research", addresses=LOOPBACK), CT2]), tls=False)
    assert echo(door, pki) == ""
    assert "Calling AE Title Not Recognized" in echo(door, pki, calling="CT2")
    door.close()
    (refused,) = door.refused
    assert refused.fields()["certificate"] == "none"


@pytest.mark.parametrize(("passcode", "known"), [(b"open sesame", True), (b"open", False)])
def test_a_user_names_himself_on_top(
    pki: Pki,
    tmp_path: Path,
    opened: Callable[..., Door],
    passcode: bytes,
    known: bool,  # noqa: FBT001 - a table
) -> None:
    file = tmp_path / "passcodes"
    file.write_text(line("tech", b"open sesame"))
    file.chmod(0o600)
    peer = Peer("CT1", "research", Holder(san="dicom-ae:CT1"), user="tech")
    door = opened(Peers("DEID", [peer], Passcodes(file)))
    live = LiveContext(pki.tls("ct1"), server=False, say=lambda _line: None)
    secured = handshake(socket.create_connection(("127.0.0.1", door.port)), live, 20, server_name="localhost")
    proposals = [Proposal(VERIFICATION, (IMPLICIT,))]
    identity = Identity(2, b"tech", passcode, wants_response=True)
    if known:
        with connect(secured, "CT1", "DEID", proposals, PATIENT, identity=identity) as association:
            assert association.identity_response == b""
        return
    with pytest.raises(Refused) as error:
        connect(secured, "CT1", "DEID", proposals, PATIENT, identity=identity)
    assert error.value.refusal == (1, 1, 1)
    assert b"sesame" not in repr(door.refused).encode()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("stranger", "it does not know the authority of our certificate"),
        ("revoked", "it says that our certificate was revoked"),
        ("", "it wants a certificate from us: name one in the settings"),
    ],
)
def test_whoever_is_not_let_in_learns_what_is_wrong_with_his_certificate(
    pki: Pki, opened: Callable[..., Door], name: str, reason: str
) -> None:
    door = opened(Peers("DEID", [CT1]))
    tls = replace(pki.tls(name), crl=None) if name else replace(pki.tls(), certificate=None, key=None)
    live = LiveContext(tls, server=False, say=lambda _line: None)
    secured = handshake(socket.create_connection(("127.0.0.1", door.port)), live, 20, server_name="localhost")
    with pytest.raises(Aborted) as error:
        connect(secured, "CT1", "DEID", [Proposal(VERIFICATION, (IMPLICIT,))], PATIENT)
    assert str(error.value) == f"the connection was lost ({reason})"
