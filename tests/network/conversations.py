"""What two sides say to each other, as bytes, and how it is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.network.pdu import HEADER, P_DATA

if TYPE_CHECKING:
    import random


def pdata(context: int, flags: int, part: bytes) -> bytes:
    return HEADER.pack(P_DATA, len(part) + 6) + (len(part) + 2).to_bytes(4, "big") + bytes((context, flags)) + part


def damaged(conversation: bytes, chance: random.Random) -> bytes:
    content = bytearray(conversation)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        # Lengths and headers stand at the beginning, and that is where it hurts most.
        at = chance.randrange(min(len(content), chance.choice((16, 400, 1 << 20)))) if content else 0
        match chance.randrange(7):
            case 0:
                content[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                content[at : at + 2] = chance.choice((b"\0\0", b"\xff\xff", b"\0\1", b"\x7f\xff"))
            case 2:
                content[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\2\0\0", b"\0\0\0\1"))
            case 3:
                del content[at:]
            case 4:
                del content[at : at + chance.randrange(1, 300)]
            case 5:
                content[at:at] = chance.randbytes(chance.randrange(1, 300))
            case 6:
                other = chance.randrange(len(content) + 1)
                content[at:at] = content[other : other + chance.randrange(1, 3000)]
    return bytes(content[: 100 << 10])  # what the buffer of a socket takes
