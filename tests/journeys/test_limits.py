"""The limits of the settings hold in a gateway as it is run."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.forward.scu import echo
from deid.network import dimse
from deid.network.contexts import VERIFICATION
from deid.network.negotiation import LIMIT_EXCEEDED, Proposal, Refused
from deid.network.pdu import Aborted
from deid.part10.encoding import IMPLICIT_SYNTAX

from .site import PATIENCE, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from deid.network.association import Association

    from .site import Archive

PEERS = [{"ae_title": name, "addresses": ["127.0.0.1"], "route": "research"} for name in ("CT1", "CT2", "CT3")]


def limited(folder: Path, archive: Archive, **limits: int) -> Site:
    return Site(folder, archive.port, peers=PEERS, limits={"free_megabytes": 1, **limits})


def associate(site: Site, calling: str = "CT1") -> Association:
    return replace(site.destination, calling=calling).associate((Proposal(VERIFICATION, (IMPLICIT_SYNTAX,)),))


def ask(association: Association) -> int:
    request: dict[int, int | str] = {dimse.AFFECTED_SOP_CLASS: VERIFICATION, dimse.COMMAND_FIELD: dimse.C_ECHO}
    return association.ask(1, request, seconds=PATIENCE).number(dimse.STATUS)


def nobody_is_there(site: Site) -> None:
    eventually(lambda: "deid_associations 0.0" in site.ask("/metrics")[1])


def ended_for(site: Site, reason: str) -> bool:
    return any(reason in str(said["reason"]) for said in site.said("association ended"))


def test_one_peer_has_no_more_than_its_associations(tmp_path: Path, archive: Archive) -> None:
    site = limited(tmp_path, archive, associations_per_peer=3)  # so many that there is room for connections
    with site.serving():
        nobody_is_there(site)
        with associate(site) as first, associate(site), associate(site):
            with pytest.raises(Refused) as refused:
                associate(site)
            assert refused.value.refusal == LIMIT_EXCEEDED
            with associate(site, "CT2") as other:
                other.release()
            assert ask(first) == 0
            first.release()
        nobody_is_there(site)
        assert echo(site.destination).is_stored


def test_all_peers_have_no_more_than_their_associations(tmp_path: Path, archive: Archive) -> None:
    site = limited(tmp_path, archive, associations=3, associations_per_peer=3)
    with site.serving():
        nobody_is_there(site)
        with associate(site), associate(site), associate(site):
            with pytest.raises(Refused) as refused:
                associate(site, "CT2")
            assert refused.value.refusal == LIMIT_EXCEEDED
        nobody_is_there(site)
        assert echo(replace(site.destination, calling="CT2")).is_stored


def test_any_number_of_peers_may_be_behind_one_address(tmp_path: Path, archive: Archive) -> None:
    site = limited(tmp_path, archive)
    with site.serving(), ExitStack() as there:
        nobody_is_there(site)
        made = [there.enter_context(associate(site, f"CT{1 + number % 3}")) for number in range(24)]
        assert [ask(association) for association in made] == [0] * 24
        made += [there.enter_context(associate(site, f"CT{1 + number % 3}")) for number in range(6)]
        for calling in ("CT1", "CT2", "CT3"):
            with pytest.raises(Refused) as refused:
                associate(site, calling)
            assert refused.value.refusal == LIMIT_EXCEEDED
        assert [ask(association) for association in made] == [0] * 30
    assert [line["calling"] for line in site.said("association refused")] == ["CT1"]  # and others are counted
    assert site.said("connection given up") == []


def test_who_is_closed_for_being_one_of_too_many_is_told(tmp_path: Path, archive: Archive) -> None:
    site = limited(tmp_path, archive, associations=2, associations_per_peer=1)
    with site.serving() as process, ExitStack() as there:
        nobody_is_there(site)
        silent = [there.enter_context(socket.create_connection(("127.0.0.1", site.port), PATIENCE)) for _ in range(5)]
        assert [connection.recv(1) for connection in silent[:3]] == [b""] * 3
        with associate(site) as association:
            assert ask(association) == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    first, *others = site.said("connection given up")
    assert (first["address"], first["listener"]) == ("127.0.0.1", site.port)
    assert "silent" in str(first["reason"])
    assert sum(int(str(line["count"])) for line in others) == 3


def test_who_is_idle_is_hung_up_on(tmp_path: Path, archive: Archive) -> None:
    site = limited(tmp_path, archive, idle_seconds=1)
    with site.serving():
        with associate(site) as association, pytest.raises(Aborted):
            association.receive(PATIENCE)
        eventually(lambda: ended_for(site, "for too long"))


def test_a_pdu_is_no_longer_than_peers_are_told(tmp_path: Path, archive: Archive, files: list[Path]) -> None:
    site = limited(tmp_path, archive, pdu_bytes=4096)
    with site.serving():
        site.send(files[:1])  # in PDUs of that length
        eventually(lambda: len(archive.objects) == 1)
        with associate(site) as association:
            with closing(association._wire._connection.dup()) as connection:
                connection.sendall(b"\x04\0" + (4097).to_bytes(4, "big") + bytes(4097))
            with pytest.raises(Aborted):
                association.receive(PATIENCE)
        eventually(lambda: ended_for(site, "a length that it may not have"))
