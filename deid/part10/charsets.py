"""Text values in their Specific Character Set (PS3.3 C.12.1.1.2), decoded to compare them; never to write them."""

from __future__ import annotations

from typing import Final

_CODECS: Final = {
    "": "latin-1",
    "ISO_IR 6": "latin-1",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis-620",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}


def decode(value: bytes, specific_character_set: str) -> str:
    """The text of a value; what its character set does not define is replaced, never an error."""
    if b"\x1b" in value:
        for escape, codec in ((b"\x1b$)C", "euc_kr"), (b"\x1b$)A", "gb2312")):
            if escape in value:
                return value.replace(escape, b"").decode(codec, "replace")
        return value.decode("iso2022_jp_2", "replace")
    term = (
        specific_character_set.split("\\", maxsplit=1)[0]
        .strip(" \0")
        .replace("ISO 2022 IR", "ISO_IR")
        .replace("ISO-IR", "ISO_IR")
    )
    return value.decode(_CODECS.get(term, "latin-1"), "replace")
