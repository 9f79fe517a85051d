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
_DEFINED: Final = ((slice(44, 48), 0b11), (slice(56, 64), 0b1111))
"""Bits of flags and attributes that are; makers of profiles and screens have others for themselves (7.2.11, 7.2.14)."""
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
_SIZES: Final = {b"XYZ ": 20, b"cicp": 12, b"meas": 36, b"sf32": 44, b"sig ": 12, b"view": 36}
"""Bytes of types that have one size in these tags (ICC.1:2022, 10): one point, a matrix of nine."""
_OF_CURVE: Final = {0: 16, 1: 24, 2: 28, 3: 32, 4: 40}  # by the kind of function (10.18)
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
    for part, bits in _DEFINED:
        header[part] = (int.from_bytes(profile[part], "big") & bits).to_bytes(part.stop - part.start, "big")
    header[24:36] = _MADE
    kept: dict[bytes, bytes] = {}
    for tag, begin, length in _ENTRY.iter_unpack(profile[_HEADER + 4 : data]):
        if not data <= begin <= begin + length <= size or tag in kept:
            raise _no_profile()
        content = profile[begin : begin + length]
        if tag in _TAGS and content[:4] in _TYPES:
            kept[tag] = content[:4] + bytes(4) + content[8 : _size(content)]
    return _assembled(header, _texts(profile[8]) | kept)


def _size(content: bytes) -> int:
    """Of what a tag holds; what follows within it is read by nobody (ICC.1:2022, 10)."""
    kind, numbers = content[:4], content.ljust(52, b"\0")
    first, second = (int.from_bytes(numbers[at : at + 2], "big") for at in (8, 10))
    if kind == b"curv":
        return 12 + 2 * (first << 16 | second)
    if kind == b"chrm":
        return 12 + 8 * first
    if kind == b"para":
        return _OF_CURVE.get(first, len(content))
    if kind in (b"mft1", b"mft2"):
        inputs, outputs, grid = numbers[8:11]
        before, after = struct.unpack(">HH", numbers[48:52]) if kind == b"mft2" else (256, 256)
        width, begin = (2, 52) if kind == b"mft2" else (1, 48)
        size: int = begin + width * (before * inputs + grid**inputs * outputs + after * outputs)
        return size
    return _SIZES.get(kind, len(content))


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
