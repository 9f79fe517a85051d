"""Does anything identifying of the original survive in the bytes that are about to be published?

The values were seen in the original by attribute, whatever rule was applied to them, and are searched for in every text
of the published bytes: names by their parts and in any order, identifiers, addresses, dates and UIDs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from deid.attributes.uids import values_of
from deid.model import Finding
from deid.part10.texts import NUMERIC, OPAQUE, Text, texts
from deid.profile.identifying import CODE_VERSIONS, DATE, UID
from deid.standard.dictionary import name_of
from deid.verify import spellings
from deid.verify.coded import texts_in_frames
from deid.verify.evidence import TEMPORAL, Match, is_of_patient
from deid.verify.matches import NO_TEXT, matches_in, words_said
from deid.verify.spellings import pieces_of, words_within
from deid.verify.spellings import words as words_of
from deid.verify.values import OUR_WORDS, PATIENT_GROUP, SHORTEST_IN_PARTS, Identifying, days_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.profile.plan import Plan

_SHIFTED: Final = "retain-modified-dates"
_SHORTEST_IN_LARGE: Final = 6  # bytes of a word in other letters: chance writes four of them into a large value
_SHORTEST_TIME: Final = 10  # digits of a date and an hour
_SHORTEST_PARENT: Final = 20  # characters of a UID
_LONG_NUMBER: Final = 9  # digits: shorter ones, and days, stand in time stamps and counters
_SHORTEST_MADE_UP: Final = 36  # digits of a UUID (PS3.5 B.2), in which any number may stand
_REMEMBERED: Final = 64  # studies
_UID: Final = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")
_TWO_DOTS: Final = re.compile(rb"\.[0-9]+\.")  # as in a UID, and in no number
_DIGITS: Final = re.compile(rb"[0-9]{8,}")
_NUMERALS: Final = b"0123456789+-.eE \\\0"
_WHOLE_NUMBER: Final = re.compile(rb"[+ ]*0*([0-9]+)(?:\.0*)?[ \0]*")


def identifying_values(
    seen: Collection[tuple[str, int, bytes]], character_sets: tuple[str, ...], plan: Plan
) -> Identifying:
    """What the original identifies with, but for what the plan keeps on purpose; `seen`: kind, attribute, value."""
    uids = [(kind, tag, value) for kind, tag, value in seen if kind == UID]
    others = [
        (kind, tag, b"\\".join(days_of(value)) if kind == DATE else value) for kind, tag, value in seen if kind != UID
    ]
    found = replace(_values(tuple(dict.fromkeys(others)), character_sets, plan.kept()), uids={})
    for uid in uids:
        found.add(*uid)
    return found


@lru_cache(_REMEMBERED)
def _values(
    seen: tuple[tuple[str, int, bytes], ...], character_sets: tuple[str, ...], kept: frozenset[int]
) -> Identifying:
    """All but UIDs: these the objects of a study have in common."""
    found = Identifying(character_sets=character_sets, kept=kept)
    for kind, tag, value in seen:
        found.add(kind, tag, value)
    for word in OUR_WORDS:
        found.words.pop(word, None)
    found.in_binary()  # made now: from here on it is shared
    return found


def search(published: Outline, values: Identifying, plan: Plan, written: Source | None = None) -> tuple[Finding, ...]:
    """Where identifying values survive. Names the attributes, never the values.

    Large binary values and compressed pixel data are searched where `written` is the file that was published.
    """
    long = [form for forms in values.in_binary().values() for form in forms if len(form) >= _SHORTEST_IN_LARGE]
    seen = texts(published, written, long)
    if written is not None:
        seen += texts_in_frames(published, written, values, all_of_them=plan.pixels is not None)
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
    if not values.uids.keys().isdisjoint(values_of(uids)) or _numbers_in(uids, values):
        return True
    numerals = b"\\".join([value for _, vr, value in seen if vr in NUMERIC])
    if any(number in numerals for number in values.whole_numbers()):
        return True
    if (uids + numerals).translate(None, _NUMERALS):
        return True
    return _TWO_DOTS.search(numerals) is not None


def _words_may_hold(seen: list[Text], values: Identifying) -> bool:
    text = b" \\ ".join([value for _, vr, value in seen if vr not in NO_TEXT])
    texts_said = [text]
    if spellings.is_foreign(text) or values.in_binary(as_ascii=True):
        for said in [said for _, vr, value in seen for said in words_said(vr, value, values)]:
            if any(form in spellings.unspaced(said) for form in values.unspaced):
                return True
            texts_said.append(said.encode())
    words = {word for _, vr, value in seen if vr in OPAQUE for word in words_within(value)}
    if b"\0" in text:
        text = text.replace(b"\0", b"")  # UTF-16, or padding
        words.update(words_of(text))
    for each in texts_said:
        words.update(words_of(each))
    # Whatever separates its parts, and wherever a text has it begin, a word stands in all letters together.
    together = spellings.in_one(b" ".join(texts_said))
    if any(core in together for core in values.cores):
        if any(word in together for word in values.words if len(word) >= SHORTEST_IN_PARTS):
            return True
        for each in texts_said:
            words.update(pieces_of(each))
        words.update([word.lstrip(b"0") for word in words if word[:1] == b"0"])
    if not all(words.isdisjoint(known) for known in (values.words, values.phrases)):
        return True
    return any(date in text for date in values.dates) or (
        b"." in text and any(uid.encode("latin-1") in text for uid in values.uids)
    )


def _survivors(text: Text, values: Identifying, plan: Plan) -> set[int]:
    """The attributes of the original whose values survive in one element."""
    tag, vr, value = text
    # Some archives build UIDs of Patient IDs and dates.
    found = {values.numbers[number] for number in _numbers_in(value, values)} if vr == "UI" else set()
    if vr in NO_TEXT and value.translate(None, _NUMERALS):
        return found | _survivors((tag, "LT", value), values, plan)  # no number and no UID, whatever its VR says
    if vr == "UI":
        return found | {values.uids[uid] for uid in values_of(value) if uid in values.uids and tag not in values.kept}
    if vr in NUMERIC:
        known = values.whole_numbers()
        numbers = [number[1] for part in value.split(b"\\") if (number := _WHOLE_NUMBER.fullmatch(part))]
        matches = {Match(tag, vr, known[number], (number,)) for number in numbers if number in known}
    else:
        matches = set(matches_in(text, values))
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
    found.update(values.uids[uid] for said in _uids(value) for uid in _with_parents(said) if uid in values.uids)
    if tag in values.kept:  # on purpose; only what names the patient is looked for here
        return {source for source in found if source >> 16 == PATIENT_GROUP or is_of_patient(source)}
    return found


def _numbers_in(uids: bytes, values: Identifying) -> set[bytes]:
    """Numbers that are a component of a UID, or a part of one if they are long."""
    components = words_of(uids)
    found = values.numbers.keys() & components
    long = [number for number in values.numbers if len(number) >= _LONG_NUMBER and number in uids]
    return found | {
        number for number in long for each in components if number in each and len(each) < _SHORTEST_MADE_UP
    }


def _uids(value: bytes) -> list[str]:
    return [uid.decode("ascii") for uid in _UID.findall(value)]


def _with_parents(uid: str) -> Iterator[str]:
    """A UID, and what it may have been made of by adding a number; what is shorter may be anybody's root."""
    yield uid
    while len(uid := uid.rpartition(".")[0]) >= _SHORTEST_PARENT:
        yield uid
