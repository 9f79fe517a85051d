"""One association, in both roles: blocking, one thread, data sets as streams (PS3.8 9.2).

Whatever ends it raises Ended, and by then the peer was told and the connection is closed.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from struct import Struct
from typing import TYPE_CHECKING, Final, Self

from deid.network import negotiation
from deid.network.dimse import (
    COMMAND_FIELD,
    DATA_SET,
    DATA_SET_TYPE,
    MESSAGE_ID,
    MOST_COMMAND,
    NO_DATA_SET,
    RESPONDED_TO,
    RESPONSE,
    decode_command,
    encode_command,
)
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
    HEADER,
    P_DATA,
    RELEASE_RP,
    RELEASE_RQ,
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

_PDV: Final = Struct(">IBB")  # length, presentation context ID, message control header (PS3.8 9.3.5.1, Annex E)
_COMMAND, _LAST = 1, 2  # bits of the message control header
_AT_ONCE: Final = 256 << 10
"""Bytes given to the kernel together, in as many PDUs as it takes: most peers take only 16 kB in one."""
_MOST_PIECES: Final = 512  # of those; the kernel takes 1024
_UNEXPECTED: Final = 2  # reason of A-ABORT
_STANDARD: Final = Limits()


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response."""

    context: Context
    command: Command
    has_data: bool
    _data: Iterator[memoryview] = field(repr=False)

    def chunks(self) -> Iterator[memoryview]:
        """The data set as it arrives; a chunk is valid until the next one is asked for. Raises Ended."""
        return self._data

    def number(self, tag: int) -> int:
        """A number of the command set; 0 where it is missing."""
        value = self.command.get(tag, 0)
        return value if isinstance(value, int) else 0

    def text(self, tag: int) -> str:
        """A UID of the command set; "" where it is missing, or is none."""
        value = self.command.get(tag, "")
        return value if isinstance(value, str) else ""


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
        self.identity_response: bytes | None = None
        self.is_open = True
        self._wire = wire
        self._limits = limits
        self._is_requestor = is_requestor
        self._fragment = (min(most or limits.pdu, limits.pdu) - _PDV.size) & ~1
        self._values: Iterator[tuple[int, int, memoryview]] = iter(())  # presentation data values of the last PDU
        self._unread: Iterator[memoryview] = iter(())  # the data set of the last message
        self._message_id = 0

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
            self._pass_over()
            return self._message(time.monotonic() + (self._limits.idle if seconds is None else seconds))

    def send(self, context_id: int, command: Command, data: Iterable[Piece] | None = None) -> None:
        """Send a message. The pieces of `data` are of even length, and do not change. Raises Ended."""
        with self._told():
            self._pass_over()
            encoded = encode_command({**command, DATA_SET_TYPE: NO_DATA_SET if data is None else DATA_SET})
            pieces = list(self._pdus(context_id, _COMMAND, (encoded,)))
            waiting = 0
            for piece in () if data is None else self._pdus(context_id, 0, data):
                pieces.append(piece)
                waiting += len(piece)
                if waiting > _AT_ONCE or len(pieces) > _MOST_PIECES:
                    self._wire.write(pieces)
                    pieces, waiting = [], 0
            self._wire.write(pieces)

    def ask(
        self, context_id: int, command: Command, data: Iterable[Piece] | None = None, seconds: float | None = None
    ) -> Message:
        """Send a request, and wait for the response to it. Raises Ended."""
        self._message_id = self._message_id % 0xFFFF + 1
        self.send(context_id, {**command, MESSAGE_ID: self._message_id}, data)
        answer = self.receive(seconds)
        if answer is None:
            raise Aborted("the peer released the association in place of an answer")
        with self._told():
            wanted = int(command[COMMAND_FIELD]) | RESPONSE
            if answer.number(COMMAND_FIELD) != wanted or answer.number(RESPONDED_TO) != self._message_id:
                raise Malformed("the peer answers what it was not asked")
        return answer

    def release(self) -> None:
        """End it in order (PS3.8 7.2). Raises Ended when the peer does not answer."""
        with self._told():
            self._pass_over()
            by = time.monotonic() + self._limits.setup
            self._wire.write((control(RELEASE_RQ),))
            kind = self._next_but_data(by)
            if (
                kind == RELEASE_RQ and self._is_requestor
            ):  # both at once (PS3.8 9.2.3, AR-8): the requestor answers first
                self._wire.write((control(RELEASE_RP),))
                kind = self._next_but_data(by)
            elif kind == RELEASE_RQ:
                kind = self._next_but_data(by)
                self._wire.write((control(RELEASE_RP),))
            if kind != RELEASE_RP:
                raise Malformed("the peer does not answer a release as it should", _UNEXPECTED)
            self.is_open = False
            self._wire.close()

    def abort(self) -> None:
        """End it at once, unless it has ended already."""
        if self.is_open:
            self.is_open = False
            self._wire.abort(BY_US, 0)

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

    def _message(self, by: float) -> Message | None:
        encoded = bytearray()
        first: int | None = None
        until = 0.0
        while True:
            value = self._next_value(by)
            if value is None and first is None:
                self._wire.write((control(RELEASE_RP),))
                self.is_open = False
                self._wire.hang_up()
                return None
            if value is None:
                raise Malformed("the peer releases the association inside a message", _UNEXPECTED)
            number, flags, part = value
            if not flags & _COMMAND or first not in (None, number) or number not in self.contexts:
                raise Malformed("a part of a message is not the one that should come next")
            if first is None:
                first, until = number, time.monotonic() + self._limits.message
            encoded += part
            if len(encoded) > MOST_COMMAND:
                raise Malformed(f"a command set is larger than {MOST_COMMAND >> 10} kB")
            if flags & _LAST:
                break
            by = self._soon(until)
        command = decode_command(bytes(encoded))
        has_data = command[DATA_SET_TYPE] != NO_DATA_SET
        self._unread = self._data_set(first, until) if has_data else iter(())
        return Message(self.contexts[first], command, has_data, self._unread)

    def _data_set(self, context_id: int, until: float) -> Iterator[memoryview]:
        with self._told():
            while True:
                value = self._next_value(self._soon(until))
                if value is None:
                    raise Malformed("the peer releases the association inside a message", _UNEXPECTED)
                number, flags, part = value
                if flags & _COMMAND or number != context_id:
                    raise Malformed("a part of a message is not the one that should come next")
                if part:
                    yield part
                if flags & _LAST:
                    return

    def _pass_over(self) -> None:
        for _ in self._unread:
            pass

    def _soon(self, until: float) -> float:
        """When the next part of a message must be here."""
        now = time.monotonic()
        if now > until:
            raise Stalled("a message took too long")
        return min(now + self._limits.stall, until)

    def _next_value(self, by: float) -> tuple[int, int, memoryview] | None:
        """Presentation context ID, message control header and fragment; None when the peer released the association."""
        while True:
            for value in self._values:
                return value
            kind, content = self._wire.read(by)
            if kind == P_DATA:
                self._values = _values(content)
            elif kind == RELEASE_RQ:
                return None
            elif kind == ABORT:
                raise Aborted("the peer aborted the association")
            else:
                raise Malformed("the peer sends what belongs to another state of the association", _UNEXPECTED)

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

    def _pdus(self, context_id: int, kind: int, data: Iterable[Piece]) -> Iterator[Piece]:
        """P-DATA PDUs with one fragment each, header and fragment apart; only the last one may say that it is."""
        waiting: Piece | None = None
        for piece in data:
            view = memoryview(piece)
            for at in range(0, len(view), self._fragment):
                if waiting is not None:
                    yield _header(len(waiting), context_id, kind)
                    yield waiting
                waiting = view[at : at + self._fragment]
        waiting = waiting or b""
        yield _header(len(waiting), context_id, kind | _LAST)
        yield waiting


def _header(length: int, context_id: int, kind: int) -> bytes:
    return HEADER.pack(P_DATA, length + _PDV.size) + _PDV.pack(length + 2, context_id, kind)


def _values(content: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The presentation data values of a P-DATA PDU."""
    at = 0
    while at < len(content) or not at:
        if at + _PDV.size > len(content):
            raise Malformed("a presentation data value ends inside its header")
        length, number, flags = _PDV.unpack_from(content, at)
        end = at + 4 + length
        if length < 2 or end > len(content):
            raise Malformed("a presentation data value is longer or shorter than it may be")
        yield number, flags, content[at + _PDV.size : end]
        at = end


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
            raise Malformed("the peer does not begin with a request for an association", _UNEXPECTED)
        request = negotiation.decode_request(content)
        if isinstance(request, Request):
            request = replace(request, address=wire.address, certificate=wire.certificate)
            answer = decide(request)
            if isinstance(answer, Acceptance):
                wire.write((negotiation.encode_acceptance(request, answer, limits.pdu),))
                contexts = {
                    number: Context(number, request.proposals[number].abstract_syntax, syntax)
                    for number, syntax in answer.transfer_syntaxes.items()
                }
                return Association(wire, limits, request, contexts, answer.roles, request.most, is_requestor=False)
        else:
            answer = request
        wire.write((negotiation.encode_refusal(answer),))
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
        wire.write((negotiation.encode_request(request, limits.pdu),))
        kind, content = wire.read(time.monotonic() + limits.setup, limits.setup)
        if kind == ASSOCIATE_RJ:
            raise Refused(negotiation.decode_refusal(content))
        if kind == ABORT:
            raise Aborted("the peer aborted the association before it was one")
        if kind != ASSOCIATE_AC:
            raise Malformed("the peer does not answer a request for an association as it should", _UNEXPECTED)
        accepted = negotiation.decode_acceptance(content, request)
    association = Association(
        wire, limits, request, accepted.contexts, accepted.roles, accepted.most, is_requestor=True
    )
    association.identity_response = accepted.identity_response
    return association
