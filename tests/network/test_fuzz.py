"""Thousands of damaged conversations, in both roles: each ends in order, in little memory, and the next is served."""

from __future__ import annotations

import random
import socket
import tracemalloc
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.network.associate import encode_acceptance, encode_request
from deid.network.association import accept, connect
from deid.network.contexts import VERIFICATION, accept_storage
from deid.network.dimse import (
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    C_ECHO,
    C_STORE,
    COMMAND_FIELD,
    DATA_SET,
    DATA_SET_TYPE,
    MESSAGE_ID,
    NO_DATA_SET,
    RESPONDED_TO,
    RESPONSE,
    STATUS,
    encode_command,
)
from deid.network.negotiation import Acceptance, Identity, Request, Role
from deid.network.pdu import RELEASE_RP, RELEASE_RQ, Ended, control

from .conftest import CT, PATIENT, PROPOSALS
from .conversations import damaged, pdata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.network.dimse import Command

CASES = 5000
MOST_MEMORY = 4 << 20  # bytes, of which the buffer of the connection takes 256 kB
LIMITS = replace(PATIENT, setup=0.5, idle=0.5, stall=0.5)
REQUEST = Request(
    "FUZZ",
    "DEID",
    {2 * at + 1: proposal for at, proposal in enumerate(PROPOSALS)},
    (Role(CT, scu=True, scp=True),),
    Identity(2, b"user", b"passcode", wants_response=True),
)


def asked() -> bytes:
    """What a requestor sends from beginning to end: an object in three fragments, an echo, a release."""
    store: Command = {AFFECTED_SOP_CLASS: CT, COMMAND_FIELD: C_STORE, MESSAGE_ID: 1, AFFECTED_SOP_INSTANCE: "1.2.3"}
    echo: Command = {AFFECTED_SOP_CLASS: VERIFICATION, COMMAND_FIELD: C_ECHO, MESSAGE_ID: 2}
    return b"".join(
        (
            encode_request(REQUEST, 16384),
            pdata(3, 3, encode_command({**store, DATA_SET_TYPE: DATA_SET})),
            *(pdata(3, flags, bytes(range(256)) * 8) for flags in (0, 0, 2)),
            pdata(1, 3, encode_command({**echo, DATA_SET_TYPE: NO_DATA_SET})),
            control(RELEASE_RQ),
        )
    )


def answered() -> bytes:
    """What an acceptor sends to somebody who asks twice and releases."""
    acceptance = Acceptance({1: "1.2.840.10008.1.2", 3: "1.2.840.10008.1.2.1"}, {}, REQUEST.roles, b"")
    answer: Command = {COMMAND_FIELD: C_ECHO | RESPONSE, STATUS: 0, DATA_SET_TYPE: NO_DATA_SET}
    return b"".join(
        (
            encode_acceptance(REQUEST, acceptance, 16384),
            *(pdata(1, 3, encode_command({**answer, RESPONDED_TO: number})) for number in (1, 2)),
            control(RELEASE_RP),
        )
    )


def serve(connection: socket.socket) -> None:
    with accept(connection, lambda request: accept_storage(request, {VERIFICATION}), LIMITS) as association:
        while (message := association.receive()) is not None:
            for _ in message.chunks():
                pass
            field = (message.number(COMMAND_FIELD) | RESPONSE) & 0xFFFF
            association.send(
                message.context.id, {COMMAND_FIELD: field, RESPONDED_TO: message.number(MESSAGE_ID), STATUS: 0}
            )


def ask(connection: socket.socket) -> None:
    with connect(connection, "FUZZ", "DEID", PROPOSALS, LIMITS, roles=REQUEST.roles) as association:
        for _ in range(2):
            association.ask(1, {AFFECTED_SOP_CLASS: VERIFICATION, COMMAND_FIELD: C_ECHO})
        association.release()


def outcome(role: Callable[[socket.socket], None], said: bytes) -> str:
    """How an association ends whose other side says all of this at once, and then no more."""
    ours, theirs = socket.socketpair()
    with closing(theirs):
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        try:
            role(ours)
        except Ended as error:
            assert ours.fileno() < 0
            return type(error).__name__
        assert ours.fileno() < 0
        return "in order"


@pytest.fixture
def _bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.mark.usefixtures("_bounded_memory")
@pytest.mark.parametrize(("role", "conversation"), [(serve, asked()), (ask, answered())], ids=["acceptor", "requestor"])
def test_damaged_conversations_end_in_order(role: Callable[[socket.socket], None], conversation: bytes) -> None:
    chance = random.Random(7)  # noqa: S311 - the same cases every time
    ends: Counter[str] = Counter()
    for case in range(CASES):
        ends[outcome(role, damaged(conversation, chance))] += 1
        if case % 500 == 0:
            assert outcome(role, conversation) == "in order"
    assert set(ends) <= {"in order", "Aborted", "Malformed", "Stalled", "Refused"}
    assert min(ends[end] for end in ("in order", "Aborted", "Malformed")) > CASES // 20
