from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING

import pytest

from deid.network.authority import ae_uri
from deid.network.certificate import from_der
from deid.network.negotiation import CALLED_NOT_RECOGNIZED, CALLING_NOT_RECOGNIZED, NO_REASON, Identity, Request
from deid.network.passcodes import Passcodes, line
from deid.network.peers import Denial, Holder, Peer, Peers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki

HERE = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/64"))


def der(pki: Pki, name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((pki.folder / f"{name}.pem").read_text())


def request(
    certificate: bytes | None = None,
    address: str = "192.0.2.7",
    calling: str = "CT1",
    called: str = "DEID",
    identity: Identity | None = None,
) -> Request:
    return Request(calling, called, {}, identity=identity, address=address, certificate=certificate)


def denied(judged: Peer | Denial) -> str:
    assert isinstance(judged, Denial)
    assert judged.refusal == CALLING_NOT_RECOGNIZED
    return judged.why


def test_the_certificate_says_who_is_calling(pki: Pki) -> None:
    ct1 = Peer("CT1", "research", Holder(san="dicom-ae:CT1"))
    peers = Peers("DEID", [ct1, Peer("CT2", "research", Holder(san="dicom-ae:CT2"))])
    assert peers.judge(request(der(pki, "ct1"))) is ct1
    # Mutual TLS alone would let this in: the same authority has issued it.
    why = denied(peers.judge(request(der(pki, "ct2"))))
    assert why.startswith("the certificate belongs to another: CN=ct2, dicom-ae:CT2, localhost, 127.0.0.1 (SHA-256 ")


def test_an_ae_title_alone_is_nothing(pki: Pki) -> None:
    peers = Peers("DEID", [Peer("CT1", "research", Holder(san="dicom-ae:CT1"))])
    assert (
        denied(peers.judge(request())) == "the connection is not encrypted, and this peer is known by its certificate"
    )
    assert denied(Peers("DEID", [Peer("CT1", "research")]).judge(request())) == "the peer is bound to nothing"
    assert denied(peers.judge(request(der(pki, "ct1"), calling="CT3"))) == "no peer has this AE title"
    assert denied(peers.judge(request(der(pki, "ct1"), calling="ct1"))) == "no peer has this AE title"


@pytest.mark.parametrize(
    ("holder", "is_its"),
    [
        (Holder(san="dicom-ae:CT1"), True),
        (Holder(san="dicom-ae:ct1"), False),  # AE titles have a case
        (Holder(san="dicom-ae:CT"), False),
        (Holder(san="localhost"), True),
        (Holder(san="LocalHost"), True),  # names of hosts have none
        (Holder(san="*"), False),
        (Holder(subject="ct1"), True),
        (Holder(subject="ct"), False),
        (Holder(subject="ct1", san="dicom-ae:CT1"), True),
        (Holder(subject="ct1", san="dicom-ae:CT2"), False),
        (Holder(subject="ct2", san="dicom-ae:CT1"), False),
        (Holder(sha256="00" * 32), False),
    ],
)
def test_a_holder_has_all_that_is_said(pki: Pki, holder: Holder, is_its: bool) -> None:  # noqa: FBT001 - a table
    assert holder.has(from_der(der(pki, "ct1"))) == is_its


def test_a_fingerprint_names_one_certificate(pki: Pki) -> None:
    shown = from_der(der(pki, "ct1"))
    assert Holder(sha256=shown.sha256).has(shown)
    assert not Holder(sha256=shown.sha256).has(from_der(der(pki, "ct2")))


def test_a_certificate_that_cannot_be_understood_is_nobodys() -> None:
    peers = Peers("DEID", [Peer("CT1", "research", Holder(subject="ct1"))])
    assert denied(peers.judge(request(b"\x30\x00"))) == "the certificate cannot be understood"


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),  # an IPv4 connection to a socket of both
        ("::ffff:192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db8:1::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_without_encryption_the_address_says_who_is_calling(address: str, known: bool) -> None:  # noqa: FBT001 - a table
    ct1 = Peer("CT1", "research", addresses=HERE)
    judged = Peers("DEID", [ct1]).judge(request(address=address))
    assert judged is ct1 if known else denied(judged) == "the address is none of this peer's"


def test_certificate_and_address_are_both_needed_where_both_are_said(pki: Pki) -> None:
    ct1 = Peer("CT1", "research", Holder(san="dicom-ae:CT1"), HERE)
    peers = Peers("DEID", [ct1])
    assert peers.judge(request(der(pki, "ct1"))) is ct1
    assert denied(peers.judge(request(der(pki, "ct1"), "198.51.100.1"))) == "the address is none of this peer's"
    assert denied(peers.judge(request())).startswith("the connection is not encrypted")


def test_the_called_ae_title_is_ours() -> None:
    judged = Peers("DEID", [Peer("CT1", "research", addresses=HERE)]).judge(request(called="ANY-SCP"))
    assert judged == Denial(CALLED_NOT_RECOGNIZED, "the peer calls another AE title than DEID")


def test_a_peer_may_call_other_ae_titles_where_rules_say_so() -> None:
    ct1 = Peer("CT1", "research", addresses=HERE, called=frozenset({"TRIAL"}))
    peers = Peers("DEID", [ct1, Peer("CT2", "research", addresses=HERE)])
    assert peers.judge(request(called="TRIAL")) is ct1
    assert peers.judge(request(called="DEID")) is ct1
    no = Denial(CALLED_NOT_RECOGNIZED, "the peer calls another AE title than DEID")
    assert peers.judge(request(called="OTHER")) == no
    assert peers.judge(request(calling="CT2", called="TRIAL")) == no


def test_what_our_ae_title_is_shows_only_to_peers() -> None:
    judged = Peers("DEID", [Peer("CT1", "research", addresses=HERE)]).judge(request(calling="X", called="ANY-SCP"))
    assert denied(judged) == "no peer has this AE title"


@pytest.mark.parametrize(
    ("identity", "known"),
    [
        (Identity(2, b"tech", b"open sesame"), True),
        (Identity(2, b"tech", b"open sesam"), False),
        (Identity(2, b"tech", b""), False),
        (Identity(2, b"nobody", b"open sesame"), False),
        (Identity(2, b"other", b"open sesame"), False),
        (Identity(2, b"tech", b"x" * 5000), False),
        (Identity(1, b"tech", b"open sesame"), False),
        (Identity(5, b"tech", b"open sesame"), False),
        (None, False),
    ],
)
def test_a_user_names_himself_with_his_passcode(tmp_path: Path, identity: Identity | None, known: bool) -> None:  # noqa: FBT001 - a table
    file = tmp_path / "passcodes"
    file.write_text(f"{line('tech', b'open sesame')}\n{line('other', b'another')}\n")
    file.chmod(0o600)
    ct1 = Peer("CT1", "research", addresses=HERE, user="tech")
    judged = Peers("DEID", [ct1], Passcodes(file)).judge(request(identity=identity))
    why = "the user of this peer has not named himself with his passcode"
    assert judged == (ct1 if known else Denial(NO_REASON, why))


def test_a_file_of_passcodes_that_went_bad_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "passcodes"
    file.write_text(f"{line('tech', b'open sesame')}\n")
    file.chmod(0o600)
    peers = Peers("DEID", [Peer("CT1", "research", addresses=HERE, user="tech")], Passcodes(file))
    file.chmod(0o644)
    judged = peers.judge(request(identity=Identity(2, b"tech", b"open sesame")))
    assert isinstance(judged, Denial)
    assert "is open to group or others" in judged.why


def test_ae_titles_in_uris_are_written_so_that_they_are_uris() -> None:
    assert ae_uri("CT 1/A") == "dicom-ae:CT%201/A"


def sender(peers: Peers, shown: bytes | None = None, token: bytes = b"", address: str = "192.0.2.7") -> Peer | str:
    judged = peers.judge_sender(address, shown, token)
    return judged if isinstance(judged, Peer) else f"{judged.code} {judged.why}"


def test_over_http_the_bindings_alone_say_who_sends(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("\n".join((line("tech", b"open sesame"), line("other", b"open barley"))) + "\n")
    (tmp_path / "users").chmod(0o600)
    ct1 = Peer("CT1", "research", Holder(san="dicom-ae:CT1"))
    here = Peer("CT2", "research", addresses=HERE, user="tech")
    also_here = Peer("CT3", "research", addresses=HERE, user="other")
    brings = Peer("ARCHIVE", "", addresses=HERE, sends=False)
    peers = Peers("DEID", [ct1, here, also_here, brings], Passcodes(tmp_path / "users"))
    assert sender(peers, der(pki, "ct1"), address="198.51.100.1") is ct1
    assert sender(peers, token=b"open sesame") is here
    assert sender(peers, token=b"open barley") is also_here
    assert sender(peers, der(pki, "ct1"), b"open sesame") is here, "who names himself is meant"
    assert str(sender(peers, der(pki, "ct1"), b"guessed")).startswith("401 "), "he is no other peer than he says"
    assert str(sender(peers)).startswith("401 ")
    assert str(sender(peers, token=b"guessed")).startswith("401 ")
    assert str(sender(peers, token=b"open sesame", address="198.51.100.1")).startswith("403 no peer has")
    assert str(sender(peers, der(pki, "ct2"), address="198.51.100.1")).startswith("403 no peer has")


def test_over_http_nobody_guesses_which_of_two_peers_it_is() -> None:
    peers = Peers("DEID", [Peer("CT1", "research", addresses=HERE), Peer("CT2", "research", addresses=HERE)])
    assert str(sender(peers)).startswith("403 2 peers fit")


def test_over_http_a_file_of_passcodes_that_cannot_be_used_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(line("tech", b"open sesame") + "\n")
    (tmp_path / "users").chmod(0o600)
    peers = Peers("DEID", [Peer("CT1", "research", addresses=HERE, user="tech")], Passcodes(tmp_path / "users"))
    (tmp_path / "users").chmod(0o644)
    assert "chmod 600" in str(sender(peers, token=b"open sesame"))
