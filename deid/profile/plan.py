"""A compiled confidentiality profile: the one place that decides which rule an attribute gets, and can say why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deid.errors import BadProfile
from deid.model import Chosen
from deid.part10.encoding import BINARY
from deid.part10.outline import ICC_PROFILE, PIXELS
from deid.profile import identifying
from deid.profile import options as profile_options
from deid.profile.document import SHIFT_DAYS, ProfileDocument, load
from deid.profile.identifying import kind_of
from deid.profile.options import CLEAN_PIXEL_DATA
from deid.profile.pixel_policy import USUAL
from deid.profile.rule import Action, Rule, resolve
from deid.profile.scope import Scope
from deid.profile.shipped import shipped
from deid.standard import iods, table
from deid.standard.dictionary import name_of, tag_of, vr_of
from deid.standard.private import safe_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deid.profile.pixel_policy import PixelPolicy
    from deid.profile.rule_line import RuleLine
    from deid.standard.iods import Attributes
    from deid.standard.table import Row

_TEMPORAL: Final = frozenset({"DA", "TM", "DT"})
_TIMEZONE: Final = 0x00080201
_PATIENT_GROUP: Final = 0x0010
_IMAGE_GROUP: Final = 0x0028
_ENCAPSULATED_DOCUMENT: Final = 0x00420011
_IDENTIFIERS: Final = frozenset({0x00100010, 0x00100020, 0x00080050, 0x00200010})
"""Patient's Name and ID, Accession Number, Study ID: a keyed pseudonym in place of an empty value (PS3.15 E.1.1)."""

_REFERENCES: Final = frozenset({0x00081110, 0x00081111})
"""Referenced Study and Referenced Performed Procedure Step Sequence."""

_ENCRYPTED: Final = 0x04000500
"""Encrypted Attributes Sequence: Type 1C in every IOD, but where nothing is encrypted its condition does not hold."""

_ONLY_BESIDE: Final = {0x00102298: 0x00102297}
"""Responsible Person Role may not be present unless Responsible Person has a value (PS3.3 C.7.1.1)."""


@cache
def _rows() -> Mapping[int, Row]:
    return {int(row.pattern, 16): row for row in (*table.rows(), *table.supplement()) if _is_tag(row.pattern)}


def _is_tag(pattern: str) -> bool:
    return "x" not in pattern and pattern != "odd"


@dataclass(frozen=True, eq=False)
class Plan:
    """Compiled from a profile document and the options chosen; travels between processes as these two."""

    document: ProfileDocument
    options: frozenset[str]
    _scopes: dict[tuple[Attributes | None, frozenset[tuple[tuple[int, ...], RuleLine]]], Scope] = field(
        default_factory=dict, repr=False
    )

    def __reduce__(self) -> tuple[Any, ...]:
        return (Plan, (self.document, self.options))

    @property
    def digest(self) -> str:
        """Tells two plans apart: profile content and options."""
        content = repr((replace(self.document, name=""), sorted(self.options), table.EDITION))
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def chosen(self) -> Chosen:
        """What a report tells of the profile. A file's name may name a project, or a patient."""
        name = self.document.name if self.document.name in shipped() else ""
        options = tuple(sorted(self.options))
        return Chosen(name, options, len(self.document.rules), self.claims_removed_identity)

    @property
    def claims_removed_identity(self) -> bool:
        """Whether (0012,0062) may say YES: not when the profile keeps a direct identifier on purpose."""
        return not any(line.allow_identifiers for line in self.document.rules)

    @property
    def pixels(self) -> PixelPolicy | None:
        """How Clean Pixel Data is carried out; None where it is not chosen."""
        return self.document.pixels if CLEAN_PIXEL_DATA in self.options else None

    def rules_for(self, sop_class: str) -> Scope:
        """The rules at the top level of an object of this SOP Class; private classes have no Types (PS3.15 E.1.1)."""
        return self.scope(
            iods.attributes_of(sop_class),
            {line.attribute: line for line in self.document.rules if line.attribute and len(line.attribute) > 1},
        )

    def scope(self, attributes: Attributes | None, paths: Mapping[tuple[int, ...], RuleLine]) -> Scope:
        """The rules for these attributes; one scope for all sequences that hold the same ones under the same lines."""
        key = (attributes, frozenset(paths.items()))
        found = self._scopes.get(key)
        if found is None:
            found = self._scopes[key] = Scope(self, attributes, paths)
        return found

    def safe_private(self) -> Mapping[tuple[str, int, int], str]:
        """(creator, group, low byte) -> VR of the private elements that stay (PS3.15 E.3.10, profile's rules)."""
        return _safe_private(self)

    def kept(self) -> frozenset[int]:
        """Tags whose values stay on purpose, by an option or by a rule of the profile."""
        return _kept(self)

    def decide(
        self, tag: int, attributes: Attributes | None, paths: Mapping[tuple[int, ...], RuleLine] | None = None
    ) -> Rule:
        """The rule for one attribute, and why. KEEP on a sequence means: go on in its items."""
        line = (paths or {}).get((tag,)) or self._own(tag)
        if line:
            return Rule(self._own_action(line, tag), line.because)
        structural = _structural(tag)
        if structural:
            return structural
        row = _rows().get(tag)
        if row:
            return self._from_table(row, tag, attributes)
        beside = _ONLY_BESIDE.get(tag)
        if beside and self.decide(beside, attributes, paths).action is not Action.KEEP:
            return Rule(Action.REMOVE, f"PS3.3 allows it only where {name_of(beside)} has a value")
        return self._in_no_table(tag, attributes)

    def _in_no_table(self, tag: int, attributes: Attributes | None) -> Rule:
        vr = vr_of(tag)
        if vr is None:
            return Rule(Action.REMOVE, "not in the data dictionary (PS3.6), so nobody can know what it says")
        if self.pixels and _may_be_a_picture(tag, vr, attributes):
            return Rule(
                Action.REMOVE, f"option {CLEAN_PIXEL_DATA}: the IOD does not have it, and it may hold a picture"
            )
        if tag == ICC_PROFILE:
            return Rule(Action.COLOURS, "PS3.3 C.11.15: its texts and private tags may say anything")
        return Rule(Action.KEEP, "no rule in PS3.15 Table E.1-1")

    def _own(self, tag: int) -> RuleLine | None:
        return next((line for line in self.document.rules if line.attribute == (tag,)), None)

    @staticmethod
    def _own_action(line: RuleLine, tag: int) -> Action:
        if line.action == "Z" and tag in _IDENTIFIERS:
            return Action.IDENTIFIER
        return Action(line.action)

    def _from_table(self, row: Row, tag: int, attributes: Attributes | None) -> Rule:
        vr = vr_of(tag) or row.vr
        chosen = {option: code for option, code in row.options.items() if option in self.options}
        modified = "retain-modified-dates"
        if modified in chosen and (vr in _TEMPORAL or tag == _TIMEZONE):
            # Retain Device Identity says K on eleven of these dates, Modified Dates says C. The standard does not
            # rank options; the one that tells less wins.
            return Rule(Action.SHIFT, f"option {modified}")
        keeping = next((option for option, code in chosen.items() if code == "K"), None)
        if keeping:
            return Rule(Action.KEEP, f"option {keeping}")
        # An option that says C where nothing here can clean the value falls back to the basic action.
        kind = attributes.type_of(tag) if attributes else None
        action, mended = resolve(row.basic, kind)
        if tag == _ENCRYPTED:
            action, mended = Action.REMOVE, False
        if tag in _REFERENCES and action is Action.DUMMY:
            # References that must be there (Type 1) stay: their items hold nothing but UIDs, and these are replaced.
            action = Action.KEEP
        if action in (Action.EMPTY, Action.DUMMY) and tag in _IDENTIFIERS:
            action = Action.IDENTIFIER
        source = row.because or f"PS3.15 Table E.1-1: {row.basic}"
        return Rule(action, f"{source}, kept valid as Type {kind}" if mended else source)


def _structural(tag: int) -> Rule | None:
    """Decisions that no profile changes: private groups, group lengths, curves, overlays, groups below 0008."""
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        return Rule(Action.PRIVATE, "PS3.15 Table E.1-1: private attributes")
    if group < 0x0008 or group == 0xFFFE:
        return Rule(Action.REMOVE, "PS3.15 E.1.1 steps 7 to 9: no part of a data set")
    if element == 0:
        return Rule(Action.REMOVE, "PS3.5 7.2: group lengths are retired, and this one would not be right any more")
    if group & 0xFFE1 == 0x5000:
        return Rule(Action.REMOVE, "PS3.15 Table E.1-1: curve data")
    if group & 0xFFE1 == 0x6000:
        # Overlay Data is X, and Type 1 in its module: the plane goes as a whole (PS3.3 C.9.2).
        return Rule(Action.REMOVE, "PS3.15 Table E.1-1: overlay data, with the plane around it")
    return None


def _may_be_a_picture(tag: int, vr: str, attributes: Attributes | None) -> bool:
    """Binary of any length that the IOD does not have. Pixels are searched.

    Where nobody knows the IOD, the tables of group 0028 stay, without which nobody could see the pixels.
    """
    if tag in PIXELS or BINARY.isdisjoint(vr.split()):
        return False
    return tag >> 16 != _IMAGE_GROUP if attributes is None else not attributes.type_of(tag)


@cache
def _safe_private(plan: Plan) -> Mapping[tuple[str, int, int], str]:
    safe = dict(safe_elements()) if "retain-safe-private" in plan.options else {}
    for line in plan.document.rules:
        if line.private and line.action == "K":
            safe[line.private] = safe_elements().get(line.private, "UN")
        elif line.private:
            safe.pop(line.private, None)
    return safe


@cache
def _kept(plan: Plan) -> frozenset[int]:
    own = {line.attribute[-1] for line in plan.document.rules if line.attribute and line.action == "K"}
    return frozenset(own | {tag for tag in _rows() if plan.decide(tag, None).action is Action.KEEP})


def compile_plan(document: ProfileDocument, options: Iterable[str] = ()) -> Plan:
    """A plan from a profile and further options. Raises BadProfile where they contradict each other or the standard."""
    chosen = profile_options.check((*document.options, *options))
    if "retain-full-dates" in chosen and document.shift_days != SHIFT_DAYS:
        raise BadProfile("the profile says by how many days dates shift, and 'retain-full-dates' shifts none")
    if CLEAN_PIXEL_DATA not in chosen and document.pixels != USUAL:
        raise BadProfile(f"the profile says how pixels are searched, and does not choose '{CLEAN_PIXEL_DATA}'")
    for line in document.rules:
        _check(line)
    return Plan(document, chosen)


def is_direct_identifier(tag: int) -> bool:
    """Whether an attribute names or describes a person and no option of PS3.15 ever keeps it.

    A profile that keeps one says so (`allow_identifiers`) and loses the claim of having de-identified.
    """
    row = _rows().get(tag)
    if row is None or "K" in row.options.values():
        return False
    by_kind = kind_of(tag) in (identifying.NAME, identifying.IDENTIFIER, identifying.PLACE)
    return by_kind or tag >> 16 == _PATIENT_GROUP or tag == _ENCAPSULATED_DOCUMENT


def _check(line: RuleLine) -> None:
    if not line.attribute:
        return
    tag = line.attribute[-1]
    name = name_of(tag)
    if line.action == "K" and is_direct_identifier(tag) and not line.allow_identifiers:
        raise BadProfile(
            f"{line.where}: keeping {name} keeps a direct identifier; if that is meant, add 'allow_identifiers: true' "
            "(the output then makes no claim of being de-identified)"
        )
    if line.action == "U" and vr_of(tag) != "UI":
        raise BadProfile(f"{line.where}: action U replaces UIDs, and {name} is none")
    if line.action in ("X", "Z") and tag in _INDISPENSABLE:
        raise BadProfile(f"{line.where}: {name} is needed to file the object; use D, U or no rule at all")


_INDISPENSABLE: Final = frozenset(
    tag
    for tag in map(tag_of, ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"))
    if tag is not None
)


def load_plan(profile: str = "basic", options: Iterable[str] = ()) -> Plan:
    """Compile a shipped profile or a YAML file, with further PS3.15 options. Raises BadProfile."""
    return compile_plan(load(profile), options)
