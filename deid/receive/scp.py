"""Storage SCP and Verification SCP (PS3.4 B and A): what comes over one association is answered, object by object.

A peer is told success when the object is safe: its file is on the disk, and recovery would find it. What is sent is
written as it arrives and never decoded, but for the UIDs by which it is filed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.attributes.uids import is_well_formed
from deid.errors import Deferred, Rejected
from deid.network import dimse, status
from deid.network.contexts import STORAGE_COMMITMENT, VERIFICATION
from deid.network.pdu import Ended
from deid.part10.identity import identity_in
from deid.part10.target import file_meta
from deid.store.inbox import Arrival
from deid.store.spool import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deid.model import State
    from deid.network.association import Association, Message
    from deid.network.negotiation import Request
    from deid.receive.commitment import Commitment
    from deid.store.inbox import Inbox
    from deid.store.spool import Spool

_HEAD: Final = 4096  # bytes of a data set in which its UIDs stand; what comes before them is short


@dataclass(frozen=True, slots=True)
class Inlet:
    """Where the objects of one route go."""

    journey: int
    spool: Spool
    inbox: Inbox
    arrived: Callable[[int, State, str], None]  # called with each ticket, its state, and the AE title of its sender
    room: Callable[[], bool]  # whether there is room for one more object
    choose: Callable[[str, str, Path], Choice] | None = None
    """Called with the AE titles of both sides and the file of an object that arrives here: where it goes."""


class Choice(NamedTuple):
    """Where an object goes, and why it is held there; "" where it is not."""

    inlet: Inlet
    held: str = ""


def serve(association: Association, inlet: Inlet | None, commitment: Commitment | None = None) -> Iterator[int]:
    """Answer message after message until the peer releases the association; gives how many objects were taken so far.

    Without an inlet nothing is stored. Messages of Storage Commitment are for `commitment`, if there is that service.
    Raises Ended.
    """
    taken = 0
    while message := _next(association, commitment):
        field = message.number(dimse.COMMAND_FIELD)
        if commitment and commitment.take(message):
            continue
        if field == dimse.C_STORE and inlet:
            code = _store(message, inlet, association.request)
            taken += code == status.SUCCESS
        elif field == dimse.C_ECHO:
            code = status.SUCCESS
        elif field == dimse.C_CANCEL:
            continue  # nothing that we do for a peer could be cancelled
        else:
            code = status.UNRECOGNIZED_OPERATION
        association.send(message.context.id, message.response(code))
        yield taken


def _next(association: Association, commitment: Commitment | None) -> Message | None:
    if commitment:
        commitment.tell_while_quiet()
    return association.receive()


def _store(message: Message, inlet: Inlet, request: Request) -> int:
    """Take one object; says with which status. What is left of a refused one is passed over by the association."""
    sop_class, instance = message.text(dimse.AFFECTED_SOP_CLASS), message.text(dimse.AFFECTED_SOP_INSTANCE)
    syntax = message.context.transfer_syntax
    if sop_class != message.context.abstract_syntax or sop_class in (VERIFICATION, STORAGE_COMMITMENT):
        return status.SOP_CLASS_NOT_SUPPORTED
    if not is_well_formed(instance):
        return status.INVALID_OBJECT_INSTANCE
    if not message.has_data:
        return status.CANNOT_UNDERSTAND
    try:
        meta = file_meta(sop_class, instance, syntax, request.calling, request.called)
        return _keep(message, inlet, request, meta)
    except Ended:
        raise
    except (Deferred, Rejected):
        return status.OUT_OF_RESOURCES


def _keep(message: Message, inlet: Inlet, request: Request, meta: bytes) -> int:
    digest, head = Digest(message.context.transfer_syntax), bytearray()
    with inlet.spool.arriving(meta) as arriving:
        for chunk in message.chunks():
            if not inlet.room():  # an object may be larger than what was left
                return status.OUT_OF_RESOURCES
            arriving.write(chunk)
            digest.update(chunk)
            if len(head) < _HEAD:
                head += chunk[:_HEAD]
        if not _is_as_announced(head, message):
            return status.DATA_SET_MISMATCH
        held = ""
        if inlet.choose:
            inlet, held = inlet.choose(request.calling, request.called, arriving.path)
        # The folder is what tells the route, should a power cut take the ticket away.
        kept = arriving.keep(inlet.spool)
    sop_class, instance = message.text(dimse.AFFECTED_SOP_CLASS), message.text(dimse.AFFECTED_SOP_INSTANCE)
    arrival = Arrival(inlet.journey, kept, instance, digest.value, request.calling, time.time(), sop_class, held)
    try:
        ticket, state = inlet.inbox.receive(arrival)
    except Deferred:
        kept.unlink(missing_ok=True)  # the peer will be told that we do not have it
        raise
    inlet.arrived(ticket, state, request.calling)
    return status.SUCCESS


def _is_as_announced(head: bytearray, message: Message) -> bool:
    """Whether a data set says that it is the object of its command (PS3.4 B.2.3: else A900)."""
    announced = message.text(dimse.AFFECTED_SOP_CLASS), message.text(dimse.AFFECTED_SOP_INSTANCE)
    try:
        return identity_in(head, message.context.transfer_syntax) == announced
    except Rejected:
        return False
