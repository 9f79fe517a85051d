"""Storage SCP and Verification SCP (PS3.4 B and A): what comes over one association is answered, object by object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.attributes.uids import is_well_formed
from deid.errors import Deferred, Rejected
from deid.network import dimse, status
from deid.network.contexts import STORAGE_COMMITMENT, VERIFICATION
from deid.network.pdu import Ended
from deid.part10.identity import Identity
from deid.receive.inlet import Announced, keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.network.association import Association, Message
    from deid.network.negotiation import Request
    from deid.receive.commitment import Commitment
    from deid.receive.inlet import Inlet


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
    announced = Announced(Identity(sop_class, instance), syntax, request.calling, request.called)
    try:
        return keep(inlet, announced, message.chunks())
    except Ended:
        raise
    except (Deferred, Rejected):
        return status.OUT_OF_RESOURCES
