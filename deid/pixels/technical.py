"""Which lines of text say nothing of anybody: scales, settings of the device, marks of a side; and what else they are.

A list of what may stay let a patient called OB through. So a line stays only if all of it is known, and if nothing in
it is part of anything that identifies in the header: no word, no initials, no number.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

from deid.part10.charsets import readings
from deid.part10.texts import texts
from deid.profile.identifying import DATE, kind_of

if TYPE_CHECKING:
    from deid.part10.outline import Outline

_MARKS: Final = frozenset("LRAPHF")
"""Left, right, anterior, posterior, head, feet: each stands alone."""
_UNITS: Final = (
    "kVp kV mAs mA µAs µA uA msec ms sec s mm cm mm/s cm/s m/s kHz MHz Hz dB fps FPS bpm BPM mGycm mGy HU deg % ° T"
)
_LABELS: Final = (
    "TR TE TI FA FOV NEX NSA ETL BW THK Thk SL SP WW WL MI TIS TIB TIC FR DR PRF WF SV PWR Gain GAIN Depth DEPTH Zoom "
    "ZOOM Pitch PITCH Gap GAP Freq FREQ CTDIvol CTDI DLP kVp kV mAs mA"
)
_NUMBER: Final = r"[-+]?\d{1,5}(?:[.,]\d{1,3})?"


def _one_of(words: str) -> str:
    return "(?:" + "|".join(map(re.escape, sorted(words.split(), key=len, reverse=True))) + ")"


_SETTING: Final = (
    rf"(?:{_one_of(_LABELS)} ?[:=]? ?{_NUMBER} ?{_one_of(_UNITS)}?"
    rf"|{_NUMBER} ?{_one_of(_UNITS)}"
    rf"|W ?[:=]? ?{_NUMBER} ?[,/]? ?[LC] ?[:=]? ?{_NUMBER})"
)
_LINE: Final = re.compile(rf"{_SETTING}(?:(?: ?[,;/] ?| ){_SETTING})*")
_WORDS: Final = re.compile(r"[^\W\d_]+")
_NUMBERS: Final = re.compile(r"\d+")
_PATIENT: Final = 0x0010
_SHORT: Final = 2  # letters: too few to be searched for within words, and as many as initials have
_FEW: Final = 3  # digits: too few to be searched for within numbers


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies in one header: in small letters, without accents."""

    words: frozenset[str]
    initials: frozenset[str]
    values: tuple[str, ...]  # each in one word
    numbers: frozenset[str]  # each digit sequence, and all digits of a value in one, without leading zeros

    def holds_word(self, word: str) -> bool:
        """Whether a word is, or is part of, what identifies."""
        if len(word) <= _SHORT:
            return word in self.words or word in self.initials
        return any(word in value for value in self.values)

    def holds_number(self, digits: str) -> bool:
        """Whether a number is, or, if it is long, is part of what identifies."""
        number = digits.lstrip("0")
        return number in self.numbers or (len(number) > _FEW and any(number in value for value in self.values))


def identity_of(layout: Outline) -> Identity:
    """All names, identifiers, places and dates of an object, and whatever else is said of its patient."""
    character_set = layout.text(0x00080005)
    words: set[str] = set()
    initials: set[str] = set()
    values: set[str] = set()
    numbers: set[str] = set()
    for tag, vr, value in texts(layout):
        if vr == "UI" or not (kind_of(tag) or vr == "PN" or tag >> 16 == _PATIENT):
            continue
        for text in map(_plain, readings(value, character_set)):
            for each in re.split(r"[\\=]", text):
                found = _WORDS.findall(each)
                words.update(found)
                values.add("".join(re.findall(r"[^\W_]+", each)))
                if vr == "PN":
                    first = [word[0] for word in found]
                    initials.update(first, map("".join, permutations(first, 2)))
                if kind_of(tag) != DATE:  # parts of dates are any numbers; whole ones are among the values
                    digits = _NUMBERS.findall(each)
                    numbers.update(number.lstrip("0") for number in (*digits, "".join(digits)))
    return Identity(frozenset(words), frozenset(initials), tuple(values - {""}), frozenset(numbers - {""}))


def is_technical(line: str, identity: Identity) -> bool:
    """Whether a line says nothing but what is known to be technical, and nothing that identifies."""
    line = unicodedata.normalize("NFC", line).strip()
    if line not in _MARKS and not _LINE.fullmatch(line):
        return False
    plain = _plain(line)
    numbers = [
        digits for number in re.findall(_NUMBER, plain) for digits in (*_NUMBERS.findall(number), _joined(number))
    ]
    return not any(map(identity.holds_word, _WORDS.findall(plain))) and not any(map(identity.holds_number, numbers))


def _joined(number: str) -> str:
    return "".join(_NUMBERS.findall(number))


def _plain(text: str) -> str:
    """In small letters, without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
