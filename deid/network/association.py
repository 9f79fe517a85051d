"""One association, in both roles, from its request to its end: blocking, one thread (PS3.8 9.2).

Whatever ends it raises Ended, and by then the peer was told and the connection is closed.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from deid.network import associate
from deid.network.dimse import COMMAND_FIELD, MESSAGE_ID, RESPONDED_TO, RESPONSE
from deid.network.messages import Message, Messages
from deid.network.negotiation import (
    MOST_CONTEXTS,
    Acceptance,
    Context,
    Identity,
    Proposal,
    Refusal,
    Refused,
    Request,
    Role,
)
from deid.network.pdu import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    BY_US,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    UNEXPECTED,
    Aborted,
    Limits,
    Malformed,
    Stalled,
    Wire,
    control,
    told,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from deid.network.dimse import Command
    from deid.network.pdu import Piece

__all__ = ["Association", "Message", "accept", "connect"]

_STANDARD: Final = Limits()


class Association:
    """An association that was accepted. As a context manager it aborts what was not released."""

    def __init__(  # noqa: PLR0913 - what was negotiated
        self,
        wire: Wire,
        limits: Limits,
        request: Request,
        contexts: Mapping[int, Context],
        roles: Sequence[Role],
        most: int,
        *,
        is_requestor: bool,
    ) -> None:
        """Made by `accept` and `connect`."""
        self.request = request  # who asked whom for what, and from where
        self.contexts = contexts  # those that were accepted
        self.roles = tuple(roles)  # those that were agreed on
        self.because: Mapping[int, int] = {}  # results of contexts that the other side has refused
        self.identity_response: bytes | None = None
        self.is_open = True
        self._wire = wire
        self._limits = limits
        self._is_requestor = is_requestor
        self._messages = Messages(wire, limits, contexts, most)
        self._message_id = 0
        self._until = math.inf if is_requestor else time.monotonic() + limits.whole

    @property
    def calling(self) -> str:
        """AE title of the requestor."""
        return self.request.calling

    @property
    def called(self) -> str:
        """AE title of the acceptor."""
        return self.request.called

    @property
    def address(self) -> str:
        """Of the other side."""
        return self.request.address

    @property
    def certificate(self) -> bytes | None:
        """Of the other side, as DER; None without TLS."""
        return self.request.certificate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def receive(self, seconds: float | None = None) -> Message | None:
        """The next message; None when the peer has released the association, which is answered by then.

        Waits as long as an association may be idle, or `seconds`. What was left of the last data set is passed over.
        Raises Ended.
        """
        with self._told():
            self._messages.pass_over()
            if time.monotonic() > self._until:
                raise Stalled("the association has been there for too long")
            message = self._messages.receive(time.monotonic() + (self._limits.idle if seconds is None else seconds))
            if message is None:
                self._wire.write((control(RELEASE_RP),))
                self.is_open = False
                self._wire.hang_up()
                return None
        return replace(message, _data=self._guarded(message.chunks()))

    def is_quiet(self, seconds: float) -> bool:
        """Whether the peer says nothing for so long, after it was answered."""
        return self.is_open and self._wire.is_quiet(seconds)

    def send(self, context_id: int, command: Command, data: Iterable[Piece] | None = None) -> None:
        """Send a message. The pieces of `data` are of even length, and do not change. Raises Ended."""
        with self._told():
            self._messages.pass_over()
            self._messages.send(context_id, command, data)

    def begin(self, context_id: int, command: Command, data: Iterable[Piece] | None = None) -> int:
        """Send a request, and give its message ID, which the response to it will name. Raises Ended."""
        self._message_id = self._message_id % 0xFFFF + 1
        self.send(context_id, {**command, MESSAGE_ID: self._message_id}, data)
        return self._message_id

    def ask(
        self,
        context_id: int,
        command: Command,
        data: Iterable[Piece] | None = None,
        seconds: float | None = None,
        *,
        meanwhile: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send a request, and wait for the response to it. Raises Ended.

        `meanwhile` gets what the peer asks for before, where it may ask for anything.
        """
        number = self.begin(context_id, command, data)
        answer = self.receive(seconds)
        while answer and meanwhile and not answer.number(COMMAND_FIELD) & RESPONSE:
            meanwhile(answer)
            answer = self.receive(seconds)
        if answer is None:
            raise Aborted("the peer released the association in place of an answer")
        with self._told():
            wanted = int(command[COMMAND_FIELD]) | RESPONSE
            if answer.number(COMMAND_FIELD) != wanted or answer.number(RESPONDED_TO) != number:
                raise Malformed("the peer answers what it was not asked")
        return answer

    def release(self) -> None:
        """End it in order (PS3.8 7.2). Raises Ended when the peer does not answer."""
        with self._told():
            self._messages.pass_over()
            by = time.monotonic() + self._limits.setup
            self._wire.write((control(RELEASE_RQ),))
            kind = self._next_but_data(by)
            # Both at once (PS3.8 9.2.3, AR-8 to AR-10): the requestor answers first.
            if kind == RELEASE_RQ and self._is_requestor:
                self._wire.write((control(RELEASE_RP),))
                kind = self._next_but_data(by)
            elif kind == RELEASE_RQ:
                kind = self._next_but_data(by)
                self._wire.write((control(RELEASE_RP),))
            if kind != RELEASE_RP:
                raise Malformed("the peer does not answer a release as it should", UNEXPECTED)
            self.is_open = False
            self._wire.close()

    def abort(self) -> None:
        """End it at once, unless it has ended already."""
        if self.is_open:
            self.is_open = False
            self._wire.abort(BY_US, 0)

    def _guarded(self, data: Iterator[memoryview]) -> Iterator[memoryview]:
        while True:
            with self._told():
                chunk = next(data, None)
            if chunk is None:
                return
            yield chunk

    @contextmanager
    def _told(self) -> Iterator[None]:
        if not self.is_open:
            raise Aborted("the association has ended already")
        try:
            with told(self._wire):
                yield
        except BaseException:
            self.is_open = False
            raise

    def _next_but_data(self, by: float) -> int:
        """Type of the next PDU; data that was on its way when we asked to release is nobody's (PS3.8 9.2.2, AR-6)."""
        while True:
            kind, _ = self._wire.read(by)
            if kind == ABORT:
                raise Aborted("the peer aborted the association")
            if kind != P_DATA:
                return kind
            if time.monotonic() > by:
                raise Stalled("the peer does not answer a release")


def accept(
    connection: socket.socket, decide: Callable[[Request], Acceptance | Refusal], limits: Limits = _STANDARD
) -> Association:
    """Answer the request that comes on a connection as `decide` says, which is asked only for sound ones.

    Takes the connection over. Raises Refused when the answer was no, and Ended.
    """
    wire = Wire(connection, limits)
    with told(wire):
        kind, content = wire.read(time.monotonic() + limits.setup, limits.setup)
        if kind == ABORT:
            raise Aborted("the peer aborted the association before it was one")
        if kind != ASSOCIATE_RQ:
            raise Malformed("the peer does not begin with a request for an association", UNEXPECTED)
        request = associate.decode_request(content)
        if isinstance(request, Request):
            request = replace(request, address=wire.address, certificate=wire.certificate)
            answer = decide(request)
            if isinstance(answer, Acceptance):
                wire.write((associate.encode_acceptance(request, answer, limits.pdu),))
                contexts = {
                    number: Context(number, request.proposals[number].abstract_syntax, syntax)
                    for number, syntax in answer.transfer_syntaxes.items()
                }
                return Association(wire, limits, request, contexts, answer.roles, request.most, is_requestor=False)
        else:
            answer = request
        wire.write((associate.encode_refusal(answer),))
        wire.hang_up()
        raise Refused(answer)


def connect(  # noqa: PLR0913 - what is negotiated
    connection: socket.socket,
    calling: str,
    called: str,
    proposals: Sequence[Proposal],
    limits: Limits = _STANDARD,
    *,
    identity: Identity | None = None,
    roles: Sequence[Role] = (),
) -> Association:
    """Ask for an association, with at most 128 presentation contexts. `contexts` of the result may be empty.

    Takes the connection over. Raises Refused, and Ended.
    """
    wire = Wire(connection, limits)
    numbered = {2 * at + 1: proposal for at, proposal in enumerate(proposals[:MOST_CONTEXTS])}
    request = Request(calling, called, numbered, tuple(roles), identity)
    request = replace(request, address=wire.address, certificate=wire.certificate)
    with told(wire):
        wire.write((associate.encode_request(request, limits.pdu),))
        kind, content = wire.read(time.monotonic() + limits.setup, limits.setup)
        if kind == ASSOCIATE_RJ:
            raise Refused(associate.decode_refusal(content))
        if kind == ABORT:
            raise Aborted("the peer aborted the association before it was one")
        if kind != ASSOCIATE_AC:
            raise Malformed("the peer does not answer a request for an association as it should", UNEXPECTED)
        accepted = associate.decode_acceptance(content, request)
    association = Association(
        wire, limits, request, accepted.contexts, accepted.roles, accepted.most, is_requestor=True
    )
    association.because = accepted.because
    association.identity_response = accepted.identity_response
    return association
