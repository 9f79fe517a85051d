"""The items that A-ASSOCIATE PDUs are made of (PS3.8 9.3.2): type, 16-bit length, value; none runs past its end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from deid.network.pdu import Malformed

_ITEM: Final = Struct(">BxH")
SHORT: Final = Struct(">H")
LONG: Final = Struct(">I")
_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)


def items(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Type and value of each. Raises Malformed."""
    at = 0
    while at < len(content):
        if at + _ITEM.size > len(content):
            raise Malformed("an item ends inside its header")
        kind, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size
        if at + length > len(content):
            raise Malformed("an item is longer than what it stands in")
        yield kind, content[at : at + length]
        at += length


def take(value: memoryview, at: int) -> tuple[memoryview, int]:
    """A field behind its 16-bit length, and where the next one begins. Raises Malformed."""
    length = unpack(SHORT, value, at)
    at += SHORT.size
    if at + length > len(value):
        raise Malformed("a field is longer than the item that it stands in")
    return value[at : at + length], at + length


def unpack(form: Struct, value: memoryview, at: int) -> int:
    """A number. Raises Malformed where it would run past the end."""
    if at + form.size > len(value):
        raise Malformed("an item is too short for what it holds")
    number: int = form.unpack_from(value, at)[0]
    return number


def uid(value: memoryview) -> str:
    """The UID, or "" for what is none: it goes into logs and records."""
    text = bytes(value[:128]).decode("latin-1").strip(" \0")  # padding is not allowed here, and seen
    return text if _UID.fullmatch(text) else ""


def item(kind: int, value: bytes) -> bytes:
    """One item."""
    return _ITEM.pack(kind, len(value)) + value


def counted(value: bytes) -> bytes:
    """A field behind its 16-bit length."""
    return SHORT.pack(len(value)) + value


def uid_item(kind: int, uid: str) -> bytes:
    """One item that holds a UID."""
    return item(kind, uid.encode("ascii"))


def uid_items(kind: int, uids: Sequence[str]) -> bytes:
    """As many as there are UIDs."""
    return b"".join(uid_item(kind, uid) for uid in uids)
