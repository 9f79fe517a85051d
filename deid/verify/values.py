"""What must not survive: the identifying values of one original, in all their spellings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.attributes import dummies
from deid.attributes.uids import values_of
from deid.part10.charsets import encodings
from deid.profile import identifying
from deid.standard.uids import is_registered
from deid.verify import spellings
from deid.verify.spellings import words as words_of

if TYPE_CHECKING:
    from deid.verify.spellings import Spellings, Words

PATIENT_GROUP: Final = 0x0010
ACCESSION_NUMBER: Final = 0x00080050
_SHORTEST_PLACE: Final = 5
_SHORTEST_NUMBER: Final = 6  # digits: shorter ones are any number
SHORTEST_IN_PARTS: Final = 6  # of a word that a text writes in several: shorter ones may be any words

OUR_WORDS: Final = frozenset(
    words_of(
        b" ".join(
            (
                *dummies.VALUES.values(),
                b"deid gateway ps3 15 basic profile option retain clean unknown none",
                b"anon anonym anonymous anonymised anonymized anonymize de identified deidentified",
                b"redacted removed withheld",
                *(b"x" * length for length in range(1, 65)),
            )
        )
    )
)
"""What this project writes, and what stands in for a value that somebody has removed before."""


def days_of(value: bytes) -> list[bytes]:
    """The days in the value of a DA or DT, as YYYYMMDD."""
    days = [text.strip()[:8] for text in value.replace(b".", b"").split(b"\\")]
    return [day for day in days if len(day) == 8 and day.isdigit()]


@dataclass(slots=True)
class Identifying:
    """Words and phrases, dates and UIDs, each with the attribute it comes from.

    A phrase is found by one of its words (of a date: the year), and comes with the place of that word.
    """

    words: dict[bytes, int] = field(default_factory=dict)
    phrases: dict[bytes, list[tuple[Words, int, int]]] = field(default_factory=lambda: defaultdict(list))
    unspaced: dict[str, tuple[Words, int]] = field(default_factory=dict)
    dates: dict[bytes, int] = field(default_factory=dict)
    uids: dict[str, int] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)  # for kept UIDs, which hold nothing but numbers
    character_sets: tuple[str, ...] = ("",)  # of the data set and its items; which one a value is in, its bytes show
    kept: frozenset[int] = frozenset()
    doubtful: set[bytes] = field(default_factory=set)  # words that may be any other number as well
    cores: set[bytes] = field(default_factory=set)  # one of these stands in all letters of a text that says a word
    foreign: set[str] = field(default_factory=set)  # words and texts without spaces that are not of ASCII letters

    _in_binary: dict[bool, dict[str, list[bytes]]] = field(default_factory=dict)
    _beginnings: set[bytes] = field(default_factory=set)

    def add(self, kind: str, tag: int, value: bytes) -> None:
        """Take up the values of one element of the original."""
        if tag in self.kept or not value:
            return
        if kind == identifying.UID:
            for uid in values_of(value):
                if uid and not is_registered(uid):
                    self.uids[uid] = tag
        elif kind == identifying.DATE:
            self._dates(tag, value)
        elif kind == identifying.NAME:
            self._name(tag, value)
        else:
            for text in spellings.values_of(value, self.character_sets):
                if kind == identifying.IDENTIFIER:
                    self._identifier(text, tag)
                elif len(text) >= _SHORTEST_PLACE:
                    self._spellings(spellings.of_place(text), tag)

    def in_binary(self, *, as_ascii: bool = False) -> dict[str, list[bytes]]:
        """How words that are not of ASCII letters may stand in binary data; as if they were ASCII: in UTF-16, a few."""
        if not self._in_binary:
            for word in self.foreign:
                forms = list(dict.fromkeys(form for each in self.character_sets for form in encodings(word, each)))
                self._in_binary.setdefault(False, {})[word] = forms
                if like_ascii := [form for form in forms if form.isascii()]:
                    self._in_binary.setdefault(True, {})[word] = like_ascii
        return self._in_binary.get(as_ascii, {})

    def beginnings(self) -> set[bytes]:
        """How long words begin, which a text may write in several."""
        if not self._beginnings:
            long = [word for word in self.words if len(word) >= SHORTEST_IN_PARTS]
            self._beginnings = {word[:end] for word in long for end in range(1, len(word))}
        return self._beginnings

    def whole_numbers(self) -> dict[bytes, int]:
        """Identifiers and dates that are a number of some length, as a numeric value would hold them."""
        long = [word for word in self.words if word.isdigit() and len(word) >= _SHORTEST_NUMBER]
        return {**{word: self.words[word] for word in long if word not in self.doubtful}, **self.dates}

    def _name(self, tag: int, value: bytes) -> None:
        for character_set in self.character_sets:
            self._spellings(spellings.of_name(value, character_set), tag)

    def _identifier(self, text: bytes, tag: int) -> None:
        self._forms(spellings.of_identifier(text), tag)
        if tag >> 16 == PATIENT_GROUP or tag == ACCESSION_NUMBER:
            numbers = dict.fromkeys(spellings.numbers_of(text), tag)
            self.numbers.update(numbers)
            self._doubtful(numbers)

    def _dates(self, tag: int, value: bytes) -> None:
        for day in days_of(value):
            if day in dummies.VALUES.values():
                continue
            of_patient = tag >> 16 == PATIENT_GROUP
            if day not in self.dates or of_patient:
                digits, in_one, phrases = spellings.of_date(day)
                self.dates.update(dict.fromkeys(digits, tag))
                self.words.update(dict.fromkeys(in_one, tag))
                self.cores.add(day[:4])
                if of_patient:
                    self.numbers.update(dict.fromkeys(digits, tag))
                    short, in_parts = spellings.of_birth(day)
                    self._doubtful(dict.fromkeys(short, tag))
                    phrases += in_parts
                for phrase, place in phrases:
                    self.phrases[phrase[place]].append((phrase, place, tag))

    def _spellings(self, found: Spellings, tag: int) -> None:
        self._forms(found.forms, tag)
        for running, parts in found.unspaced:
            self.unspaced[running] = (parts, tag)
        self.foreign.update(found.foreign)

    def _doubtful(self, words: dict[bytes, int]) -> None:
        new = words.keys() - self.words.keys()
        self.doubtful |= new
        self.cores |= new
        self.words.update((word, words[word]) for word in new)

    def _forms(self, forms: tuple[Words, ...], tag: int) -> None:
        self.cores.update(spellings.cores_of(forms))
        for form in forms:
            if OUR_WORDS.issuperset(form):
                continue
            if len(form) > 1:
                self.phrases[form[0]].append((form, 0, tag))
            elif self.words.get(form[0], 0) >> 16 != PATIENT_GROUP or form[0] in self.doubtful:
                self.words[form[0]] = tag  # others may bear the name of the patient
                self.doubtful.discard(form[0])
