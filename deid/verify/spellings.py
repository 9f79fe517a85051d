"""How else a name, an identifier or a date may be written: in other letters, another order, in one word."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from typing import Final

from deid.part10.charsets import decode

Words = tuple[bytes, ...]

_FOLD: Final = bytes(
    byte | 0x20 if 0x41 <= byte <= 0x5A else byte if bytes([byte]).isalnum() or byte >= 0x80 else 0x20
    for byte in range(256)
)
"""Lower case, and a space for everything that separates words."""

_TO_ASCII: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "å": "aa"})
_FROM_ASCII: Final = (("ae", "ä"), ("oe", "ö"), ("ue", "ü"))
_MONTHS: Final = b"january february march april may june july august september october november december".split()
_SHORTEST_WORD: Final = 3
_SHORTEST_PHRASE: Final = 4  # characters in all, also of an identifier
_SHORTEST_IN_ONE: Final = 5  # of what was several words: shorter ones may be any word
_CACHED: Final = 1 << 10


def words(value: bytes) -> list[bytes]:
    """The words of a text, in lower case as far as they are ASCII."""
    return value.translate(_FOLD).split()


def words_within(value: bytes) -> list[bytes]:
    """The words in binary data, where the bytes around a text belong to no word; long ones, others occur by chance."""
    return re.findall(rb"[0-9a-z]{5,}", value.translate(_FOLD))


@lru_cache(_CACHED)
def of_name(value: bytes, character_set: str) -> tuple[Words, ...]:
    """Words and phrases that name the person of a PN value: each part of the name, and the whole in any order."""
    found: dict[Words, None] = {}
    for variant in _variants(value, character_set):
        for text in variant.replace(b"=", b"\\").split(b"\\"):
            if b"\x1b" in text:  # the bytes of an ISO 2022 escape are no words on their own
                if len(text) > 2 * _SHORTEST_PHRASE:
                    found[tuple(words(text))] = None
                continue
            parts = [words(part) for part in text.split(b"^")]
            whole = [word for part in parts for word in part]
            found.update(dict.fromkeys((word,) for word in whole if _is_telling(word)))
            family, given = parts[0], parts[1] if len(parts) > 1 else []  # PS3.5 6.2.1
            for order in (whole, whole[::-1], family + given, given + family):
                if len(order) > 1 and sum(map(len, order)) >= _SHORTEST_PHRASE:
                    found[tuple(order)] = None
            for part in (family, given, family + given, given + family):
                if len(part) > 1 and len(in_one := b"".join(part)) >= _SHORTEST_IN_ONE:
                    found[in_one,] = None
    return tuple(found)


def _is_telling(word: bytes) -> bool:
    if word[0] >= 0x80:
        return len(word) > 1
    return len(word) >= _SHORTEST_WORD and not word.isdigit()


def _variants(value: bytes, character_set: str) -> set[bytes]:
    """A name as it is, with and without accents, in the letters and encodings it may have been copied to."""
    if value.isascii():
        text = value.decode("ascii").lower()
        written = {text}
        for plain, letter in _FROM_ASCII:
            text = text.replace(plain, letter)
        if text.isascii():
            return {value}
        written |= {text, text.upper()}
    else:
        text = decode(value, character_set)
        lower = text.lower()
        bare = "".join(letter for letter in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(letter))
        written = {text, lower, text.upper(), lower.translate(_TO_ASCII), unicodedata.normalize("NFC", bare)}
    found = {value}
    for text in written:
        found.add(text.encode("utf-8", "replace"))
        with suppress(UnicodeEncodeError):  # not a Latin text, so nobody can have copied it as one
            found.add(text.encode("latin-1"))
    return found


@lru_cache(_CACHED)
def of_identifier(text: bytes) -> tuple[Words, ...]:
    """An identifier as it is, without the issuer that HL7 puts behind it, without separators or leading zeros."""
    whole = tuple(words(text))
    found = {whole: None, tuple(words(text.partition(b"^")[0])): None}
    in_one = b"".join(whole)
    if any(48 <= byte <= 57 for byte in in_one):
        found.update(dict.fromkeys((form,) for form in (in_one, in_one.lstrip(b"0")) if len(form) > _SHORTEST_IN_ONE))
    return tuple(form for form in found if sum(map(len, form)) >= _SHORTEST_PHRASE)


@lru_cache(_CACHED)
def of_date(day: bytes) -> tuple[tuple[bytes, ...], tuple[tuple[Words, int], ...]]:
    """A day YYYYMMDD in other orders: eight digits each, and phrases, each with the place of its year."""
    year, month, date = day[:4], day[4:6], day[6:]
    last: dict[Words, None] = {}
    for number, which in ((date, month), (date.lstrip(b"0"), month.lstrip(b"0"))):
        last.update(dict.fromkeys(((number, which), (which, number))))
        if 1 <= int(month) <= len(_MONTHS):
            name = _MONTHS[int(month) - 1]
            last.update(dict.fromkeys(((number, name), (name, number), (number, name[:3]), (name[:3], number))))
    phrases = [((year, month, date), 0), *(((*two, year), 2) for two in last)]
    return (day, date + month + year, month + date + year), tuple(phrases)
