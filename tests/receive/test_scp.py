"""What comes over an association is safe before it is acknowledged, and nothing else is acknowledged."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import Deferred
from deid.model import State
from deid.network import dimse, status
from deid.network.association import Association, accept, connect
from deid.network.contexts import VERIFICATION
from deid.network.negotiation import Acceptance, Proposal
from deid.network.pdu import Ended
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.receive import scp
from deid.receive.inlet import Choice, Inlet
from deid.store.inbox import DIFFERENT
from deid.store.spool import Spool

from .conftest import BIG_ENDIAN, CT, DEFLATED, EXPLICIT, data_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.store.queue import Queue

SYNTAXES = ("1.2.840.10008.1.2", EXPLICIT, BIG_ENDIAN, DEFLATED)


class Gate:
    """One end of an association for the test, the other one served."""

    def __init__(self, inlet: Inlet) -> None:
        ours, theirs = socket.socketpair()
        self.taken = 0
        self._thread = Thread(target=self._serve, args=(theirs, inlet))
        self._thread.start()
        proposals = [Proposal(uid, (syntax,)) for syntax in SYNTAXES for uid in (CT, VERIFICATION)]
        self.association = connect(ours, "CT1", "DEID", proposals)
        self.contexts = {
            (context.abstract_syntax, context.transfer_syntax): number
            for number, context in self.association.contexts.items()
        }

    def _serve(self, connection: socket.socket, inlet: Inlet) -> None:
        def all_of_it(request: object) -> Acceptance:
            proposals = request.proposals  # type: ignore[attr-defined]
            return Acceptance({number: proposal.transfer_syntaxes[0] for number, proposal in proposals.items()})

        try:
            with accept(connection, all_of_it) as association:
                for taken in scp.serve(association, inlet):
                    self.taken = taken
        except Ended:
            pass

    def store(self, content: bytes, instance: str = "1.2.3", syntax: str = EXPLICIT, sop_class: str = CT) -> int:
        command: dict[int, int | str] = {
            dimse.COMMAND_FIELD: dimse.C_STORE,
            dimse.AFFECTED_SOP_CLASS: sop_class,
            dimse.AFFECTED_SOP_INSTANCE: instance,
            dimse.PRIORITY: 0,
        }
        return self.association.ask(self.contexts[CT, syntax], command, [content] if content else None).number(
            dimse.STATUS
        )

    def end(self) -> None:
        if self.association.is_open:
            self.association.release()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def gate(inlet: Inlet) -> Iterator[Gate]:
    gate = Gate(inlet)
    yield gate
    gate.end()


def test_an_object_is_in_the_spool_with_a_ticket_when_it_is_acknowledged(
    gate: Gate, inlet: Inlet, queue: Queue
) -> None:
    content = data_set(rest=struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 300_000) + bytes(300_000))
    assert gate.store(content) == status.SUCCESS
    (ticket,) = queue.received(inlet.journey, 0, 9)
    source = open_source(ticket.source, Limits())
    assert source.transfer_syntax == EXPLICIT
    assert (source.sender, source.receiver) == ("CT1", "DEID")
    assert ticket.source.read_bytes()[source.start :] == content
    assert outline(source, Limits()).text(0x00080018) == "1.2.3"
    source.close()


def test_success_is_said_when_the_object_and_its_name_are_on_the_disk(
    gate: Gate, spool: Spool, queue: Queue, inlet: Inlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    real_sync, real_send = os.fsync, Association.send

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        there = os.fstat(descriptor)
        if os.path.samestat(there, spool.folder.stat()):
            happened.append("folder")
        happened.extend("object" for path in spool.kept() if os.path.samestat(there, path.stat()))

    def send(association: Association, *said: Any) -> None:
        if not association._is_requestor:
            happened.append(f"answer, {len(queue.received(inlet.journey, 0, 9))} tickets")
        real_send(association, *said)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Association, "send", send)
    assert gate.store(data_set()) == status.SUCCESS
    assert happened == ["object", "folder", "answer, 1 tickets"]


def test_an_echo_is_answered(gate: Gate) -> None:
    command: dict[int, int | str] = {dimse.COMMAND_FIELD: dimse.C_ECHO, dimse.AFFECTED_SOP_CLASS: VERIFICATION}
    answer = gate.association.ask(gate.contexts[VERIFICATION, EXPLICIT], command)
    assert answer.number(dimse.STATUS) == status.SUCCESS


def test_what_nobody_here_does_is_refused_and_the_association_goes_on(gate: Gate) -> None:
    command: dict[int, int | str] = {dimse.COMMAND_FIELD: 0x0020, dimse.AFFECTED_SOP_CLASS: CT}  # C-FIND
    answer = gate.association.ask(gate.contexts[CT, EXPLICIT], command, [data_set()])
    assert answer.number(dimse.STATUS) == status.UNRECOGNIZED_OPERATION
    assert gate.store(data_set()) == status.SUCCESS


@pytest.mark.parametrize(
    ("content", "instance", "sop_class", "code"),
    [
        (data_set("1.2.4"), "1.2.3", CT, status.DATA_SET_MISMATCH),
        (data_set("1.2.30"), "1.2.3", CT, status.DATA_SET_MISMATCH),
        (data_set(sop_class=CT + ".1"), "1.2.3", CT, status.DATA_SET_MISMATCH),
        (data_set()[:20], "1.2.3", CT, status.DATA_SET_MISMATCH),
        (b"no data set at all", "1.2.3", CT, status.DATA_SET_MISMATCH),
        (b"", "1.2.3", CT, status.CANNOT_UNDERSTAND),
        (data_set(), "1.2.3", CT + ".1", status.SOP_CLASS_NOT_SUPPORTED),
        (data_set("1..3"), "1..3", CT, status.INVALID_OBJECT_INSTANCE),
    ],
)
def test_what_is_not_what_it_says_is_refused_and_leaves_nothing(
    gate: Gate, spool: Spool, content: bytes, instance: str, sop_class: str, code: int
) -> None:
    assert gate.store(content, instance, sop_class=sop_class) == code
    assert list(spool.folder.iterdir()) == []
    assert gate.store(data_set()) == status.SUCCESS


def test_a_uid_that_is_a_path_writes_nowhere(gate: Gate, spool: Spool) -> None:
    assert gate.store(data_set("1.2.3"), "../pwned") == status.INVALID_OBJECT_INSTANCE
    assert list(spool.folder.parent.rglob("*pwned*")) == []


@pytest.mark.parametrize("syntax", SYNTAXES[1:])
def test_every_encoding_is_kept_as_it_comes(gate: Gate, spool: Spool, syntax: str) -> None:
    big = b"".join(
        struct.pack(">HH2sH", 8, element, b"UI", len(value)) + value
        for element, value in ((0x16, CT.encode() + b"\0" * (len(CT) % 2)), (0x18, b"1.2.3\0"))
    )
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = packer.compress(data_set()) + packer.flush()
    content = {EXPLICIT: data_set(), BIG_ENDIAN: big, DEFLATED: deflated}[syntax]
    assert gate.store(content, syntax=syntax) == status.SUCCESS
    (path,) = spool.kept()
    assert path.read_bytes().endswith(content)


def test_the_same_again_is_a_duplicate_and_another_one_is_held(gate: Gate, inlet: Inlet, queue: Queue) -> None:
    for rest in (b"", b"", b"\x10\0\x10\0PN\2\0AB"):
        assert gate.store(data_set(rest=rest)) == status.SUCCESS
    tally = queue.tally(inlet.journey)
    assert (tally[State.RECEIVED], tally[State.DUPLICATE], tally[State.HELD]) == (1, 1, 1)
    assert queue.reasons(inlet.journey) == ((DIFFERENT, 1),)


def test_an_object_goes_where_it_is_chosen_to_go(inlet: Inlet, queue: Queue, spool: Spool, tmp_path: Path) -> None:
    """Its file is in the spool of its route, from which a ticket that is lost is made again."""
    elsewhere = Spool(tmp_path / "state" / "elsewhere")
    other = replace(inlet, journey=queue.journey(elsewhere.folder, tmp_path / "out", "other"), spool=elsewhere)
    asked = []

    def choose(calling: str, called: str, file: Path) -> Choice:
        asked.append((calling, called, file.parent, data_set() in file.read_bytes()))
        return Choice(other, "held for once") if len(asked) == 1 else Choice(inlet)

    gate = Gate(replace(inlet, choose=choose))
    assert [gate.store(data_set(), "1.2.3"), gate.store(data_set("1.2.4"), "1.2.4")] == [status.SUCCESS] * 2
    gate.end()
    assert asked == [("CT1", "DEID", spool.folder, True), ("CT1", "DEID", spool.folder, False)]
    assert (len(list(elsewhere.kept())), len(list(spool.kept()))) == (1, 1)
    assert (queue.tally(other.journey)[State.HELD], queue.reasons(other.journey)) == (1, (("held for once", 1),))
    assert queue.tally(inlet.journey)[State.RECEIVED] == 1


def test_without_room_an_object_is_put_off(inlet: Inlet, spool: Spool) -> None:
    room = [False]
    gate = Gate(Inlet(inlet.journey, inlet.spool, inlet.inbox, inlet.arrived, lambda: room[0]))
    assert gate.store(data_set(rest=bytes(500_000))) == status.OUT_OF_RESOURCES
    assert list(spool.folder.iterdir()) == []
    room[0] = True
    assert gate.store(data_set()) == status.SUCCESS
    gate.end()


def test_an_object_that_is_larger_than_the_room_is_put_off_while_it_arrives(inlet: Inlet, spool: Spool) -> None:
    answers = iter([True] * 3)
    gate = Gate(Inlet(inlet.journey, inlet.spool, inlet.inbox, inlet.arrived, lambda: next(answers, False)))
    assert gate.store(data_set(rest=bytes(2_000_000))) == status.OUT_OF_RESOURCES
    assert list(spool.folder.iterdir()) == []
    gate.end()


def test_a_disk_that_fills_up_is_told_and_leaves_nothing(
    gate: Gate, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise Deferred("the spool cannot be written")

    monkeypatch.setattr("deid.store.spool.Arriving.keep", full)
    assert gate.store(data_set()) == status.OUT_OF_RESOURCES
    assert list(spool.folder.iterdir()) == []


def test_a_ledger_that_cannot_be_written_is_told_and_leaves_nothing(
    gate: Gate, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> State:
        raise Deferred("the ledger cannot be written")

    monkeypatch.setattr("deid.store.inbox.Inbox.receive", full)
    assert gate.store(data_set()) == status.OUT_OF_RESOURCES
    assert list(spool.folder.iterdir()) == []


def test_an_object_that_is_cut_off_leaves_nothing(gate: Gate, spool: Spool) -> None:
    def pieces() -> Iterator[bytes]:
        yield data_set()
        yield bytes(400_000)
        raise InterruptedError

    command: dict[int, int | str] = {
        dimse.COMMAND_FIELD: dimse.C_STORE,
        dimse.MESSAGE_ID: 1,
        dimse.AFFECTED_SOP_CLASS: CT,
        dimse.AFFECTED_SOP_INSTANCE: "1.2.3",
        dimse.PRIORITY: 0,
    }
    with pytest.raises(InterruptedError):
        gate.association.send(gate.contexts[CT, EXPLICIT], command, pieces())
    gate.end()
    assert list(spool.folder.iterdir()) == []
    assert isinstance(gate.association, Association)
