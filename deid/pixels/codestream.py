"""What a compressed frame says of its form, and what it holds besides its pixels: comments, EXIF, thumbnails, tails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.pixels.segments import FRAMES, TILE_PARTS, is_full, tell_lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pixels.segments import Segments

_JP2: Final = b"\0\0\0\x0cjP  "
_COLOURS: Final = (b"pclr", b"cmap", b"cdef")  # boxes of a palette, and of which component is which colour
_END: Final = b"\xff\xd9"
_JPEG, _J2K, _SCAN = b"\xff\xd8", b"\xff\x4f", b"\xff\xda"
_SIZE: Final = 0x51
_HIGH_THROUGHPUT, _STYLE, _WAVELET = 0x50, 0x52, 13  # the last is a place in the segment before it
_ENDS: Final = {_JPEG: (0xDA,), _J2K: (0x90, 0x93)}  # of headers: scans; tile-parts, and the data in them
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_PREDICTED: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF, 0xF7})  # lossless; F7 of JPEG-LS, near-lossless as well
_JPEG_LS_FRAME: Final = 0xF7
_JPEG_KEPT: Final = FRAMES | {0xC4, 0xDB, 0xDC, 0xDD, 0xF8}  # tables, lines, restarts; LSE of JPEG-LS
_J2K_KEPT: Final = frozenset({*range(0x50, 0x54), TILE_PARTS, 0x58, *range(0x5C, 0x62), 0x63})
"""What ITU-T T.81, T.87, T.800 and T.814 know and decoders read, without comments; the rest they pass over."""
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xDA)})  # ITU-T T.81 B.1.1.3; none belongs into a header
_NEXT: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # in coded data: no stuffed byte, restart or fill byte
APPLICATIONS: Final = range(0xE0, 0xF0)
JFIF, _SPIFF, ADOBE = 0xE0, 0xE8, 0xEE  # these tell how colours are coded
_SIGNED: Final = {
    JFIF: ((b"JFIF\0", 14),),  # ITU-T T.871 10.1, without a thumbnail
    _SPIFF: (
        (b"SPIFF\0", 30),  # ITU-T T.84 F.2.1
        (b"\0\0\0\1\xff\xd8", 6),  # and the end of its directory
        (b"mrfx", 5),  # a colour transform that the authors of JPEG-LS have added
    ),
    ADOBE: ((b"Adobe", 12),),  # ITU-T T.872 6.5.3
}
"""How segments of application data begin that decoders need, and how long they are; more tells nothing of pixels."""


def without_comments(content: bytes) -> bytes:
    """One frame without comments and application data, but for those that decoders need; the same bytes if none.

    Raises Rejected where a comment cannot be taken out.
    """
    whole = content
    content = _codestream_of(content)
    made = _bare_j2k(content) if content[:2] == _J2K else _bare_jpeg(content)
    return whole if made == whole or made == whole.rstrip(b"\0") else made


def form_of(content: bytes) -> tuple[int, int, int, int]:
    """Rows, columns, components and bits of each that one frame says it has, which other programs believe.

    Raises Rejected where it says more than one thing.
    """
    content = _codestream_of(content)
    segments, at = header_of(content)
    if content[:2] == _J2K:
        return _j2k_form(segments)
    frames = [segment for marker, segment in segments if marker in FRAMES]
    if len(frames) != 1 or len(frames[0]) < 10:
        raise _damaged()
    (frame,) = frames
    _refuse_what_decoders_differ_in(frame[1], [_scan_header(scan) for scan, _, _ in _scans(content, at)])
    return int.from_bytes(frame[5:7], "big"), int.from_bytes(frame[7:9], "big"), frame[9], frame[4]


def lossy_method(content: bytes) -> str:
    """How a frame was compressed with loss, as Lossy Image Compression Method says it (PS3.3 C.7.6.1.1.5.1).

    "" where it was not, and where nothing in it tells.
    """
    content = _codestream_of(content)
    segments, at = header_of(content)
    found = dict(segments)
    if content[:2] == _J2K:
        irreversible = found.get(_STYLE, b"")[_WAVELET:][:1] == b"\0"
        return ("ISO_15444_15" if _HIGH_THROUGHPUT in found else "ISO_15444_1") if irreversible else ""
    if _JPEG_LS_FRAME in found:
        near = _scan_header(content[at:])[-3:-2]
        return "ISO_14495_1" if near > b"\0" else ""
    return "" if _PREDICTED & found.keys() else "ISO_10918_1"


def _j2k_form(segments: Segments) -> tuple[int, int, int, int]:
    """ITU-T T.800 A.5.1: the first segment; components may differ in size and depth there, but not in DICOM."""
    marker, size = segments[0] if segments else (0, b"")
    if marker != _SIZE or len(size) < 43 or [marker for marker, _ in segments].count(_SIZE) > 1:
        raise _damaged()
    columns, rows, left, top = (int.from_bytes(size[at : at + 4], "big") for at in range(6, 22, 4))
    components = int.from_bytes(size[38:40], "big")
    said = {size[at : at + 3] for at in range(40, len(size), 3)}
    if len(size) != 40 + 3 * components or len(said) > 1 or size[41:43] != b"\1\1":
        raise Rejected("the components of a frame are not alike")
    return rows - top, columns - left, components, (size[40] & 0x7F) + 1


def _codestream_of(content: bytes) -> bytes:
    """A frame without the boxes that JP2 has around it (PS3.5 A.4.4). Raises Rejected for what is none."""
    if content.startswith(_JP2):
        content = _unboxed(content)
    if content[:2] not in (_J2K, _JPEG):
        raise _damaged()
    return content


def _unboxed(content: bytes) -> bytes:
    """The first codestream in the boxes of a JP2 file (ITU-T T.800 I.4)."""
    at = 0
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        value, after = at + 8, at + length if length else len(content)
        if length == 1:
            value, after = at + 16, at + int.from_bytes(content[at + 8 : at + 16], "big")
        if kind == b"jp2c":
            return content[value:after]
        if kind == b"jp2h" and any(box in content[value:after] for box in _COLOURS):
            raise Rejected("a JPEG 2000 frame has colours of its own beside those of its object")
        if after < value:
            break
        at = after
    raise _damaged()


def header_of(content: bytes, at: int = 2) -> tuple[Segments, int]:
    """The segments of a JPEG or JPEG 2000 codestream before its next scan, tile or data, and where they end."""
    last = _ENDS[_J2K if content[:2] == _J2K else _JPEG]
    segments = []
    while content[at : at + 1] == b"\xff" and at + 4 <= len(content) and content[at + 1] not in last:
        if content[at + 1] == 0xFF:  # ITU-T T.81 B.1.1.2: a fill byte
            at += 1
            continue
        if content[at + 1] in _WITHOUT_LENGTH:
            break
        after = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segments.append((content[at + 1], content[at:after]))
        at = after
    return segments, at


def _bare_jpeg(content: bytes) -> bytes:
    segments, at = header_of(content)
    if content[at : at + 2] != _SCAN or [marker in FRAMES for marker, _ in segments].count(True) != 1:
        raise _damaged()
    kept = [content[:2], *(_jpeg_segment(marker, segment) for marker, segment in segments)]
    for scan, segments, after in _scans(content, at):
        kept.append(scan)
        at = after
        if any(marker in FRAMES for marker, _ in segments):
            raise Rejected("a frame is made of several, and nobody would look at each of them")
        kept += [_jpeg_segment(marker, segment) for marker, segment in segments]
    kept.append(_end_of(content[at:]))
    return b"".join(kept)


def _scans(content: bytes, at: int) -> Iterator[tuple[bytes, Segments, int]]:
    """The scans of a JPEG frame with their data, the segments behind each, and where these end."""
    while content[at : at + 2] == _SCAN:
        # Within coded data no marker but the next can begin so (ITU-T T.81 B.1.1.5, T.87 A.1).
        found = _NEXT.search(content, at + 2 + int.from_bytes(content[at + 2 : at + 4], "big"))
        end = found.start() if found else len(content)
        segments, after = header_of(content, end)
        yield content[at:end], segments, after
        at = after


def _scan_header(scan: bytes) -> bytes:
    """Of its components, two bytes each, and three of parameters (ITU-T T.81 B.2.3, T.87 C.2.3)."""
    return scan[5 : 2 + int.from_bytes(scan[2:4], "big")]


def _refuse_what_decoders_differ_in(frame: int, scans: list[bytes]) -> None:
    """One decoder takes the first scan of a component, another the last, and hardly any shifts values back rightly."""
    if frame in _PREDICTED and any(scan[-1:] and scan[-1] & 15 for scan in scans):
        raise Rejected(
            "the values of a frame are shifted (point transform), and decoders differ in what they make of it"
        )
    components = [component for scan in scans for component in scan[:-3:2]]
    if frame not in _PROGRESSIVE and len(set(components)) < len(components):
        raise Rejected("a frame shows one component twice, and decoders differ in which one they take")


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    if marker in _JPEG_KEPT:
        if not is_full(marker, segment):
            raise Rejected("a segment of a JPEG frame is not as long as it should be, and may say anything")
        return segment
    for name, length in _SIGNED.get(marker, ()):
        if segment[4:].startswith(name):
            value = segment[4 : 4 + length]
            if marker == JFIF and len(segment) > 4 + length:
                value = value[:-2] + b"\0\0"  # the size of the thumbnail
            return segment[:2] + (len(value) + 2).to_bytes(2, "big") + value
    return b""


def _bare_j2k(content: bytes) -> bytes:
    segments, at = header_of(content)
    lengths = []
    kept: list[bytes] = []
    while content[at : at + 2] == b"\xff\x90":  # ITU-T T.800 A.4.2: tile-parts, which tell how long they are
        length = int.from_bytes(content[at + 6 : at + 10], "big")
        if any(marker not in _J2K_KEPT for marker, _ in header_of(content, at + 12)[0]):
            raise Rejected("a comment stands in a tile of a JPEG 2000 frame")
        if length < 14:  # 0: all that is left; in its data no other marker can be (ITU-T T.800 B.10.1)
            end = content.find(_END, at + 12)
            length = (end if end >= 0 else len(content)) - at
        kept.append(content[at : at + length])
        lengths.append((content[at + 4 : at + 6], length))
        at += length
    dropped = set() if tell_lengths(segments, lengths) else {TILE_PARTS}
    header = (segment for marker, segment in segments if marker in _J2K_KEPT - dropped)
    return b"".join((content[:2], *header, *kept, _end_of(content[at:])))


def _end_of(rest: bytes) -> bytes:
    """The end of a codestream, instead of whatever stands there; nothing where a writer forgot it."""
    return _END if rest.strip(b"\0") else b""


def _damaged() -> Rejected:
    return Rejected("a JPEG or JPEG 2000 frame is damaged")
