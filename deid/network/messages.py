"""DIMSE messages as fragments in P-DATA PDUs (PS3.7 6.3, PS3.8 9.3.5 and Annex E), both ways, data sets as streams."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final

from deid.network.dimse import (
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    COMMAND_FIELD,
    DATA_SET,
    DATA_SET_TYPE,
    MESSAGE_ID,
    MOST_COMMAND,
    NO_DATA_SET,
    RESPONDED_TO,
    RESPONSE,
    STATUS,
    decode_command,
    encode_command,
)
from deid.network.pdu import ABORT, HEADER, P_DATA, RELEASE_RQ, UNEXPECTED, Aborted, Malformed, Stalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deid.network.dimse import Command
    from deid.network.negotiation import Context
    from deid.network.pdu import Limits, Piece, Wire

_PDV: Final = Struct(">IBB")  # length, presentation context ID, message control header (PS3.8 9.3.5.1, Annex E)
_COMMAND, _LAST = 1, 2  # bits of the message control header
_AT_ONCE: Final = 256 << 10
"""Bytes given to the kernel together, in as many PDUs as it takes: most peers take only 16 kB in one."""
_LEAST: Final = 1 << 10  # bytes a second of a data set, from whoever holds one of the places for associations
_MOST_PIECES: Final = 512  # of those; the kernel takes 1024


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

    def response(self, status: int) -> dict[int, int | str]:
        """The command set that answers this request; it says again what the request is about (PS3.7 9.3, 10.3)."""
        again = {tag: uid for tag in (AFFECTED_SOP_CLASS, AFFECTED_SOP_INSTANCE) if (uid := self.text(tag))}
        return {
            **again,
            COMMAND_FIELD: self.number(COMMAND_FIELD) | RESPONSE,
            RESPONDED_TO: self.number(MESSAGE_ID),
            STATUS: status,
        }


class Messages:
    """Both directions of one association. Whatever is raised here, and by a data set that is read, ends it."""

    def __init__(
        self,
        wire: Wire,
        limits: Limits,
        contexts: Mapping[int, Context],
        most: int,
    ) -> None:
        """`most` is what the peer takes in a PDU, 0 without limit."""
        self._wire = wire
        self._limits = limits
        self._contexts = contexts
        self._fragment = (min(most or limits.pdu, limits.pdu) - _PDV.size) & ~1
        self._values: Iterator[tuple[int, int, memoryview]] = iter(())  # presentation data values of the last PDU
        self._unread: Iterator[memoryview] = iter(())  # the data set of the last message

    def send(self, context_id: int, command: Command, data: Iterable[Piece] | None) -> None:
        """Send one. Raises Ended."""
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

    def pass_over(self) -> None:
        """Read what is left of the last data set. Raises Ended."""
        for _ in self._unread:
            pass

    def receive(self, by: float) -> Message | None:
        """The next message, which must begin by then; None when the peer asks for a release. Raises Ended."""
        encoded = bytearray()
        first: int | None = None
        until = 0.0
        while True:
            value = self._next_value(by)
            if value is None and first is None:
                return None
            if value is None:
                raise Malformed("the peer releases the association inside a message", UNEXPECTED)
            number, flags, part = value
            if not flags & _COMMAND or first not in (None, number) or number not in self._contexts:
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
        return Message(self._contexts[first], command, has_data, self._unread)

    def _data_set(self, context_id: int, until: float) -> Iterator[memoryview]:
        enough = time.monotonic() + self._limits.grace
        while True:
            value = self._next_value(self._soon(min(until, enough)))
            if value is None:
                raise Malformed("the peer releases the association inside a message", UNEXPECTED)
            number, flags, part = value
            if flags & _COMMAND or number != context_id:
                raise Malformed("a part of a message is not the one that should come next")
            enough += len(part) / _LEAST
            if part:
                yield part
            if flags & _LAST:
                return

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
                raise Malformed("the peer sends what belongs to another state of the association", UNEXPECTED)

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
