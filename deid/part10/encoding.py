"""How a data set is encoded (PS3.5): transfer syntaxes, VR forms, and single elements as bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct

from deid.errors import Rejected

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
SEQUENCE_DELIMITER = 0xFFFEE0DD

SHORT, LONG, SEQUENCE, UNKNOWN, STRANGE = range(5)
"""Forms of an explicit element: 16-bit length, 32-bit length, items, VR UN, and what is no VR at all."""

FORMS: dict[bytes, int] = (
    dict.fromkeys(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(), SHORT)
    | dict.fromkeys(b"OB OD OF OL OV OW SV UC UR UT UV".split(), LONG)
    | {b"SQ": SEQUENCE, b"UN": UNKNOWN}
)

BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""VRs of values without bound or text: left on disk when they are large."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """Explicit or implicit VR, byte order, and the readers that go with it."""

    explicit: bool
    big_endian: bool
    explicit_header: Struct  # group, element, VR, 16-bit length
    implicit_header: Struct  # group, element, 32-bit length
    length32: Struct


def _encoding(*, explicit: bool, big_endian: bool) -> Encoding:
    order = ">" if big_endian else "<"
    return Encoding(explicit, big_endian, Struct(order + "HH2sH"), Struct(order + "HHI"), Struct(order + "I"))


IMPLICIT_LITTLE = _encoding(explicit=False, big_endian=False)
EXPLICIT_LITTLE = _encoding(explicit=True, big_endian=False)
EXPLICIT_BIG = _encoding(explicit=True, big_endian=True)
IN_UNKNOWN = replace(IMPLICIT_LITTLE)
"""What VR UN holds (PS3.5 6.2.2); not the same object: readers in explicit VR guess the VR mode of such items."""

IMPLICIT_SYNTAX = "1.2.840.10008.1.2"
EXPLICIT_SYNTAX = "1.2.840.10008.1.2.1"
_EXPLICIT = re.compile(r"1\.2\.840\.10008\.1\.2\.(1(\.9[89])?|4\.\d{2,3}(\.1)?|5|8\.\d)", re.ASCII)
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}


def is_deflated(transfer_syntax: str) -> bool:
    """Whether the whole data set is one deflate stream (PS3.5 A.5, A.8.13)."""
    return transfer_syntax in _DEFLATED


@lru_cache(maxsize=64)
def encoding_of(transfer_syntax: str) -> Encoding:
    """The encoding of a registered transfer syntax. Raises Rejected for a private or malformed one."""
    if transfer_syntax == IMPLICIT_SYNTAX:
        return IMPLICIT_LITTLE
    if transfer_syntax == "1.2.840.10008.1.2.2":
        return EXPLICIT_BIG
    # PS3.5 A.4: every other standard transfer syntax encodes the data set in explicit VR little endian. A private one
    # may do anything, and guessing would mean walking bytes that we do not understand. What only begins like one of
    # the standard's could carry any text into the output.
    if _EXPLICIT.fullmatch(transfer_syntax):
        return EXPLICIT_LITTLE
    raise Rejected("the transfer syntax is not one of the standard's, so the data set cannot be walked")


def encode(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One data element of defined length. The value must be encoded already; it is padded to even length here."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    if not encoding.explicit:
        return encoding.implicit_header.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
    if FORMS[vr.encode()] == SHORT:
        if len(value) > 0xFFFF:
            raise Rejected("a value is too long for its VR in explicit encoding")
        return encoding.explicit_header.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    return (
        encoding.explicit_header.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0)
        + encoding.length32.pack(len(value))
        + value
    )


def encode_items(items: list[bytes], encoding: Encoding) -> bytes:
    """The value of a sequence: items of defined length around data sets that are encoded already."""
    return b"".join(encoding.implicit_header.pack(0xFFFE, 0xE000, len(item)) + item for item in items)
