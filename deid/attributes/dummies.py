"""Values without meaning that are legal for their VR, and minimal valid items (PS3.15 Table E.1-1a, action D).

All of it is ASCII, which every character set of PS3.3 C.12.1.1.2 can encode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.part10.encoding import encode, encode_items

if TYPE_CHECKING:
    from deid.part10.encoding import Encoding

WORD: Final = "ANONYMIZED"

VALUES: Final[dict[str, bytes]] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), WORD.encode()),
    "AS": b"000Y",
    "DA": b"19000101",
    "DT": b"19000101000000",
    "TM": b"000000",
    "DS": b"0",
    "IS": b"0",
    "UR": b"http://anonymized.invalid/",
    **dict.fromkeys(("OB", "OW", "SS", "UN", "US"), b"\0" * 2),
    **dict.fromkeys(("AT", "FL", "OF", "OL", "SL", "UL"), b"\0" * 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), b"\0" * 8),
}

_SPECIAL: Final[dict[int, bytes]] = {
    0x00080201: b"+0000",  # Timezone Offset From UTC
    0x00100040: b"O",  # Patient's Sex: an enumerated value
    0x04000565: b"COERCE",  # Reason for the Attribute Modification: a defined term
}

_Spec = tuple[tuple[int, str, "str | bytes | _Spec"], ...]
_CODE: Final[_Spec] = ((0x00080100, "SH", "ANON"), (0x00080102, "SH", "99DEID"), (0x00080104, "LO", "Anonymized"))
_PERSON: Final[_Spec] = ((0x00080080, "LO", WORD), (0x00401101, "SQ", _CODE))
_OBSERVER: Final[_Spec] = (*_PERSON, (0x00080082, "SQ", ()), (0x0040A084, "CS", "PSN"))  # what RT asks for besides

_ITEMS: Final[dict[int, _Spec]] = {
    0x00081072: _OBSERVER,  # Operator Identification Sequence
    0x3006004E: _OBSERVER,  # ROI Interpreter Sequence
    0x00340001: ((0x00340002, "OB", b"\0\0"), (0x00340005, "OB", b"\0\0")),  # Flow Identifier Sequence
    0x0040A073: (  # Verifying Observer Sequence
        (0x0040A027, "LO", WORD),
        (0x0040A030, "DT", "19000101000000"),
        (0x0040A075, "PN", WORD),
        (0x0040A088, "SQ", ()),
    ),
    0x0040A730: (  # Content Sequence
        (0x0040A010, "CS", "CONTAINS"),
        (0x0040A040, "CS", "TEXT"),
        (0x0040A043, "SQ", ((0x00080100, "SH", "121106"), (0x00080102, "SH", "DCM"), (0x00080104, "LO", "Comment"))),
        (0x0040A160, "UT", WORD),
    ),
    0x0040B020: ((0x00700006, "ST", WORD), (0x0040A0B0, "US", b"\0\0\0\0")),  # Waveform Annotation Sequence
    0x00700001: (  # Graphic Annotation Sequence
        (0x00700002, "CS", WORD),
        (
            0x00700008,
            "SQ",
            (
                (0x00700004, "CS", "DISPLAY"),
                (0x00700006, "ST", WORD),
                (0x00700014, "FL", b"\0\0\0\0\0\0\0\0"),
                (0x00700015, "CS", "N"),
            ),
        ),
    ),
}


def value(tag: int, vr: str) -> bytes:
    """A dummy for any VR but UI and SQ."""
    return _SPECIAL.get(tag) or VALUES[vr]


def items(tag: int, encoding: Encoding) -> bytes:
    """The value of a sequence with one minimal item; a code item where nothing more is known about it."""
    return encode_items([_item(_ITEMS.get(tag, _CODE), encoding)], encoding)


def _item(spec: _Spec, encoding: Encoding) -> bytes:
    return b"".join(encode(tag, vr, _content(content, encoding), encoding) for tag, vr, content in sorted(spec))


def _content(content: str | bytes | _Spec, encoding: Encoding) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode("ascii")
    return encode_items([_item(content, encoding)], encoding) if content else b""
