"""Does anything identifying of the original survive in the bytes that are about to be published?

The values were seen in the original by attribute, whatever rule was applied to them, and are searched for in every text
of the published bytes: names by their parts and in any order, identifiers, addresses, dates and UIDs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.attributes.uids import values_of
from deid.model import Finding
from deid.part10.charsets import readings
from deid.part10.texts import NUMERIC, OPAQUE, Text, texts
from deid.profile.identifying import CODE_VERSIONS
from deid.standard.dictionary import name_of
from deid.verify import spellings
from deid.verify.evidence import TEMPORAL, Match
from deid.verify.months import in_numbers
from deid.verify.spellings import words as words_of
from deid.verify.spellings import words_within
from deid.verify.values import OUR_WORDS, PATIENT_GROUP, Identifying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.profile.plan import Plan

_SHIFTED: Final = "retain-modified-dates"
_SHORTEST_IN_LARGE: Final = 6  # bytes of a word in other letters: chance writes four of them into a large value
_SHORTEST_TIME: Final = 10  # digits of a date and an hour
_NO_TEXT: Final = NUMERIC | {"UI"}
_UID: Final = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")
_TWO_DOTS: Final = re.compile(rb"\.[0-9]+\.")  # as in a UID, and in no number
_DIGITS: Final = re.compile(rb"[0-9]{8,}")
_NUMERALS: Final = b"0123456789+-.eE \\\0"
_WHOLE_NUMBER: Final = re.compile(rb"[+ ]*0*([0-9]+)(?:\.0*)?[ \0]*")


def identifying_values(
    seen: Iterable[tuple[str, int, bytes]], character_sets: tuple[str, ...], plan: Plan
) -> Identifying:
    """What the original identifies with, but for what the plan keeps on purpose; `seen`: kind, attribute, value."""
    found = Identifying(character_sets=character_sets, kept=plan.kept())
    for kind, tag, value in dict.fromkeys(seen):
        found.add(kind, tag, value)
    for word in OUR_WORDS:
        found.words.pop(word, None)
    return found


def search(published: Outline, values: Identifying, plan: Plan, written: Source | None = None) -> tuple[Finding, ...]:
    """Where identifying values survive. Names the attributes, never the values.

    Large binary values are searched where `written` is the file that was published.
    """
    long = [form for forms in values.in_binary().values() for form in forms if len(form) >= _SHORTEST_IN_LARGE]
    seen = texts(published, written, long)
    findings: dict[Finding, None] = {}
    if not _may_hold(seen, values):
        return ()
    for text in seen:
        for source in _survivors(text, values, plan):
            findings[Finding(name_of(text[0]), name_of(source))] = None
    return tuple(findings)


def _may_hold(seen: list[Text], values: Identifying) -> bool:
    """One look at all texts together: nearly always there is nothing, and this says so quickly."""
    return _numbers_may_hold(seen, values) or _words_may_hold(seen, values)


def _numbers_may_hold(seen: list[Text], values: Identifying) -> bool:
    uids = b"\\".join([value for _, vr, value in seen if vr == "UI"])
    if not values.uids.keys().isdisjoint(values_of(uids)):
        return True
    numerals = b"\\".join([value for _, vr, value in seen if vr in NUMERIC])
    if numerals.translate(None, _NUMERALS) or any(number in numerals for number in values.whole_numbers()):
        return True
    return _TWO_DOTS.search(numerals) is not None


def _words_may_hold(seen: list[Text], values: Identifying) -> bool:
    text = b" \\ ".join([value for tag, vr, value in seen if vr not in _NO_TEXT or (vr == "UI" and tag in values.kept)])
    words = set(words_of(text))
    if spellings.is_foreign(text) or values.in_binary(as_ascii=True):
        for said in [said for _, vr, value in seen for said in _said(vr, value, values)]:
            if any(form in spellings.unspaced(said) for form in values.unspaced):
                return True
            words.update(said.encode().split())
    for value in [value for _, vr, value in seen if vr in OPAQUE]:
        words.update(words_within(value))
    if b"\0" in text:
        text = text.replace(b"\0", b"")  # UTF-16, or padding
        words.update(words_of(text))
    if not all(words.isdisjoint(known) for known in (values.words, values.phrases, values.numbers)):
        return True
    return any(date in text for date in values.dates) or (
        b"." in text and any(uid.encode("latin-1") in text for uid in values.uids)
    )


def _said(vr: str, value: bytes, values: Identifying) -> list[str]:
    """What a value says that has other letters than those of ASCII, in plain words."""
    if vr in OPAQUE:
        forms_of = values.in_binary(as_ascii=value.isascii())
        return [word for word, forms in forms_of.items() if any(form in value for form in forms)]
    if vr in _NO_TEXT or not spellings.is_foreign(value):
        return []
    found = [*(said for each in values.character_sets for said in readings(value, each)), value.decode("latin-1")]
    return list(dict.fromkeys(map(spellings.plain, found)))


def _survivors(text: Text, values: Identifying, plan: Plan) -> set[int]:
    """The attributes of the original whose values survive in one element."""
    tag, vr, value = text
    if vr in NUMERIC and value.translate(None, _NUMERALS):
        return _survivors((tag, "LT", value), values, plan)  # no number, whatever its VR says
    if vr == "UI" and tag in values.kept:  # on purpose, but some archives build UIDs of Patient IDs and dates
        return {values.numbers[number] for number in words_of(value) if number in values.numbers}
    if vr == "UI":
        return {values.uids[uid] for uid in values_of(value) if uid in values.uids}
    if vr in NUMERIC:
        known = values.whole_numbers()
        numbers = [number[1] for part in value.split(b"\\") if (number := _WHOLE_NUMBER.fullmatch(part))]
        matches = {Match(tag, vr, known[number], (number,)) for number in numbers if number in known}
    else:
        matches = set(_matches(text, values))
    found = {match.source for match in matches if match.is_evidence(values.kept)}
    if vr in OPAQUE:
        value += b" " + value.replace(b"\0", b"")
    if (
        vr not in NUMERIC
        and tag not in CODE_VERSIONS
        and not (vr in TEMPORAL and (tag in values.kept or _SHIFTED in plan.options))
    ):
        days = [run[:8] for run in _DIGITS.findall(value) if len(run) == 8 or len(run) >= _SHORTEST_TIME]
        found.update(values.dates[day] for day in days if day in values.dates)
    found.update(values.uids[uid] for uid in _uids(value) if uid in values.uids)
    if tag in values.kept:  # on purpose; only what names the patient is looked for here
        return {source for source in found if source >> 16 == PATIENT_GROUP}
    return found


def _uids(value: bytes) -> list[str]:
    return [uid.decode("ascii") for uid in _UID.findall(value)]


def _matches(text: Text, values: Identifying) -> Iterator[Match]:
    """Every word and phrase of the original that stands in a text, whether it says something there or not."""
    tag, vr, value = text
    texts_said = _said(vr, value, values)
    readings_in_words = [words_of(value), *(said.encode().split() for said in texts_said)]
    if vr in OPAQUE:
        readings_in_words += [words_of(value.replace(b"\0", b"")), words_within(value)]
    readings_in_words += [numbers for words in readings_in_words if (numbers := in_numbers(words))]
    for words in readings_in_words:
        for at, word in enumerate(words):
            if word in values.words:
                yield Match(tag, vr, values.words[word], (word,))
            for phrase, place, source in values.phrases.get(word, ()):
                begin = at - place
                if begin >= 0 and tuple(words[begin : begin + len(phrase)]) == phrase:
                    yield Match(tag, vr, source, phrase)
    for said in texts_said:
        running = spellings.unspaced(said)
        for form, (parts, source) in values.unspaced.items():
            if form in running:
                yield Match(tag, vr, source, parts)
