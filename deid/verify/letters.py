"""Words in the letters of ASCII, as people copy them there: without accents, or from Cyrillic or Greek letters."""

# ruff: noqa: RUF001 - letters that look like those of ASCII are what this is about

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import Final

LETTERS: Final = (
    "\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u037d\u037f-\u0386\u0388-\u0559\u0560-\u0588\u1e00-\u1fff"
)
"""Letters beside those of ASCII in the Latin, Greek, Cyrillic and Armenian scripts, which separate their words.

Signs between them are none: what stands in guillemets or before a degree sign is a word of its own.
"""
_RUN: Final = re.compile(f"[a-z{LETTERS}]+")
_NO_ACCENT: Final = {"ł": "l", "ı": "i", "ð": "d", "þ": "th", "œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d"}
_LATIN: Final[tuple[dict[str, str], ...]] = ({}, {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "đ": "dj"})
_CYRILLIC: Final = {"ь": ""} | dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыэюяіїєґ",
        "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch ie y e iu ia i i ie g".split(),
        strict=True,
    )
)
"""As passports have them (ICAO 9303-3)."""
_CYRILLIC_OTHERWISE: Final = {"й": "y", "х": "h", "ю": "yu", "я": "ya", "ё": "yo", "щ": "sch", "є": "ye", "ъ": ""}
_GREEK: Final = str.maketrans(
    dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o".split(), strict=True))
)
_TABLES: Final = tuple(
    str.maketrans(_NO_ACCENT | latin | cyrillic)
    for latin, cyrillic in zip(_LATIN, (_CYRILLIC, _CYRILLIC | _CYRILLIC_OTHERWISE), strict=True)
)


def in_ascii(text: str) -> tuple[str, ...]:
    """A text in small letters, with its words as they are copied to ASCII; none where nothing changes."""
    lower = unicodedata.normalize("NFC", text.lower())
    found = [_RUN.sub(partial(_copied, table), lower) for table in _TABLES]
    return tuple(dict.fromkeys(each for each in found if each != lower))


def bare(text: str) -> str:
    """A text without the accents of its letters, in the script that it is in."""
    parts = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(letter for letter in parts if not unicodedata.combining(letter)))


def _copied(table: dict[int, str], run: re.Match[str]) -> str:
    if run[0].isascii():
        return run[0]
    return bare(run[0].translate(table)).replace("ου", "ou").translate(_GREEK)
