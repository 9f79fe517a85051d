"""SOP Class and SOP Instance UID at the beginning of a data set, whatever follows."""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

from deid.errors import Rejected
from deid.part10.encoding import UNDEFINED, encoding_of, is_deflated
from deid.part10.place import place_at

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
DIRECTORY: Final = "1.2.840.10008.1.3.10"  # the media storage class of a DICOMDIR, which is no object
_MOST: Final = 1 << 15  # bytes of a deflated data set that are looked at


class Identity(NamedTuple):
    """What an object says that it is; "" where it does not, or not in the bytes that were looked at."""

    sop_class: str
    instance: str


def identity_in(head: bytes | bytearray, transfer_syntax: str) -> Identity:
    """From the first bytes of a data set as it is encoded. Raises Rejected where they cannot be walked."""
    if is_deflated(transfer_syntax):
        try:
            head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _MOST)
        except zlib.error:
            raise Rejected("the deflated data set is damaged") from None
    found = {SOP_CLASS: "", SOP_INSTANCE: ""}
    encoding, pos = encoding_of(transfer_syntax), 0
    while pos + 8 <= len(head):
        place = place_at(head, pos, len(head), encoding)
        pos = place.value + place.length
        if place.tag > SOP_INSTANCE or place.length == UNDEFINED or pos > len(head):
            break
        if place.tag in found:
            found[place.tag] = head[place.value : pos].decode("latin-1").strip(" \0")
    return Identity(found[SOP_CLASS], found[SOP_INSTANCE])
