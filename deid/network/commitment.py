"""Storage Commitment Push Model (PS3.4 Annex J): who keeps what, asked with N-ACTION and told with N-EVENT-REPORT.

The result may come over the association of the request or over a new one, on which its sender is the requestor and the
SCP at once. Most archives do the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.attributes.uids import is_well_formed
from deid.errors import Rejected
from deid.network.contexts import FALL_BACK, STORAGE_COMMITMENT
from deid.network.dimse import (
    ACTION_TYPE,
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    COMMAND_FIELD,
    EVENT_TYPE,
    N_ACTION,
    N_EVENT_REPORT,
    REQUESTED_SOP_CLASS,
    REQUESTED_SOP_INSTANCE,
    STATUS,
)
from deid.network.negotiation import Proposal, Role
from deid.network.status import Status, judge
from deid.part10.encoding import Encoding, encode, encode_items, encoding_of
from deid.part10.output import DESCEND, KEEP, Element, Verdict
from deid.part10.reencode import header
from deid.part10.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.network.association import Association, Message
    from deid.network.negotiation import Context

PROPOSAL: Final = Proposal(STORAGE_COMMITMENT, FALL_BACK)
REPORTER: Final = Role(STORAGE_COMMITMENT, scu=False, scp=True)
"""What the requestor of an association asks to be that brings a result (PS3.4 J.3.3)."""

_INSTANCE: Final = "1.2.840.10008.1.20.1.1"  # well-known; the only one there is
_REQUEST_ACTION, _ALL_COMMITTED, _FAILURES_EXIST = 1, 1, 2  # action type, event types
_TRANSACTION, _COMMITTED, _FAILED = 0x00081195, 0x00081199, 0x00081198
_SOP_CLASS, _SOP_INSTANCE, _REASON = 0x00081150, 0x00081155, 0x00081197
MOST_BYTES: Final = 4 << 20  # bytes of a request or a result: 26,000 objects if all their UIDs are as long as can be

NO_SUCH_INSTANCE, PROCESSING_FAILURE, CLASS_CONFLICT = 0x0112, 0x0110, 0x0119
"""Failure reasons (PS3.3 C.14.1.1)."""


class TooLong(Rejected):
    """A message names more objects than are taken at a time; fewer of them would go."""


class Reference(NamedTuple):
    """One object."""

    sop_class: str
    instance: str


class Failure(NamedTuple):
    """One object that the SCP does not keep, and why not."""

    sop_class: str
    instance: str
    reason: int


@dataclass(frozen=True, slots=True)
class Request:
    """Which objects somebody wants to be kept."""

    transaction: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Which objects of a transaction are kept, and which are not."""

    transaction: str
    committed: tuple[Reference, ...]
    failed: tuple[Failure, ...] = ()


def ask(association: Association, request: Request, meanwhile: Callable[[Message], None] | None = None) -> Status:
    """Ask for the objects to be kept; success says only that a result will come. Raises Ended, and Rejected.

    The result may even come first: `meanwhile` answers what the peer asks before it answers.
    """
    context = _context(association)
    command: dict[int, int | str] = {
        REQUESTED_SOP_CLASS: STORAGE_COMMITMENT,
        COMMAND_FIELD: N_ACTION,
        REQUESTED_SOP_INSTANCE: _INSTANCE,
        ACTION_TYPE: _REQUEST_ACTION,
    }
    content = _encoded(request.transaction, request.references, (), encoding_of(context.transfer_syntax))
    return judge(association.ask(context.id, command, (content,), meanwhile=meanwhile).number(STATUS))


def tell(association: Association, result: Result) -> Status:
    """Tell the result; the peer's status says whether it knows the transaction. Raises Ended, and Rejected."""
    return judge(association.ask(*_report(association, result)).number(STATUS))


def begin_to_tell(association: Association, result: Result) -> int:
    """Tell the result while requests of the peer may be on their way; gives the message ID. Raises as `tell`."""
    return association.begin(*_report(association, result))


def _report(association: Association, result: Result) -> tuple[int, dict[int, int | str], tuple[bytes]]:
    context = _context(association)
    command: dict[int, int | str] = {
        AFFECTED_SOP_CLASS: STORAGE_COMMITMENT,
        COMMAND_FIELD: N_EVENT_REPORT,
        AFFECTED_SOP_INSTANCE: _INSTANCE,
        EVENT_TYPE: _FAILURES_EXIST if result.failed else _ALL_COMMITTED,
    }
    content = _encoded(result.transaction, result.committed, result.failed, encoding_of(context.transfer_syntax))
    return context.id, command, (content,)


def answer(association: Association, message: Message, status: int) -> None:
    """Answer a request or a result, once what it says is safe. Raises Ended."""
    kind = ACTION_TYPE if message.number(COMMAND_FIELD) == N_ACTION else EVENT_TYPE
    about: dict[int, int | str] = {
        AFFECTED_SOP_CLASS: STORAGE_COMMITMENT,
        AFFECTED_SOP_INSTANCE: _INSTANCE,
        kind: message.number(kind),
    }
    association.send(message.context.id, message.response(status) | about)


def request_in(message: Message) -> Request:
    """What an N-ACTION asks for.

    Raises Ended, TooLong, and Rejected when it is no sound one: answer "invalid argument".
    """
    _see(message, REQUESTED_SOP_CLASS, REQUESTED_SOP_INSTANCE)
    if message.number(ACTION_TYPE) != _REQUEST_ACTION:
        raise Rejected("a storage commitment request has another action type than 1")
    found = _decoded(message)
    if not found.committed:
        raise Rejected("a storage commitment request names no object")
    return Request(found.transaction, found.committed)


def result_in(message: Message) -> Result:
    """What an N-EVENT-REPORT tells. Raises Ended, and Rejected when it is no sound one: answer "invalid argument"."""
    _see(message, AFFECTED_SOP_CLASS, AFFECTED_SOP_INSTANCE)
    if message.number(EVENT_TYPE) not in (_ALL_COMMITTED, _FAILURES_EXIST):
        raise Rejected("a storage commitment result has another event type than 1 and 2")
    return _decoded(message)


def _context(association: Association) -> Context:
    for context in association.contexts.values():
        if context.abstract_syntax == STORAGE_COMMITMENT:
            return context
    raise Rejected("the peer accepts no presentation context for storage commitment")


def _see(message: Message, sop_class: int, instance: int) -> None:
    if message.text(sop_class) != STORAGE_COMMITMENT or message.text(instance) != _INSTANCE or not message.has_data:
        raise Rejected("a storage commitment message is about something else")


def _encoded(
    transaction: str, committed: tuple[Reference, ...], failed: tuple[Failure, ...], encoding: Encoding
) -> bytes:
    content = encode(_TRANSACTION, "UI", transaction.encode("ascii"), encoding)
    if failed:
        items = [
            _item(each.sop_class, each.instance, encoding)
            + encode(_REASON, "US", each.reason.to_bytes(2, "little"), encoding)
            for each in failed
        ]
        content += _sequence(_FAILED, items, encoding)
    if committed:
        content += _sequence(_COMMITTED, [_item(*each, encoding) for each in committed], encoding)
    return content


def _item(sop_class: str, instance: str, encoding: Encoding) -> bytes:
    return encode(_SOP_CLASS, "UI", sop_class.encode("ascii"), encoding) + encode(
        _SOP_INSTANCE, "UI", instance.encode("ascii"), encoding
    )


def _sequence(tag: int, items: list[bytes], encoding: Encoding) -> bytes:
    value = encode_items(items, encoding)
    return header(tag, "SQ", len(value), encoding) + value


def _decoded(message: Message) -> Result:
    content = bytearray()
    for chunk in message.chunks():
        content += chunk
        if len(content) > MOST_BYTES:
            raise TooLong(f"a storage commitment message takes more than {MOST_BYTES >> 20} MB")
    reader = _Reader()
    Walker(content, reader.take).data_set(0, len(content), _RULES, encoding_of(message.context.transfer_syntax))
    return reader.result()


class _Rules(dict[int, object]):
    """Look into the two sequences and at what stands there; everything else is passed over."""

    def __missing__(self, tag: int) -> None:
        return None

    def items_of(self, tag: int) -> _Rules:
        """Sequences in items are none of ours."""
        return _IN_ITEMS if tag in (_COMMITTED, _FAILED) else _Rules()


_RULES: Final = _Rules({_TRANSACTION: KEEP, _COMMITTED: DESCEND, _FAILED: DESCEND})
_IN_ITEMS: Final = _Rules({_SOP_CLASS: KEEP, _SOP_INSTANCE: KEEP, _REASON: KEEP})


class _Reader:
    """Collects what the walk comes by; an item begins with its SOP class."""

    def __init__(self) -> None:
        self.transaction = ""
        self.items: list[tuple[int, dict[int, bytes]]] = []

    def take(self, _rule: object, element: Element) -> bytes | Verdict:
        if element.tag == _TRANSACTION:
            self.transaction = _uid(element.value)
        elif element.tag == _SOP_CLASS:
            self.items.append((element.path[-1], {_SOP_CLASS: element.value}))
        elif not self.items or element.tag in self.items[-1][1]:
            raise Rejected("an item of a storage commitment message names no SOP class")
        else:
            self.items[-1][1][element.tag] = element.value
        return KEEP

    def result(self) -> Result:
        if not is_well_formed(self.transaction):
            raise Rejected("a storage commitment message names no transaction")
        committed: list[Reference] = []
        failed: list[Failure] = []
        for sequence, item in self.items:
            sop_class, instance = _uid(item[_SOP_CLASS]), _uid(item.get(_SOP_INSTANCE, b""))
            if not is_well_formed(sop_class) or not is_well_formed(instance):
                raise Rejected("an item of a storage commitment message names no object")
            if sequence == _COMMITTED:
                committed.append(Reference(sop_class, instance))
            else:
                reason = int.from_bytes(item.get(_REASON, b"")[:2], "little")
                failed.append(Failure(sop_class, instance, reason or PROCESSING_FAILURE))
        return Result(self.transaction, tuple(committed), tuple(failed))


def _uid(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")
