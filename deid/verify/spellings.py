"""How else a name, an identifier or a date may be written: in other letters, another order, in one word.

Words are bytes of plain text: in lower case, in UTF-8. Scripts that separate no words are searched for as they run on.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.part10.charsets import readings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Words = tuple[bytes, ...]


class Spellings(NamedTuple):
    """Forms of words, and texts without spaces in scripts that need none, each with its parts."""

    forms: tuple[Words, ...]
    unspaced: tuple[tuple[str, Words], ...]
    foreign: tuple[str, ...]  # the single ones of both with other letters than those of ASCII


def _spellings(forms: Collection[Words], running: Iterable[tuple[str, ...]]) -> Spellings:
    unspaced = tuple(("".join(parts), tuple(part.encode() for part in parts)) for parts in running)
    single = [form[0].decode() for form in forms if len(form) == 1 and not form[0].isascii()]
    return Spellings(tuple(forms), unspaced, tuple(dict.fromkeys((*single, *(text for text, _ in unspaced)))))


_FOLD: Final = bytes(
    byte | 0x20 if 0x41 <= byte <= 0x5A else byte if bytes([byte]).isalnum() or byte >= 0x80 else 0x20
    for byte in range(256)
)
"""Lower case, and a space for everything that separates words."""

_SPACED: Final = "0-9a-z\u00aa-\u058f\u1e00-\u1fff"  # letters of the Latin, Greek, Cyrillic and Armenian scripts
_WORD: Final = re.compile(rf"[{_SPACED}]+|[^\W_{_SPACED}]+")
_UNSPACED: Final = re.compile(rf"[^\W_{_SPACED}]+")
_TO_ASCII: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "å": "aa"})
_FROM_ASCII: Final = (("ae", "ä"), ("oe", "ö"), ("ue", "ü"))
_SHORT_MONTHS: Final = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_SHORTEST_WORD: Final = 3
_SHORTEST_UNSPACED: Final = 2
_SHORTEST_UNSPACED_PLACE: Final = 4
_SHORTEST_PHRASE: Final = 4  # characters in all, also of an identifier
_SHORTEST_IN_ONE: Final = 5  # of what was several words: shorter ones may be any word
_SHORTEST_NUMBER: Final = 6  # digits of an identifier that stand for all of it
_CACHED: Final = 1 << 10


def words(value: bytes) -> list[bytes]:
    """The words of a text, in lower case as far as they are ASCII."""
    return value.translate(_FOLD).split()


def words_within(value: bytes) -> list[bytes]:
    """The words in binary data, where the bytes around a text belong to no word; long ones, others occur by chance."""
    return re.findall(rb"[0-9a-z]{5,}", value.translate(_FOLD))


def plain(text: str) -> str:
    """Words in lower case with one space between them, whatever their width, and where their script changes."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def unspaced(text: str) -> str:
    """What a plain text says in scripts that separate no words, without spaces."""
    return "".join(_UNSPACED.findall(text))


@lru_cache(_CACHED)
def of_name(value: bytes, character_set: str) -> Spellings:
    """Words and phrases that name the person of a PN value: each part of the name, and the whole in any order."""
    forms: dict[Words, None] = {}
    running: dict[tuple[str, ...], None] = {}
    for text in readings(value, character_set):
        for written in _variants(text):
            for person in re.split(r"[=\\]", written):
                parts = [plain(part) for part in person.split("^")]
                forms.update(dict.fromkeys(_forms([part.encode().split() for part in parts])))
                running.update(dict.fromkeys(_unspaced_forms(parts)))
    return _spellings(forms, running)


def _forms(parts: list[list[bytes]]) -> list[Words]:
    """Words and phrases of one person's name, from the components of the name."""
    whole = [word for part in parts for word in part]
    family, given = parts[0], parts[1] if len(parts) > 1 else []  # PS3.5 6.2.1
    orders = [part for part in (whole, whole[::-1], family + given, given + family) if len(part) > 1]
    in_one = [b"".join(part) for part in (family, given, family + given, given + family) if len(part) > 1]
    return [
        *((word,) for word in whole if _is_telling(word)),
        *(tuple(order) for order in orders if sum(map(len, order)) >= _SHORTEST_PHRASE),
        *((word,) for word in in_one if len(word) >= _SHORTEST_IN_ONE),
    ]


def _unspaced_forms(parts: list[str]) -> list[tuple[str, ...]]:
    said = [part for part in map(unspaced, parts) if part]
    orders = (*((part,) for part in said), tuple(said), tuple(said[:2]), tuple(said[1::-1]))
    return [order for order in orders if sum(map(len, order)) >= _SHORTEST_UNSPACED]


def _is_telling(word: bytes) -> bool:
    text = word.decode()
    return not text.isdigit() and len(text) >= (_SHORTEST_UNSPACED if unspaced(text) else _SHORTEST_WORD)


def _variants(text: str) -> set[str]:
    """A name as it is, with and without accents, in the letters it may have been copied to."""
    if text.isascii():
        other = text.lower()
        for letters, letter in _FROM_ASCII:
            other = other.replace(letters, letter)
        return {text, other}
    lower = text.lower()
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(letter))
    return {text, lower, text.upper(), lower.translate(_TO_ASCII), unicodedata.normalize("NFC", bare)}


@lru_cache(_CACHED)
def of_place(text: bytes) -> Spellings:
    """A place as it is: one of its values, in UTF-8."""
    said = plain(text.decode())
    running = unspaced(said)
    form = tuple(said.encode().split())
    return _spellings([form] if form else [], [(running,)] if len(running) >= _SHORTEST_UNSPACED_PLACE else [])


def values_of(value: bytes, character_sets: Iterable[str]) -> list[bytes]:
    """Each value of an element, in UTF-8: in some character sets a backslash may be half of a letter."""
    if not is_foreign(value):
        return value.split(b"\\")
    read = {reading: None for character_set in character_sets for reading in readings(value, character_set)}
    said = [unicodedata.normalize("NFKC", reading).casefold() for reading in read]
    return [text.encode() for reading in said for text in reading.split("\\")]


def is_foreign(text: bytes) -> bool:
    """Whether there are other letters in a text than those of ASCII."""
    return not text.isascii() or b"\x1b" in text


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
def numbers_of(text: bytes) -> tuple[bytes, ...]:
    """The digits of an identifier that stand for it where no letters can: in a UID."""
    found = [number.lstrip(b"0") for number in (*re.findall(rb"[0-9]+", text), re.sub(rb"[^0-9]+", b"", text))]
    return tuple(number for number in dict.fromkeys(found) if len(number) >= _SHORTEST_NUMBER)


@lru_cache(_CACHED)
def of_date(day: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[tuple[Words, int], ...]]:
    """A day YYYYMMDD in other orders: eight digits, one word, and phrases, each with the place of its year."""
    year, month, date = day[:4], day[4:6], day[6:]
    last: dict[Words, None] = {}
    in_one: dict[bytes, None] = {}
    for number, which in product((date, date.lstrip(b"0")), (month, month.lstrip(b"0"))):
        last.update(dict.fromkeys(((number, which), (which, number))))
        if 1 <= int(which) <= len(_SHORT_MONTHS):
            name = _SHORT_MONTHS[int(which) - 1]
            in_one.update({number + name + year: None, year + name + number: None})
    first = [(year, *two) for two in last if two[1] in (date, date.lstrip(b"0"))]
    phrases = [*((three, 0) for three in first), *(((*two, year), 2) for two in last)]
    return (day, date + month + year, month + date + year), tuple(in_one), tuple(phrases)


@lru_cache(_CACHED)
def with_short_year(day: bytes) -> tuple[tuple[Words, int], ...]:
    """A day YYYYMMDD with two digits for its year, which may be other numbers too: for birth dates alone."""
    year, month, date = day[2:4], day[4:6], day[6:]
    return ((year, month, date), 0), ((month, date, year), 2), ((date, month, year), 2)
