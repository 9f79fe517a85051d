"""The header of one object, de-identified: from the outline of its data set to the pieces of the new one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.attributes import claims, identifiers, uids
from deid.attributes.treatment import Treatment
from deid.errors import Rejected
from deid.part10.encoding import UNDEFINED, encode
from deid.part10.output import KEEP, REMOVE, Element, Output, Verdict
from deid.part10.walk import Walker
from deid.profile.rule import Rule
from deid.standard.dictionary import name_of, unstated_vr, vr_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deid.attributes.keys import Keys
    from deid.part10.outline import Outline
    from deid.part10.output import Rules
    from deid.part10.place import Place
    from deid.part10.target import Piece
    from deid.profile.plan import Plan

SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
STUDY: Final = 0x0020000D
SERIES: Final = 0x0020000E
MIME_TYPE: Final = 0x00420012
PIXEL_DATA: Final = 0x7FE00010
_FILED_BY: Final = (STUDY, SERIES, SOP_INSTANCE)
_LONGEST_ID: Final = 64  # PS3.5 6.2, LO
_NO_ID_HOLDS: Final = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]|\.\./|\.\.\\")
"""Control characters but ESC (PS3.5 6.1.3), and steps out of a folder."""


@dataclass(frozen=True, slots=True)
class Instead:
    """What the published object has in place of elements of the source, at the top level, because of its pixels."""

    elements: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)  # VR and value
    dropped: frozenset[int] = frozenset()
    pixel_data: Sequence[Piece] | None = None  # the whole element; None: as it is in the source
    pixels_cleaned: bool = False  # whether Clean Pixel Data (PS3.15 E.3.1) may be claimed


AS_IT_WAS: Final = Instead()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The new data set, in pieces: bytes, and spans of the source that were left on disk."""

    pieces: tuple[Piece, ...]
    sop_class: str
    instance: str  # new SOP Instance UID
    folders: tuple[str, str, str]  # new Patient ID, Study and Series Instance UID, fit for a path
    treatment: Treatment


def rewrite(outline: Outline, plan: Plan, keys: Keys, instead: Instead = AS_IT_WAS) -> Rewritten:
    """Apply the plan to every element at every depth. Raises Rejected for what cannot be filed or treated."""
    identity = _identity(outline)
    patient = identifiers.normal(outline.value(PATIENT_ID) or b"")
    # Nobody knows whose an object without Patient ID is: its study has pseudonym and date shift of its own.
    patient = patient or f"study {identity[STUDY]} {'' if identity[STUDY] else identity[SOP_INSTANCE]}"
    treatment = Treatment(plan, keys, patient, outline.text(MIME_TYPE))
    rules = plan.rules_for(identity[SOP_CLASS])
    pieces = _top_level(outline, rules, treatment, instead)
    new = {tag: _text(treatment.identity.get(tag), identity[tag]) for tag in _FILED_BY}
    if not uids.is_well_formed(new[SOP_INSTANCE]):
        raise Rejected("the SOP Instance UID is not a UID")
    patient_folder = _text(treatment.identity.get(PATIENT_ID), "") or "without-patient-id"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", patient_folder):
        patient_folder = treatment.patient_pseudonym  # the profile keeps the original, which is no name for a folder
    return Rewritten(
        tuple(pieces),
        identity[SOP_CLASS],
        new[SOP_INSTANCE],
        (patient_folder, new[STUDY] or "without-study", new[SERIES] or "without-series"),
        treatment,
    )


def _identity(outline: Outline) -> dict[int, str]:
    """The UIDs the object is filed by. Raises Rejected when they are missing, or no UIDs and so perhaps an attack."""
    found = {tag: outline.text(tag) for tag in (SOP_CLASS, *_FILED_BY)}
    for tag in (SOP_CLASS, SOP_INSTANCE):
        if not found[tag]:
            raise Rejected(f"the object has no {name_of(tag)}")
    for tag, uid in found.items():
        if uid and not uids.is_well_formed(uid):
            raise Rejected(f"{name_of(tag)} is not a UID")
    patient = identifiers.normal(outline.value(PATIENT_ID) or b"")
    if len(patient) > _LONGEST_ID or _NO_ID_HOLDS.search(patient):
        raise Rejected("PatientID is longer than 64 characters or holds what no identifier holds")
    return found


def _text(new: bytes | None, original: str) -> str:
    return original if new is None else new.decode("latin-1").strip(" \0")


def _top_level(outline: Outline, rules: Rules, treatment: Treatment, instead: Instead) -> list[Piece]:
    """As Walker.data_set, over places that are known already, with spans on disk and our elements put in."""
    buffer, encoding, spans = outline.buffer, outline.encoding, outline.spans
    walker = Walker(buffer, treatment.act)
    output = Output(buffer, 0)
    standing: dict[int, bytes] = {}
    marks: dict[int, int] = {}  # our elements: their places among the pieces
    ours = claims.TAGS | instead.elements.keys()
    pending = sorted(ours)
    given: dict[int, Sequence[Piece]] = dict.fromkeys((*instead.elements, *instead.dropped), ())
    if instead.pixel_data is not None:
        given[PIXEL_DATA] = instead.pixel_data
    for place in outline.places:
        tag, vr, start, _, length, end = place
        while pending and tag > pending[0]:
            marks[pending.pop(0)] = output.mark(start)
        if tag in claims.TAGS:
            standing.setdefault(tag, _standing(walker, place, rules, outline))
            output.put(tag, start, end, REMOVE)
            continue
        if tag in given:
            output.put(tag, start, end, REMOVE)
            output.pieces += given[tag]
            continue
        rule = rules[tag]
        if start in spans:
            _span(place, rule, outline, treatment, output)
        elif rule is not None or length == UNDEFINED or vr == b"SQ":
            after, new = walker.element(rule, place, rules, encoding, output)
            output.put(tag, start, after, new)
    for tag in pending:
        marks[tag] = output.mark(len(buffer))
    output.pieces.append(buffer[output.keep :])
    done = claims.Done(treatment.private_kept or walker.private_kept, treatment.times_kept, instead.pixels_cleaned)
    described = [(tag, encode(tag, name, value, encoding)) for tag, (name, value) in instead.elements.items()]
    for tag, element in claims.elements(treatment.plan, encoding, standing, done) + described:
        output.pieces[marks[tag]] = element
    return output.pieces


def _standing(walker: Walker, place: Place, rules: Rules, outline: Outline) -> bytes:
    """The value that one of our claims has already; items are treated like all others, strange VRs not carried over."""
    if vr_of(place.tag) != "SQ":
        is_text = place.vr in (b"", b"LO", b"CS", b"UN") and place.start not in outline.spans
        return bytes(outline.buffer[place.value : place.value + place.length]) if is_text else b""
    if place.vr == b"UN":
        return b""  # items in implicit VR, whatever the encoding around them: ours could not be appended
    undefined = place.length == UNDEFINED
    stop = -1 if undefined else place.value + place.length
    after, new = walker.sequence(place.tag, place.value, stop, place.end, rules.items_of(place.tag), outline.encoding)
    items = bytes(outline.buffer[place.value : after]) if new is None else new
    return items[:-8] if undefined else items


def _span(place: Place, rule: object, outline: Outline, treatment: Treatment, output: Output) -> None:
    """A large binary value: kept on disk, left out, or replaced by something that does not depend on it."""
    tag, vr, start, value, *_ = place
    new: bytes | Verdict = KEEP
    if rule is not None:
        known = vr.decode() if vr not in (b"", b"UN") else unstated_vr(tag)
        creator = output.creator(tag, b"") if tag & 0x10000 else ""
        if not isinstance(rule, Rule):
            raise Rejected(f"{name_of(tag)} is a sequence, but its VR says otherwise")
        new = treatment.act(rule, Element(tag, known, b"", creator, (), outline.encoding, outline.encoding))
        if tag & 0x10000:
            new = REMOVE  # binary, written by nobody knows whom, and too large to be searched afterwards
        if isinstance(new, bytes):
            new = encode(tag, known, new, outline.encoding)
    if new is KEEP:
        output.pieces += (output.buffer[output.keep : value], outline.spans[start])
        output.keep = value
        start = value
    output.put(tag, start, value, new)
