"""Does anything identifying of the original survive in the bytes that are about to be published?

The values were seen in the original by attribute, whatever rule was applied to them, and are searched for in every text
of the published bytes: names by their parts and in any order, identifiers, addresses, dates and UIDs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.attributes import dummies
from deid.attributes.uids import values_of
from deid.model import Finding
from deid.part10.texts import OPAQUE, Text, texts
from deid.profile import identifying
from deid.profile.identifying import CODE_VERSIONS
from deid.standard.dictionary import name_of, vr_of
from deid.standard.uids import is_registered
from deid.verify import spellings
from deid.verify.spellings import words as words_of
from deid.verify.spellings import words_within
from deid.verify.vocabulary import MAKERS_WORDS, dicom_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.part10.outline import Outline
    from deid.profile.plan import Plan
    from deid.verify.spellings import Words

_PATIENT_GROUP: Final = 0x0010
_ISSUER: Final = 0x00100021  # Issuer of Patient ID: an institution, not the patient
_CODED: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "TM"})  # mostly words of DICOM's own, or no words
_SHORTEST_IN_CODES: Final = 4
_SHORTEST_PLACE: Final = 5
_SHORTEST_IN_UIDS: Final = 6

_OUR_WORDS: Final = frozenset(
    words_of(
        b" ".join((*dummies.VALUES.values(), b"deid gateway ps3 15 basic profile option retain clean unknown none"))
    )
)


@dataclass(slots=True)
class Identifying:
    """What must not survive: words and phrases, dates and UIDs, each with the attribute it comes from.

    A phrase is found by one of its words (of a date: the year), and comes with the place of that word.
    """

    words: dict[bytes, int] = field(default_factory=dict)
    phrases: dict[bytes, list[tuple[Words, int, int]]] = field(default_factory=lambda: defaultdict(list))
    dates: dict[bytes, int] = field(default_factory=dict)
    uids: dict[str, int] = field(default_factory=dict)
    character_set: str = ""
    kept: frozenset[int] = frozenset()

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
            self._forms(spellings.of_name(value, self.character_set), tag)
        else:
            for text in value.split(b"\\"):
                if kind == identifying.IDENTIFIER:
                    self._forms(spellings.of_identifier(text), tag)
                elif len(text) >= _SHORTEST_PLACE:
                    self._forms((tuple(words_of(text)),), tag)

    def _dates(self, tag: int, value: bytes) -> None:
        for text in value.replace(b".", b"").split(b"\\"):
            day = text.strip()[:8]
            if len(day) != 8 or not day.isdigit() or day in dummies.VALUES.values():
                continue
            if day not in self.dates or tag >> 16 == _PATIENT_GROUP:
                digits, phrases = spellings.of_date(day)
                self.dates.update(dict.fromkeys(digits, tag))
                for phrase, place in phrases:
                    self.phrases[phrase[place]].append((phrase, place, tag))

    def _forms(self, forms: Iterable[Words], tag: int) -> None:
        for form in forms:
            if _OUR_WORDS.issuperset(form):
                continue
            if len(form) > 1:
                self.phrases[form[0]].append((form, 0, tag))
            elif self.words.get(form[0], 0) >> 16 != _PATIENT_GROUP:  # others may bear the name of the patient
                self.words[form[0]] = tag


def identifying_values(seen: Iterable[tuple[str, int, bytes]], character_set: str, plan: Plan) -> Identifying:
    """What the original identifies with, but for what the plan keeps on purpose; `seen`: kind, attribute, value."""
    found = Identifying(character_set=character_set, kept=plan.kept())
    for kind, tag, value in seen:
        found.add(kind, tag, value)
    for word in _OUR_WORDS:
        found.words.pop(word, None)
    return found


def search(published: Outline, values: Identifying, plan: Plan) -> tuple[Finding, ...]:
    """Where identifying values survive. Names the attributes, never the values."""
    seen = texts(published)
    findings: dict[Finding, None] = {}
    if not _may_hold(seen, values):
        return ()
    for tag, vr, value in seen:
        for source in _survivors(tag, vr, value, values, plan):
            findings[Finding(name_of(tag), name_of(source))] = None
    return tuple(findings)


def _may_hold(seen: list[Text], values: Identifying) -> bool:
    """One look at all texts together: nearly always there is nothing, and this says so quickly."""
    if any(vr == "UI" and not values.uids.keys().isdisjoint(values_of(value)) for _, vr, value in seen):
        return True
    text = b" \\ ".join([value for tag, vr, value in seen if vr != "UI" or tag in values.kept])
    words = set(words_of(text))
    if b"\0" in text:
        words.update(words_of(text.replace(b"\0", b"")))  # UTF-16, or padding
    for _, vr, value in seen:
        if vr in OPAQUE:
            words.update(words_within(value))
    words.update([word[:8] for word in words if len(word) >= 12 and word[:8].isdigit()])
    if not (words.isdisjoint(values.words) and words.isdisjoint(values.phrases) and words.isdisjoint(values.dates)):
        return True
    return b"." in text and any(uid.encode("latin-1") in text for uid in values.uids)


def _is_evidence(tag: int, vr: str, source: int, word: bytes, *, whole: bool) -> bool:
    """Whether a match in this attribute says that a value survives; `whole` for identifiers and several words."""
    if tag in MAKERS_WORDS:
        return whole and (source >> 16 == _PATIENT_GROUP or vr_of(source) == "PN")
    return whole or vr not in _CODED or (len(word) >= _SHORTEST_IN_CODES and word not in dicom_words())


def _survivors(tag: int, vr: str, value: bytes, values: Identifying, plan: Plan) -> set[int]:
    """The attributes of the original whose values survive in one element."""
    words = words_of(value)
    if vr == "UI" and tag in values.kept:  # on purpose, but some archives build UIDs of Patient IDs
        long = (word for word in words if len(word) >= _SHORTEST_IN_UIDS)
        return {values.words[word] for word in long if values.words.get(word, 0) >> 16 == _PATIENT_GROUP}
    if vr == "UI":
        return {values.uids[uid] for uid in values_of(value) if uid in values.uids}
    if vr in OPAQUE:
        words += words_of(value.replace(b"\0", b"")) + words_within(value)
    found = set()
    for at, word in enumerate(words):
        source = values.words.get(word)
        if source is not None and _is_evidence(tag, vr, source, word, whole=any(48 <= byte <= 57 for byte in word)):
            found.add(source)
        for phrase, place, of in values.phrases.get(word, ()):
            begin = at - place
            same = begin >= 0 and tuple(words[begin : begin + len(phrase)]) == phrase
            if same and _is_evidence(tag, vr, of, word, whole=True):
                found.add(of)
    if tag in values.kept:  # on purpose; only what names the patient is looked for here
        return {source for source in found if source >> 16 == _PATIENT_GROUP and source != _ISSUER}
    shifted = "retain-modified-dates" in plan.options and vr in ("DA", "DT")
    if not shifted and tag not in CODE_VERSIONS:
        found |= {values.dates[word[:8]] for word in words if word[:8] in values.dates}
    parts = {part.decode("latin-1") for part in value.replace(b"\0", b" ").split() if part.count(b".") > 2}
    found |= {values.uids[part] for part in parts if part in values.uids}
    return found
