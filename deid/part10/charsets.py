"""Text values in their Specific Character Set (PS3.3 C.12.1.1.2), decoded to compare them; never to write them."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CODECS: Final = {
    "": "ascii",
    "ISO_IR 6": "ascii",
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
_MANY_BYTES: Final = frozenset({"shift_jis", "gb18030", "gbk"})
_SHORTEST_IN_BINARY: Final = 4
_ESCAPE: Final = re.compile(rb"(\x1b[\x20-\x2f]+[\x30-\x7e])")
_SHIFTED: Final = {  # PS3.3 Table C.12-3: what follows an escape sequence, up to the next one
    b"\x1b(J": "shift_jis",
    b"\x1b)I": "shift_jis",
    b"\x1b-A": "latin-1",
    b"\x1b-B": "iso8859-2",
    b"\x1b-C": "iso8859-3",
    b"\x1b-D": "iso8859-4",
    b"\x1b-L": "iso8859-5",
    b"\x1b-G": "iso8859-6",
    b"\x1b-F": "iso8859-7",
    b"\x1b-H": "iso8859-8",
    b"\x1b-M": "iso8859-9",
    b"\x1b-b": "iso8859-15",
    b"\x1b-T": "tis-620",
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
}
_PAIRS: Final = frozenset({b"\x1b$B", b"\x1b$@", b"\x1b$(D"})  # JIS X 0208 and 0212: pairs of seven bits


def readings(value: bytes, specific_character_set: str) -> list[str]:
    """What a value may say: in its character set, in UTF-8 where senders do not declare it, in Latin-1 failing both."""
    codec = _codec(specific_character_set)
    if b"\x1b" in value:
        return [_shifted(value, codec)]
    if value.isascii() and codec not in _MANY_BYTES:
        return [value.decode("ascii")]
    unicode, own = _strictly(value, "utf-8"), _strictly(value, codec)
    if unicode is not None and codec not in _MANY_BYTES:
        return [unicode]  # by chance, text in one of the single-byte sets is never valid UTF-8
    return list(dict.fromkeys(text for text in (own, unicode) if text is not None)) or [value.decode("latin-1")]


@lru_cache(maxsize=1 << 10)
def encodings(text: str, specific_character_set: str) -> frozenset[bytes]:
    """How a word may stand in binary data, in small letters or capitals; none so short that chance would write it."""
    found = set()
    small = text.upper().lower()  # a sigma at the end of a word has a form of its own
    for written in {text, small, text.title(), small.title(), text.upper()}:
        for codec in ("utf-8", "utf-16-le", _codec(specific_character_set)):
            with suppress(UnicodeEncodeError):
                found.add(written.encode(codec))
    return frozenset(form for form in found if len(form) >= _SHORTEST_IN_BINARY)


def distinct(character_sets: Iterable[str]) -> tuple[str, ...]:
    """Of those in which the same bytes say the same, the last."""
    return tuple({_codec(each): each for each in character_sets}.values())


def _codec(specific_character_set: str) -> str:
    first = specific_character_set.split("\\", maxsplit=1)[0].strip(" \0")
    return CODECS.get(first.replace("ISO 2022 IR", "ISO_IR").replace("ISO-IR", "ISO_IR"), "latin-1")


def _strictly(value: bytes, codec: str) -> str | None:
    try:
        return value.decode(codec)
    except UnicodeDecodeError:
        return None


def _shifted(value: bytes, initial: str) -> str:
    """Text with code extensions (ISO 2022): what its escape sequences announce, in the set that each announces."""
    found = []
    escape = b""
    for part in _ESCAPE.split(value):
        if part[:1] == b"\x1b":
            escape = part
        elif escape in _PAIRS:
            found.append((escape + part).decode("iso2022_jp_2", "replace"))
        else:
            found.append(part.decode(_SHIFTED.get(escape, initial), "replace"))
    return "".join(found)
