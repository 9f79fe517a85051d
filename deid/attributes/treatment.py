"""Apply a rule to an element: one function per action, new bytes out, and a record of what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.attributes import dates, documents, dummies, icc_profile, identifiers, uids
from deid.part10.encoding import BINARY
from deid.part10.output import DESCEND, KEEP, REMOVE, RESERVE, Element, Verdict
from deid.part10.texts import TEXT, texts_within
from deid.profile.identifying import kind_of
from deid.profile.rule import Action, Rule

if TYPE_CHECKING:
    from deid.attributes.keys import Keys
    from deid.profile.plan import Plan

_PATIENT_NAME: Final = 0x00100010
_PATIENT_ID: Final = 0x00100020
_KINDS: Final = {_PATIENT_NAME: "patient", _PATIENT_ID: "patient", 0x00080050: "accession", 0x00200010: "study"}
_ENCAPSULATED_DOCUMENT: Final = 0x00420011
_ENCAPSULATED_DOCUMENT_LENGTH: Final = 0x00420015
_TIMEZONE: Final = 0x00080201
_TEMPORAL: Final = frozenset({"DA", "TM", "DT"})
_ITEM: Final = b"\xfe\xff\x00\xe0"  # how the items begin of a sequence whose VR nobody states (PS3.5 7.5)
_MOST_CHANGES: Final = 2000  # a file of ever new tags must not fill the ledger


@dataclass(slots=True)
class Treatment:
    """What the actions need to know of one object, and what they did to it."""

    plan: Plan
    keys: Keys
    patient: str  # whom the object is about: the key of pseudonym and date shift; identifies
    mime_type: str = ""
    changes: set[tuple[tuple[int, ...], int, Rule]] = field(default_factory=set)
    replaced: dict[tuple[str, str], str] = field(default_factory=dict)  # (kind, original): replacement
    identity: dict[int, bytes] = field(default_factory=dict)  # values of the top level as they are published
    identifying: list[tuple[str, int, bytes]] = field(default_factory=list)  # kind, attribute, original value
    private_kept: bool = False
    times_kept: bool = False
    _actions: dict[Action, Callable[[Element], bytes | Verdict]] = field(init=False)
    _kept: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self._kept = self.plan.kept()
        self._actions = {
            Action.KEEP: lambda _element: KEEP,
            Action.REMOVE: lambda _element: REMOVE,
            Action.EMPTY: lambda _element: b"",
            Action.DUMMY: self._dummy,
            Action.UID: self._replace_uids,
            Action.SHIFT: self._shift,
            Action.IDENTIFIER: self._pseudonym,
            Action.COLOURS: lambda element: icc_profile.bare(element.value) if element.value else KEEP,
            Action.PRIVATE: self._private,
        }

    def act(self, rule: Rule, element: Element) -> bytes | Verdict:
        """The new value of an element, or what else becomes of it."""
        if rule.identifies:
            self.identifying.append((rule.identifies, element.tag, element.value))
        new = self._actions[rule.action](element)
        if element.vr == "SQ" and new is not DESCEND and not element.tag & 0x10000:
            self._see_beneath(element)
        if len(self.changes) < _MOST_CHANGES and new is not KEEP and new is not DESCEND:
            self.changes.add((element.path, element.tag, rule))
        if new is KEEP and element.vr in _TEMPORAL and element.tag in self._kept:
            self.times_kept = True
        stays = element.value if new is KEEP else new
        if isinstance(stays, bytes):
            if not element.path:
                self.identity.setdefault(element.tag, stays)
            if rule.action is Action.PRIVATE:
                self.private_kept = True
        return new

    def _see_beneath(self, element: Element) -> None:
        """What goes with its sequence may survive elsewhere, so verification has to know of it."""
        for tag, _, value in texts_within(element.value, element.inner):
            kind = kind_of(tag)
            if kind:
                self.identifying.append((kind, tag, value))

    @property
    def patient_pseudonym(self) -> str:
        """The new Patient ID (and Name) of the object's patient."""
        return self._patient_id(self.patient)

    def _patient_id(self, original: str) -> str:
        form = self.plan.document.patient_id
        return identifiers.pseudonym(self.keys.identifiers, "patient", original, form.prefix, form.digits)

    def _dummy(self, element: Element) -> bytes:
        if element.tag == _ENCAPSULATED_DOCUMENT:
            return documents.minimal(self.mime_type)
        if element.tag == _ENCAPSULATED_DOCUMENT_LENGTH:
            return element.encoding.length32.pack(len(documents.minimal(self.mime_type)))
        if element.vr == "SQ":
            return dummies.items(element.tag, element.encoding)
        if element.vr == "UI":
            return self._replace_uids(element) or self._uid("").encode()
        return dummies.value(element.tag, element.vr)

    def _replace_uids(self, element: Element) -> bytes:
        new, replaced = uids.replace_all(self.keys.uids, element.value)
        for original, replacement in replaced:
            self.replaced["uid", original] = replacement
        return new

    def _uid(self, original: str) -> str:
        new = uids.replace(self.keys.uids, original)
        if new != original:
            self.replaced["uid", original] = new
        return new

    def _shift(self, element: Element) -> bytes:
        if element.tag == _TIMEZONE:
            new = dates.keep_timezone(element.value)
        elif element.vr in _TEMPORAL:
            low, high = self.plan.document.shift_days
            days = identifiers.shift_in_days(self.keys.dates, self.patient, low, high)
            new = dates.shift(element.vr, element.value, days)
        else:
            new = None  # a VR that should not be here: nothing that could be shifted
        return self._dummy(element) if new is None else new

    def _pseudonym(self, element: Element) -> bytes:
        original = identifiers.normal(element.value)
        if not original:
            return b""
        kind = _KINDS[element.tag]
        if kind != "patient":
            new = identifiers.pseudonym(self.keys.identifiers, kind, original, "", identifiers.SH_DIGITS)
        elif element.tag == _PATIENT_NAME and not element.path:
            new = self.patient_pseudonym
        else:
            new = self._patient_id(original)
        if element.tag != _PATIENT_NAME:
            self.replaced[kind, original] = new
        return new.encode()

    def _private(self, element: Element) -> bytes | Verdict:  # noqa: PLR0911 - one per kind of element
        """PS3.15 E.3.10: known safe elements stay with the creators that reserve them; sequences are treated inside."""
        safe = self.plan.safe_private()
        if not safe:
            return REMOVE
        group, number = element.tag >> 16, element.tag & 0xFFFF
        if 0x10 <= number <= 0xFF:
            return RESERVE
        if not element.creator or number < 0x1000:
            return REMOVE
        vr = safe.get((element.creator, group, number & 0xFF))
        if element.vr == "SQ" or (element.vr == "UN" and (vr == "SQ" or element.value.startswith(_ITEM))):
            return DESCEND
        if vr is None or element.vr == "PN" or (element.vr in TEXT and vr not in TEXT and vr != "UN"):
            return REMOVE  # text where the table knows a number: this is not the element that it calls safe
        if element.vr != "UN" and element.vr in BINARY and vr not in BINARY:
            return REMOVE  # nor is this: bytes that may hold anything, data sets among them
        if "UI" in (vr, element.vr) and "retain-uids" not in self.plan.options:
            return self._replace_uids(element)
        temporal = element.vr if element.vr in _TEMPORAL else vr
        if temporal in _TEMPORAL and "retain-full-dates" not in self.plan.options:
            shifted = (
                self._shift(element._replace(vr=temporal)) if "retain-modified-dates" in self.plan.options else None
            )
            return REMOVE if shifted is None else shifted
        return KEEP
