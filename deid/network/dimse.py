"""Command sets (PS3.7 6.3, Annex E): group 0000 in implicit VR little endian, to a plain mapping and back."""

from __future__ import annotations

import re
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeAlias

from deid.network.pdu import Malformed
from deid.part10.encoding import IMPLICIT_LITTLE, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

Command: TypeAlias = "Mapping[int, int | str]"
"""Values by tag. A UI that is no UID is left out, so that it is missing to everybody: it could be a path."""

AFFECTED_SOP_CLASS: Final = 0x00000002
REQUESTED_SOP_CLASS: Final = 0x00000003
COMMAND_FIELD: Final = 0x00000100
MESSAGE_ID: Final = 0x00000110
RESPONDED_TO: Final = 0x00000120  # Message ID Being Responded To
PRIORITY: Final = 0x00000700
DATA_SET_TYPE: Final = 0x00000800
STATUS: Final = 0x00000900
ERROR_COMMENT: Final = 0x00000902  # only ever written: what a peer says may hold values of a data set
AFFECTED_SOP_INSTANCE: Final = 0x00001000
REQUESTED_SOP_INSTANCE: Final = 0x00001001
EVENT_TYPE: Final = 0x00001002
ACTION_TYPE: Final = 0x00001008
MOVE_ORIGINATOR: Final = 0x00001030  # its AE title, for objects that a C-MOVE sends
MOVE_MESSAGE_ID: Final = 0x00001031

C_STORE, C_ECHO, C_CANCEL, N_EVENT_REPORT, N_ACTION = 0x0001, 0x0030, 0x0FFF, 0x0100, 0x0130
RESPONSE: Final = 0x8000  # set in the command field of every response
NO_DATA_SET, DATA_SET = 0x0101, 0x0001
MOST_COMMAND: Final = 16 << 10  # bytes; the largest in use are a few hundred

_HEADER: Final = Struct("<HHI")
_NUMBER: Final = Struct("<H")
_UI: Final = frozenset({AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS, AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE})
_US: Final = frozenset(
    {
        COMMAND_FIELD,
        MESSAGE_ID,
        RESPONDED_TO,
        PRIORITY,
        DATA_SET_TYPE,
        STATUS,
        EVENT_TYPE,
        ACTION_TYPE,
        MOVE_MESSAGE_ID,
    }
)
_VR: Final = dict.fromkeys(_UI, "UI") | dict.fromkeys(_US, "US") | {ERROR_COMMENT: "LO", MOVE_ORIGINATOR: "AE"}
_UID: Final = re.compile(rb"[0-9.]{1,64}")


def encode_command(command: Command) -> bytes:
    """The command set, with its group length."""
    elements = b"".join(
        encode(tag, _VR[tag], _NUMBER.pack(value) if isinstance(value, int) else value.encode("ascii"), IMPLICIT_LITTLE)
        for tag, value in sorted(command.items())
    )
    return encode(0x00000000, "UL", len(elements).to_bytes(4, "little"), IMPLICIT_LITTLE) + elements


def decode_command(content: bytes) -> dict[int, int | str]:
    """The elements that mean something to us. Raises Malformed when it is no request and no response."""
    command: dict[int, int | str] = {}
    at = 0
    while at < len(content):
        if at + _HEADER.size > len(content):
            raise Malformed("a command set ends inside an element's header")
        group, element, length = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        if group or at + length > len(content):
            raise Malformed("a command set holds an element of another group, or one that is longer than itself")
        value = content[at : at + length]
        at += length
        if element in _US:
            if length != _NUMBER.size:
                raise Malformed("a number of a command set has not two bytes")
            command[element] = _NUMBER.unpack(value)[0]
        elif element in _UI and _UID.fullmatch(uid := value.rstrip(b" \0")):
            command[element] = uid.decode("ascii")
    _check(command)
    return command


def _check(command: Command) -> None:
    """PS3.7 Annex E: what every message must say before anybody can answer it, or match it with what was asked."""
    field = command.get(COMMAND_FIELD)
    if not isinstance(field, int) or DATA_SET_TYPE not in command:
        raise Malformed("a command set does not say what it asks for")
    needed = {RESPONDED_TO, STATUS} if field & RESPONSE else {RESPONDED_TO} if field == C_CANCEL else {MESSAGE_ID}
    if not needed <= command.keys():
        raise Malformed("a command set lacks its message ID or its status")
