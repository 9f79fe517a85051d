"""How else a name, an identifier or a date may be written: in other letters, another order, in one word.

Words are bytes of plain text: in lower case, in UTF-8. Scripts that separate no words are searched for as they run on.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.part10.charsets import readings
from deid.verify.letters import LETTERS, bare, in_ascii

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Words = tuple[bytes, ...]
_CACHED: Final = 1 << 10


class Spellings(NamedTuple):
    """Forms of words, and texts without spaces in scripts that need none, each with its parts."""

    forms: tuple[Words, ...]
    unspaced: tuple[tuple[str, Words], ...]
    foreign: tuple[str, ...]  # the single ones of both with other letters than those of ASCII


def _spellings(forms: Collection[Words], running: Iterable[tuple[str, ...]]) -> Spellings:
    unspaced = tuple(("".join(parts), tuple(part.encode() for part in parts)) for parts in running)
    foreign = [
        core.decode() for core in cores_of(tuple(form for form in forms if len(form) == 1)) if not core.isascii()
    ]
    return Spellings(tuple(forms), unspaced, tuple(dict.fromkeys((*foreign, *(text for text, _ in unspaced)))))


@lru_cache(_CACHED)
def cores_of(forms: tuple[Words, ...]) -> tuple[bytes, ...]:
    """Of the first words of these forms those that hold no other: where none of these stands, no form does."""
    first = {form[0] for form in forms}
    return tuple(word for word in first if not any(other in word for other in first if other is not word))


_FOLD: Final = bytes(
    byte | 0x20 if 0x41 <= byte <= 0x5A else byte if bytes([byte]).isalnum() or byte >= 0x80 else 0x20
    for byte in range(256)
)
"""Lower case, and a space for everything that separates words."""

_SPACED: Final = f"0-9a-z{LETTERS}"
_WORD: Final = re.compile(rf"[{_SPACED}]+|[^\W_{_SPACED}]+")
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufeff"))
"""What may stand within a word, and nobody sees: places to break it at, joiners, a mark of the byte order."""
_UNSPACED: Final = re.compile(rf"[^\W_{_SPACED}]+")
_BOUNDARY: Final = re.compile(
    rb"(?<=[a-z\x80-\xff])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z\x80-\xff])|(?<=[A-Z])(?=[0-9]|[A-Z][a-z])"
)
_SEPARATORS: Final = bytes(byte for byte in range(128) if not bytes([byte]).isalnum())
_NO_NUMBER: Final = re.compile(rb"[^0-9 ()+./-]")
_FROM_ASCII: Final = (("ae", "ä"), ("oe", "ö"), ("ue", "ü"))
_SHORT_MONTHS: Final = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_SHORTEST_WORD: Final = 3
_SHORTEST_UNSPACED: Final = 2
_SHORTEST_UNSPACED_PLACE: Final = 4
_SHORTEST_PHRASE: Final = 4  # characters in all, also of an identifier
_SHORTEST_IN_ONE: Final = 5  # of what was several words: shorter ones may be any word
_SHORTEST_WITH_INITIAL: Final = 6  # an initial and a name: shorter ones may be any word
_SHORTEST_NUMBER: Final = 6  # digits of an identifier that stand for all of it
_UID: Final = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")


def words(value: bytes) -> list[bytes]:
    """The words of a text, in lower case as far as they are ASCII."""
    return value.translate(_FOLD).split()


def words_within(value: bytes) -> list[bytes]:
    """The words in binary data, where the bytes around a text belong to no word; long ones, others occur by chance."""
    return re.findall(rb"[0-9a-z]{5,}", value.translate(_FOLD))


def pieces_of(value: bytes) -> list[bytes]:
    """The words of a text, also where a capital, a digit or a letter behind digits begins one."""
    return words(_BOUNDARY.sub(b" ", value))


def in_one(value: bytes) -> bytes:
    """All letters and digits of a text in one word; those that are not of ASCII as they are."""
    return value.translate(_FOLD, _SEPARATORS)


def plain(text: str) -> str:
    """Words in lower case with one space between them, whatever their width, and where their script changes."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()))


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
    family, given, middle = (*parts, [], [])[:3]  # PS3.5 6.2.1
    both = given + middle
    orders = [
        whole,
        whole[::-1],
        *(order for names in (given, middle, both) for order in (family + names, names + family)),
    ]
    together = [b"".join(part) for part in (family, given, *orders) if len(part) > 1]
    initial, name = b"".join(given).decode()[:1].encode(), b"".join(family)
    with_initial = [initial + name, name + initial] if initial else []
    return [
        *((word,) for word in whole if _is_telling(word)),
        *(tuple(order) for order in orders if len(order) > 1 and sum(map(len, order)) >= _SHORTEST_PHRASE),
        *((word,) for word in together if len(word) >= _SHORTEST_IN_ONE),
        *((word,) for word in with_initial if len(word) >= _SHORTEST_WITH_INITIAL),
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
        return {text, other, *in_ascii(other)}
    return {text, text.lower(), text.upper(), bare(text.lower()), *in_ascii(text)}


@lru_cache(_CACHED)
def of_place(text: bytes) -> Spellings:
    """A place as it is: one of its values, in UTF-8."""
    said = plain(text.decode())
    running = unspaced(said)
    form = tuple(said.encode().split())
    number = b"" if _NO_NUMBER.search(text) else b"".join(form)  # a telephone's
    forms = [each for each in (form, (number,)) if any(each)]
    return _spellings(forms, [(running,)] if len(running) >= _SHORTEST_UNSPACED_PLACE else [])


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
        shortest = _SHORTEST_IN_ONE + (not in_one.isdigit())
        found.update(dict.fromkeys((form,) for form in (in_one, in_one.lstrip(b"0")) if len(form) >= shortest))
    return tuple(form for form in found if sum(map(len, form)) >= _SHORTEST_PHRASE)


@lru_cache(_CACHED)
def numbers_of(text: bytes) -> tuple[bytes, ...]:
    """The digits of an identifier that stand for it where no letters can: in a UID.

    Not those of the issuer that HL7 puts behind it; and of a UID its last component, for many share the root of one.
    """
    text = text.partition(b"^")[0]
    parts = [uid.rpartition(b".")[2] for uid in _UID.findall(text)] or re.findall(rb"[0-9]+", text)
    found = [number.lstrip(b"0") for number in (*parts, re.sub(rb"[^0-9]+", b"", text))]
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
            in_one.update(dict.fromkeys((number + name + year, year + name + number, name + number + year)))
    first = [(year, *two) for two in last if two[1] in (date, date.lstrip(b"0"))]
    phrases = [*((three, 0) for three in first), *(((*two, year), 2) for two in last)]
    return (day, date + month + year, month + date + year), tuple(in_one), tuple(phrases)


@lru_cache(_CACHED)
def of_birth(day: bytes) -> tuple[tuple[bytes, ...], tuple[tuple[Words, int], ...]]:
    """A day YYYYMMDD as a number of the day in its year, and with two digits for its year: for birth dates alone.

    One word, and phrases as above. They may be other numbers too.
    """
    year, month, date = day[2:4], day[4:6], day[6:]
    phrases: dict[tuple[Words, int], None] = {}
    for number, which in product((date, date.lstrip(b"0")), (month, month.lstrip(b"0"))):
        for phrase, place in (((year, which, number), 0), ((which, number, year), 2), ((number, which, year), 2)):
            phrases[phrase, place] = None
    in_one = [year + month + date, month + date + year, date + month + year]
    if 1 <= int(month) <= len(_SHORT_MONTHS):
        in_one += [number + _SHORT_MONTHS[int(month) - 1] + year for number in (date, date.lstrip(b"0"))]
    with suppress(ValueError):
        of_year = datetime.strptime(day.decode(), "%Y%m%d").strftime("%j").encode()  # noqa: DTZ007 - a day, no moment
        in_one.append(day[:4] + of_year)
        phrases[(day[:4], of_year), 0] = None
    return tuple(in_one), tuple(phrases)
