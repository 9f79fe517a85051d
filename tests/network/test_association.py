from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.network.association import Association, connect
from deid.network.dimse import (
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    C_ECHO,
    C_STORE,
    COMMAND_FIELD,
    DATA_SET_TYPE,
    MESSAGE_ID,
    NO_DATA_SET,
    RESPONDED_TO,
    RESPONSE,
    STATUS,
    encode_command,
)
from deid.network.negotiation import (
    CALLING_NOT_RECOGNIZED,
    LIMIT_EXCEEDED,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
    Acceptance,
    Context,
    Identity,
    Refusal,
    Refused,
    Request,
    Role,
)
from deid.network.pdu import (
    ABORT,
    ASSOCIATE_AC,
    HEADER,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    Aborted,
    Limits,
    Malformed,
    Stalled,
    control,
)

from .conftest import CT, EXPLICIT, HASTY, IMPLICIT, PATIENT, PROPOSALS, VERIFICATION, Acceptor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from deid.network.dimse import Command

    Dial = Callable[[], socket.socket]
    Associate = Callable[[], tuple[Association, socket.socket]]

ECHO: Command = {AFFECTED_SOP_CLASS: VERIFICATION, COMMAND_FIELD: C_ECHO}
STORE: Command = {AFFECTED_SOP_CLASS: CT, COMMAND_FIELD: C_STORE, AFFECTED_SOP_INSTANCE: "1.2.3"}


def pdata(*values: tuple[int, int, bytes]) -> bytes:
    content = b"".join(
        (len(part) + 2).to_bytes(4, "big") + bytes((context, flags)) + part for context, flags, part in values
    )
    return HEADER.pack(P_DATA, len(content)) + content


def command(fields: Command, kind: int = NO_DATA_SET) -> bytes:
    return encode_command({MESSAGE_ID: 7, **fields, DATA_SET_TYPE: kind})


@pytest.fixture
def raw(associate: Associate) -> socket.socket:
    """The connection of an association, on which the test speaks for the requestor."""
    association, connection = associate()
    association.is_open = False
    connection.settimeout(10)
    return connection


def heard(connection: socket.socket) -> bytes:
    """Everything that the acceptor says until it closes."""
    said = bytearray()
    with suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            said += part
    return bytes(said)


def test_messages_go_both_ways_and_the_release_is_answered(associate: Associate, acceptor: Acceptor) -> None:
    association, _ = associate()
    assert association.ask(1, ECHO).number(STATUS) == 0
    answer = association.ask(3, STORE, (b"ab", b"cd" * 100_000, b"ef"))
    assert answer.context == Context(3, CT, EXPLICIT)
    assert (answer.number(COMMAND_FIELD), answer.has_data) == (C_STORE | RESPONSE, False)
    association.release()
    assert not association.is_open
    assert acceptor.ended() == ["released"]
    assert acceptor.received == [("1.2.3", b"ab" + b"cd" * 100_000 + b"ef")]


@pytest.mark.parametrize("most", [1 << 10, 16384, 128 << 10])
@pytest.mark.parametrize("length", [2, 1018, 1020, 1 << 20])
def test_fragments_keep_to_what_the_peer_takes(
    associate: Associate, acceptor: Acceptor, most: int, length: int
) -> None:
    acceptor.limits = replace(PATIENT, pdu=most)
    content = bytes(range(256)) * (length // 256 + 1)
    association, _ = associate()
    association.ask(3, STORE, (content[:length],))
    association.release()
    assert acceptor.received == [("1.2.3", content[:length])]
    assert acceptor.largest <= most - 6


def test_a_data_set_in_many_small_pieces_arrives(associate: Associate, acceptor: Acceptor) -> None:
    pieces = [bytes((at % 256, 0)) for at in range(3000)]
    associate()[0].ask(3, STORE, pieces)
    assert acceptor.received == [("1.2.3", b"".join(pieces))]


def test_what_nobody_read_of_a_data_set_is_passed_over(associate: Associate, acceptor: Acceptor) -> None:
    def answer_early(association: Association) -> None:
        while (message := association.receive()) is not None:
            next(message.chunks(), None)
            association.send(
                1, {COMMAND_FIELD: C_STORE | RESPONSE, RESPONDED_TO: message.number(MESSAGE_ID), STATUS: 1}
            )

    acceptor.answer = answer_early
    association, _ = associate()
    for _ in range(3):
        assert association.ask(3, STORE, (b"ab" * 500_000,)).number(STATUS) == 1
    association.release()
    assert acceptor.ended() == ["released"]


def test_the_request_tells_who_asks_for_what(dial: Dial, acceptor: Acceptor) -> None:
    asked: list[Request] = []

    def decide(request: Request) -> Acceptance:
        asked.append(request)
        return Acceptance({1: IMPLICIT}, {3: TRANSFER_SYNTAXES_NOT_SUPPORTED}, (Role(CT, scu=False, scp=True),), b"")

    acceptor.decide = decide
    identity = Identity(2, b"name", b"secret", wants_response=True)
    roles = (Role(CT, scu=True, scp=True),)
    with connect(dial(), "US", "THEM", PROPOSALS, PATIENT, identity=identity, roles=roles) as association:
        assert association.contexts == {1: Context(1, VERIFICATION, IMPLICIT)}
        assert association.roles == (Role(CT, scu=False, scp=True),)
        assert association.identity_response == b""
        association.release()
    (request,) = asked
    assert (request.calling, request.called, request.address) == ("US", "THEM", "127.0.0.1")
    assert request.proposals == {1: PROPOSALS[0], 3: PROPOSALS[1]}
    assert (request.roles, request.identity, request.most) == (roles, identity, PATIENT.pdu)
    assert request.certificate is None
    assert "secret" not in repr(request)


@pytest.mark.parametrize("refusal", [CALLING_NOT_RECOGNIZED, LIMIT_EXCEEDED, Refusal(2, 3, 9)])
def test_a_refusal_says_why(dial: Dial, acceptor: Acceptor, refusal: Refusal) -> None:
    acceptor.decide = lambda _: refusal
    with pytest.raises(Refused) as refused:
        connect(dial(), "US", "THEM", PROPOSALS, PATIENT)
    assert refused.value.refusal == refusal
    assert acceptor.ended() == ["Refused"]


def test_a_defect_of_who_decides_aborts(dial: Dial, acceptor: Acceptor) -> None:
    acceptor.decide = lambda _: {}[0]  # type: ignore[index] # the defect
    with pytest.raises(Aborted):
        connect(dial(), "US", "THEM", PROPOSALS, PATIENT)
    acceptor.thread.join(10)
    assert isinstance(acceptor.defects.pop(), KeyError)


def test_a_data_set_that_breaks_off_ends_the_association(associate: Associate, acceptor: Acceptor) -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab" * 200_000
        raise InterruptedError

    association, _ = associate()
    with pytest.raises(InterruptedError):
        association.ask(3, STORE, broken())
    assert not association.is_open
    assert acceptor.ended() == ["Aborted"]
    assert acceptor.received == []
    with pytest.raises(Aborted, match="has ended already"):
        association.ask(1, ECHO)


def test_requests_that_do_not_wait_are_answered_one_after_another(raw: socket.socket, acceptor: Acceptor) -> None:
    one = pdata((3, 3, command(STORE, 1)), (3, 0, b"ab"), (3, 2, b"cd"), (1, 3, command(ECHO)))
    raw.sendall(one * 50 + control(RELEASE_RQ))
    assert heard(raw).endswith(control(RELEASE_RP))
    assert acceptor.received == [("1.2.3", b"abcd")] * 50


def test_both_may_release_at_once(associate: Associate, acceptor: Acceptor) -> None:
    """PS3.8 9.2.3: neither waits for the other for ever."""
    together = threading.Barrier(2, timeout=5)

    def release(association: Association) -> None:
        together.wait()
        association.release()

    acceptor.answer = release
    for _ in range(20):
        association, _ = associate()
        together.wait()
        association.release()
        assert acceptor.ended().pop() == "released"


def test_data_on_its_way_when_a_release_was_asked_for_is_passed_over(associate: Associate, acceptor: Acceptor) -> None:
    def late(association: Association) -> None:
        association.send(1, {COMMAND_FIELD: C_ECHO, MESSAGE_ID: 1})
        assert association.receive() is None

    acceptor.answer = late
    associate()[0].release()
    assert acceptor.ended() == ["released"]


MALFORMED = {
    "a fragment of data before any command": pdata((3, 2, b"ab")),
    "a context that was not accepted": pdata((9, 3, command(ECHO))),
    "a command in two contexts": pdata((1, 1, b""), (3, 3, command(ECHO))),
    "data in another context": pdata((3, 3, command(STORE, 1)), (1, 2, b"ab")),
    "a command inside a data set": pdata((3, 3, command(STORE, 1)), (3, 3, command(ECHO))),
    "a release inside a data set": pdata((3, 3, command(STORE, 1)), (3, 0, b"ab")) + control(RELEASE_RQ),
    "a release inside a command": pdata((3, 1, command(STORE, 1))) + control(RELEASE_RQ),
    "an empty P-DATA": pdata(),
    "a value longer than its PDU": HEADER.pack(P_DATA, 6) + b"\0\0\0\xff\1\3",
    "a value without room for its header": HEADER.pack(P_DATA, 6) + b"\0\0\0\1\1\3",
    "a P-DATA longer than agreed": HEADER.pack(P_DATA, PATIENT.pdu + 1),
    "a P-DATA of 4 GB": HEADER.pack(P_DATA, 0xFFFFFFFF),
    "a release with content": HEADER.pack(RELEASE_RQ, 0xFFFFFFFF),
    "an answer to what was not asked": HEADER.pack(ASSOCIATE_AC, 2) + b"\0\1",
    "no PDU": b"GET / HTTP/1.1\r\n\r\n",
    "a command set without end": pdata((1, 1, b"\0" * 9000)) * 3,
    "no command field": pdata((1, 3, encode_command({MESSAGE_ID: 1, DATA_SET_TYPE: NO_DATA_SET}))),
    "no message ID": pdata((1, 3, encode_command({COMMAND_FIELD: C_ECHO, DATA_SET_TYPE: NO_DATA_SET}))),
    "a response without status": pdata((1, 3, command({COMMAND_FIELD: C_ECHO | RESPONSE}))),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_breaks_the_protocol_is_aborted(raw: socket.socket, acceptor: Acceptor, what: str) -> None:
    raw.sendall(MALFORMED[what])
    assert heard(raw).startswith(HEADER.pack(ABORT, 4) + b"\0\0\2")
    raw.close()
    assert acceptor.ended() == ["Malformed"]
    assert acceptor.received == []


SLOW = {
    "silence": b"",
    "half a header": b"\x04\0",
    "half a PDU": pdata((1, 3, command(ECHO)))[:-1],
    "half a command": pdata((1, 1, command(ECHO))),
    "half an object": pdata((3, 3, command(STORE, 1)), (3, 0, b"ab")),
}


@pytest.mark.parametrize("what", SLOW)
def test_who_stops_is_not_waited_for(associate: Associate, acceptor: Acceptor, what: str) -> None:
    acceptor.limits = HASTY
    association, raw = associate()
    association.is_open = False
    raw.sendall(SLOW[what])
    assert heard(raw).startswith(HEADER.pack(ABORT, 4))
    raw.close()
    assert acceptor.ended() == ["Stalled"]


@pytest.mark.parametrize(
    ("limits", "drop"),
    [
        (replace(PATIENT, stall=0.2), b"\0"),
        (replace(PATIENT, message=0.2), pdata((3, 0, b"ab"))),
        (replace(PATIENT, grace=0.2), pdata((3, 0, b"ab"))),
    ],
    ids=["bytes of a PDU", "fragments of a data set", "less of it than it takes"],
)
def test_who_sends_drop_by_drop_is_not_waited_for(
    associate: Associate, acceptor: Acceptor, limits: Limits, drop: bytes
) -> None:
    acceptor.limits = limits
    association, raw = associate()
    association.is_open = False
    raw.sendall(pdata((3, 3, command(STORE, 1))) + (HEADER.pack(P_DATA, 8000) if drop == b"\0" else b""))
    with suppress(OSError):
        for _ in range(500):
            raw.sendall(drop)
            time.sleep(0.02)
    raw.close()
    assert acceptor.ended() == ["Stalled"]


def test_a_data_set_that_comes_fast_enough_may_take_longer_than_the_grace(
    associate: Associate, acceptor: Acceptor
) -> None:
    taken: list[int] = []

    def answer(association: Association) -> None:
        if message := association.receive():
            taken.append(sum(map(len, message.chunks())))
            association.receive()

    acceptor.limits, acceptor.answer = replace(PATIENT, grace=1.0), answer
    association, raw = associate()
    raw.sendall(pdata((3, 3, command(STORE, 1))) + pdata((3, 0, bytes(30_000))))
    time.sleep(1.2)
    raw.sendall(pdata((3, 2, bytes(30_000))))
    association.release()
    assert acceptor.ended() == ["released"]
    assert taken == [60_000]


def test_an_association_does_not_go_on_for_ever(associate: Associate, acceptor: Acceptor) -> None:
    acceptor.limits = replace(PATIENT, whole=0.3)
    association, _ = associate()
    with pytest.raises(Aborted):  # noqa: PT012 - one of them
        for _ in range(500):
            association.ask(1, ECHO)
            time.sleep(0.02)
    assert acceptor.ended() == ["Stalled"]


def test_a_peer_that_takes_nothing_is_not_waited_for(dial: Dial, acceptor: Acceptor) -> None:
    done = threading.Event()

    def take_nothing(_: Association) -> None:
        done.wait(10)

    acceptor.answer = take_nothing
    association = connect(dial(), "US", "THEM", PROPOSALS, replace(PATIENT, stall=0.2))
    with pytest.raises(Stalled):
        association.send(3, STORE, (b"ab" * 500_000 for _ in range(50)))
    done.set()


def test_silence_in_place_of_an_association_is_not_waited_for(dial: Dial, acceptor: Acceptor) -> None:
    acceptor.limits = HASTY
    connection = dial()
    assert connection.recv(100).startswith(HEADER.pack(ABORT, 4))
    connection.close()
    assert acceptor.ended() == ["Stalled"]


def test_an_answer_to_another_question_ends_the_association(associate: Associate, acceptor: Acceptor) -> None:
    def answer(association: Association) -> None:
        association.receive()
        association.send(1, {COMMAND_FIELD: C_ECHO | RESPONSE, RESPONDED_TO: 99, STATUS: 0})
        association.receive()

    acceptor.answer = answer
    with pytest.raises(Malformed):
        associate()[0].ask(1, ECHO)
    assert acceptor.ended() == ["Aborted"]


@pytest.mark.parametrize("end", [Association.release, Association.abort, lambda association: association._wire.close()])
def test_a_peer_that_ends_it_in_place_of_an_answer(
    associate: Associate, acceptor: Acceptor, end: Callable[[Association], None]
) -> None:
    def answer(association: Association) -> None:
        association.receive()
        end(association)

    acceptor.answer = answer
    with pytest.raises(Aborted):
        associate()[0].ask(1, ECHO)


def test_message_ids_begin_again(associate: Associate) -> None:
    association, _ = associate()
    association._message_id = 0xFFFE
    for _ in range(3):
        association.ask(1, ECHO)
    assert association._message_id == 2
