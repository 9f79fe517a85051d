"""ICC profiles (PS3.3 C.11.15): what transforms colours stays; texts, dates, devices and private tags may name anybody.

Screens and scanners write their owners and serial numbers there, and any program its own tags.
"""

from __future__ import annotations

import struct
from typing import Final

from deid.errors import Rejected

_HEADER: Final = 128
_SIGNATURE: Final = slice(36, 40)
_KEPT: Final = (slice(8, 24), _SIGNATURE, slice(44, 48), slice(56, 80))
"""Version, class, colour spaces, flags, attributes, intent and illuminant (ICC.1:2022, 7.2)."""
_MADE: Final = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
_ENTRY: Final = struct.Struct(">4sII")
_MOST_TAGS: Final = 100
_TAGS: Final = frozenset(
    b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 B2D0 B2D1 B2D2 B2D3 D2B0 D2B1 D2B2 D2B3 bXYZ gXYZ rXYZ bTRC gTRC rTRC kTRC "
    b"bkpt chad chrm cicp gamt lumi meas pre0 pre1 pre2 rig0 rig2 tech view wtpt".split()
)
_TYPES: Final = frozenset(
    [b"XYZ ", *b"chrm cicp curv".split(), b"mAB ", b"mBA ", *b"meas mft1 mft2 mpet para sf32".split(), b"sig ", b"view"]
)
"""Of what the tags above hold: numbers, and signatures of four letters that ICC.1 lists."""
_DESCRIPTION, _COPYRIGHT = b"ICC profile", b"unknown"


def bare(profile: bytes) -> bytes:
    """A profile that transforms colours as this one does and says nothing else. Raises Rejected for what is none."""
    size = int.from_bytes(profile[:4], "big")
    count = int.from_bytes(profile[_HEADER : _HEADER + 4], "big")
    data = _HEADER + 4 + count * _ENTRY.size
    if profile[_SIGNATURE] != b"acsp" or count > _MOST_TAGS or not data <= size <= len(profile):
        raise _no_profile()
    header = bytearray(_HEADER)
    for part in _KEPT:
        header[part] = profile[part]
    header[24:36] = _MADE
    kept: dict[bytes, bytes] = {}
    for tag, begin, length in _ENTRY.iter_unpack(profile[_HEADER + 4 : data]):
        if not data <= begin <= begin + length <= size or tag in kept:
            raise _no_profile()
        content = profile[begin : begin + length]
        if tag in _TAGS and content[:4] in _TYPES:
            kept[tag] = content
    return _assembled(header, _texts(profile[8]) | kept)


def _texts(version: int) -> dict[bytes, bytes]:
    """The texts that every profile has to have (ICC.1:2022, 8.2), in the types of its version."""
    if version < 4:
        # ICC.1:2001-04, 6.5.17: its own length, and none in Unicode or the script of a Macintosh.
        description = b"desc\0\0\0\0" + struct.pack(">I", len(_DESCRIPTION) + 1) + _DESCRIPTION + bytes(1 + 8 + 70)
        return {b"desc": description, b"cprt": b"text\0\0\0\0" + _COPYRIGHT + b"\0"}
    return {tag: _unicode(text.decode()) for tag, text in ((b"desc", _DESCRIPTION), (b"cprt", _COPYRIGHT))}


def _unicode(text: str) -> bytes:
    content = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(content), 28) + content


def _assembled(header: bytearray, contents: dict[bytes, bytes]) -> bytes:
    """Equal contents once, each at a multiple of four (ICC.1:2022, 7.3)."""
    places: dict[bytes, int] = {}
    data, base = b"", _HEADER + 4 + len(contents) * _ENTRY.size
    for content in contents.values():
        if content not in places:
            places[content] = base + len(data)
            data += content + bytes(-len(content) % 4)
    table = b"".join(_ENTRY.pack(tag, places[content], len(content)) for tag, content in contents.items())
    header[:4] = (base + len(data)).to_bytes(4, "big")
    return bytes(header) + len(contents).to_bytes(4, "big") + table + data


def _no_profile() -> Rejected:
    return Rejected("ICCProfile holds no ICC profile, or more than one, and nobody can know what it says")
