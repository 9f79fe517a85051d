"""What belongs into a marker segment that decoders read: where they pass over the rest of it, it may say anything."""

from __future__ import annotations

from typing import Final

Segments = list[tuple[int, bytes]]
"""Markers, and the segments with them."""

FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # headers of frames, of JPEG-LS as well
TILE_PARTS: Final = 0x55
_CODES, _LINES, _RESTARTS, _PARAMETERS = 0xC4, 0xDC, 0xDD, 0xF8


def is_full(marker: int, segment: bytes) -> bool:
    """Whether a segment of JPEG is as long as what belongs into it (ITU-T T.81 B.2, T.87 C.2.4)."""
    value = segment[4:]
    if marker in FRAMES:
        return len(value) == 6 + 3 * int.from_bytes(value[5:6], "big")
    if marker in (_LINES, _RESTARTS):
        return 2 <= len(value) <= 4  # bytes of one number
    if marker == _PARAMETERS:
        return value[:1] == b"\1" and len(value) == 11  # thresholds: mapping tables may say anything
    at = 0
    while at < len(value):
        at += 17 + sum(value[at + 1 : at + 17]) if marker == _CODES else 129 if value[at] & 0x10 else 65
    return at == len(value)


def tell_lengths(segments: Segments, tile_parts: list[tuple[bytes, int]]) -> bool:
    """Whether the index of tile-parts, each a tile and a length, says what they say (ITU-T T.800 A.7.1)."""
    told: list[tuple[bytes, int]] = []
    for marker, segment in segments:
        if marker == TILE_PARTS:
            style = int.from_bytes(segment[5:6], "big")
            number, size = style >> 4 & 3, 4 if style & 0x40 else 2
            told += (
                (segment[at : at + number], int.from_bytes(segment[at + number : at + number + size], "big"))
                for at in range(6, len(segment), number + size)
            )
    expected = [(tile[2 - len(said) :], length) for (said, _), (tile, length) in zip(told, tile_parts, strict=False)]
    return told == expected and len(told) == len(tile_parts)
