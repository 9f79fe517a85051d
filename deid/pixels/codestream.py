"""What a compressed frame holds besides its pixels: comments, EXIF and thumbnails, which may name a patient."""

from __future__ import annotations

from typing import Final

Segments = list[tuple[int, bytes]]
"""Markers, and the segments with them."""

_JP2: Final = b"\0\0\0\x0cjP  "
_END: Final = b"\xff\xd9"
_JPEG, _J2K = b"\xff\xd8", b"\xff\x4f"
_SCAN, _TILE = 0xDA, 0x90  # where the headers end
_COMMENT, _J2K_COMMENT = 0xFE, 0x64
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # ITU-T T.81 B.1.1.3; none belongs into a header
APPLICATIONS: Final = range(0xE0, 0xF0)
JFIF, _SPIFF, ADOBE = 0xE0, 0xE8, 0xEE  # these tell how colours are coded; JPEG-LS uses APP8 for that
_JFIF_LENGTH: Final = 16  # of a segment without a thumbnail


def without_comments(content: bytes) -> bytes:
    """One frame without comments and application data, but for those that decoders need; the same bytes if none."""
    whole = content
    if content.startswith(_JP2):
        content = content[max(0, content.find(_J2K + b"\xff\x51")) :]  # the codestream alone (PS3.5 A.4.4)
    j2k = content[:2] == _J2K
    if not j2k and content[:2] != _JPEG:
        return content
    segments, at = header_of(content)
    made_of = _j2k_segment if j2k else _jpeg_segment
    kept = [content[:2], *(made_of(marker, segment) for marker, segment in segments)]
    # Within coded data no marker but the last can be an end (ITU-T T.81 B.1.1.5, T.800 B.10.1).
    end = content.find(_END, at)
    rest = content[at : end + 2] if end >= 0 else content[at:]
    made = b"".join((*kept, rest))
    return whole if made == whole.rstrip(b"\0") or made == whole else made


def header_of(content: bytes) -> tuple[Segments, int]:
    """The segments of a JPEG or JPEG 2000 codestream before its first scan or tile, and where they end."""
    last = _TILE if content[:2] == _J2K else _SCAN
    segments, at = [], 2
    while content[at : at + 1] == b"\xff" and at + 4 <= len(content) and content[at + 1] != last:
        if content[at + 1] == 0xFF:  # ITU-T T.81 B.1.1.2: a fill byte
            at += 1
            continue
        if content[at + 1] in _WITHOUT_LENGTH:
            break
        after = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segments.append((content[at + 1], content[at:after]))
        at = after
    return segments, at


def _j2k_segment(marker: int, segment: bytes) -> bytes:
    return b"" if marker == _J2K_COMMENT else segment


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    if marker == JFIF and segment[4:9] == b"JFIF\0" and len(segment) > 2 + _JFIF_LENGTH:
        return b"\xff\xe0\x00\x10" + segment[4:16] + b"\0\0"  # without its thumbnail
    if marker == JFIF and segment[4:9] != b"JFIF\0":
        return b""
    if marker == _COMMENT or (marker in APPLICATIONS and marker not in (JFIF, _SPIFF, ADOBE)):
        return b""
    return segment
