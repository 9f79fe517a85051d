"""I3 and I6 for the header engine: no planted value survives but what the plan keeps, and all of that does."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import dcmread

from deid.attributes.keys import derive
from deid.attributes.rewrite import rewrite
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.part10.target import file_meta, write
from deid.pipeline import Pipeline
from deid.profile.options import OPTIONS
from deid.profile.plan import Plan, load_plan
from deid.profile.rule import Action
from deid.profile.shipped import shipped
from deid.standard import iods
from deid.standard.private import safe_elements

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.standard.iods import Attributes
    from tests.invariants.conftest import Planted, Tools

_CLASS = "1.2.840.10008.5.1.4.1.1."
CLASSES = {
    "CR": _CLASS + "1",
    "DX": _CLASS + "1.1",
    "MG": _CLASS + "1.2",
    "CT": _CLASS + "2",
    "enhanced CT": _CLASS + "2.1",
    "US multi-frame": _CLASS + "3.1",
    "MR": _CLASS + "4",
    "enhanced MR": _CLASS + "4.1",
    "SC": _CLASS + "7",
    "ECG": _CLASS + "9.1.1",
    "GSPS": _CLASS + "11.1",
    "XA": _CLASS + "12.1",
    "NM": _CLASS + "20",
    "SEG": _CLASS + "66.4",
    "WSI": _CLASS + "77.1.6",
    "enhanced SR": _CLASS + "88.22",
    "KO": _CLASS + "88.59",
    "PDF": _CLASS + "104.1",
    "PET": _CLASS + "128",
    "enhanced PET": _CLASS + "130",
    "RTDOSE": _CLASS + "481.2",
    "RTSTRUCT": _CLASS + "481.3",
    "RTPLAN": _CLASS + "481.5",
    "private": "1.2.826.0.1.3680043.9.9999.1",
}
PLANS = {name: (name, ()) for name in shipped()} | {
    name: ("basic", (name,)) for name, option in OPTIONS.items() if option.available
}
SYNTAXES = ("explicit", "implicit", "big")
KEYS = derive(bytes(range(32)))
TIMEZONE = 0x00080201
NEEDLES = re.compile(rb"ZQ\d{5}X|1\.2\.826\.0\.9\.\d{7}\.1|(?<![\d.])\d{8}|\.\d{6}(?!\d)|(?<!\d)7\d{6}\.5")
NEW_UID = re.compile(rb"2\.25\.\d+")
TEXTS = frozenset("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split())


@cache
def plan_of(name: str) -> Plan:
    return load_plan(*PLANS[name])


@dataclass
class Judge:
    """Compares an output with what the plan makes of the input; an account of its own, not the engine's."""

    plan: Plan
    syntax: str
    found: list[str] = field(default_factory=list)
    allowed: list[bytes] = field(default_factory=list)
    uids: dict[bytes, set[bytes]] = field(default_factory=dict)
    shifts: set[int] = field(default_factory=set)
    private: int = 0
    actions: dict[tuple[int, Attributes | None], Action] = field(default_factory=dict)

    def _action(self, tag: int, attributes: Attributes | None) -> Action:
        if (tag, attributes) not in self.actions:
            self.actions[tag, attributes] = self.plan.decide(tag, attributes, {}).action
        return self.actions[tag, attributes]

    def data_set(
        self, planted: list[Planted], made: dict[int, Any], attributes: Attributes | None, path: str = ""
    ) -> None:
        left = dict(made)
        creators = {
            each.tag: each.value for each in planted if each.tag & 0x10000 and 0x10 <= each.tag & 0xFFFF <= 0xFF
        }
        needed = set()
        for each in planted:
            if each.tag in creators:
                continue
            where = f"{path}/{each.tag:08X}"
            if each.tag & 0x10000:
                block = each.tag & 0xFFFF0000 | (each.tag & 0xFFFF) >> 8
                if self._private(each, creators.get(block, b"").decode().strip(), left, where):
                    needed.add(block)
            else:
                self._public(each, left, attributes, where)
        for tag, name in creators.items():
            if tag in needed and left.pop(tag, b"").strip(b" \0") != name.strip():
                self.found.append(f"{path}/{tag:08X}: the creator of a kept block is gone")
        self.found += [f"{path}/{tag:08X}: should not be here" for tag in left]

    def _public(self, each: Planted, left: dict[int, Any], attributes: Attributes | None, where: str) -> None:
        action = self._action(each.tag, attributes)
        new = left.pop(each.tag, None)
        if action is Action.REMOVE:
            self._expect(new is None, where, "should be removed")
            return
        if new is None:
            self._expect(False, where, f"is gone, action {action}")
        elif each.vr == "SQ":
            self._sequence(action, each, new, attributes, where)
        elif action is Action.KEEP:
            self._same(each, new, where)
        elif action is Action.UID:
            self.uids.setdefault(each.value, set()).add(new)
        elif action is Action.SHIFT:
            self._shifted(each, new, where)
        elif action is Action.EMPTY:
            self._expect(new == b"", where, "should be empty")
        else:
            self._expect(new.strip(b" ") not in (b"", each.value), where, f"should be another value, action {action}")

    def _sequence(
        self, action: Action, each: Planted, new: list[Any], attributes: Attributes | None, where: str
    ) -> None:
        if action is Action.KEEP:
            self._expect(len(new) == len(each.value), where, "has another number of items")
            within = attributes.items_of(each.tag) if attributes else None
            for number, (item, made) in enumerate(zip(each.value, new, strict=False)):
                self.data_set(item, made, within, f"{where}[{number}]")
        else:
            self._expect(bool(new) is (action is Action.DUMMY), where, f"items, action {action}")

    def _private(self, each: Planted, creator: str, left: dict[int, Any], where: str) -> bool:
        """Whether the element was kept (PS3.15 E.3.10)."""
        low = each.tag & 0xFF
        vr = safe_elements().get((creator, each.tag >> 16, low)) if "retain-safe-private" in self.plan.options else None
        if each.tag & 0xFFFF < 0x1000 or "retain-safe-private" not in self.plan.options or not creator:
            return False
        if each.vr == "SQ":
            # In implicit VR nobody can know that it is a sequence, unless its length is undefined.
            if each.tag in left:
                for item, made in zip(each.value, left.pop(each.tag), strict=True):
                    self.data_set(item, made, None, where)
                return True
            self._expect(self.syntax == "implicit" or creator == "ACME 1" or "98" in where, where, "is gone")
            return False
        if vr is None or (self.syntax != "implicit" and each.vr in TEXTS and vr not in TEXTS):
            return False
        self.private += 1
        if each.tag not in left:
            self._expect(False, where, "safe, but gone")
            return False
        if vr == "UI" and "retain-uids" not in self.plan.options:
            left.pop(each.tag)
        else:
            self._same(each, left.pop(each.tag), where)
        return True

    def _same(self, each: Planted, new: bytes, where: str) -> None:
        self.allowed.append(each.value)
        self._expect(new[: len(each.value)] == each.value and len(new) - len(each.value) < 2, where, "was changed")

    def _shifted(self, each: Planted, new: bytes, where: str) -> None:
        if each.vr in ("DA", "DT"):
            before, after = (date(int(day[:4]), int(day[4:6]), int(day[6:8])) for day in (each.value, new))
            self.shifts.add((after - before).days)
        time = each.value[8 if each.vr == "DT" else 0 :] if each.vr != "DA" else b""
        self.allowed.append(time)
        self._expect(new.strip().endswith(time), where, "the time of day has changed")

    def _expect(self, holds: bool, where: str, what: str) -> None:  # noqa: FBT001
        if not holds:
            self.found.append(f"{where}: {what}")


def needles(content: bytes) -> set[bytes]:
    return set(NEEDLES.findall(NEW_UID.sub(b"", content)))


@dataclass(frozen=True)
class Object:
    planted: list[Planted]
    needles: set[bytes]
    path: Path


@pytest.fixture(scope="module")
def objects(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Object]:
    folder = tmp_path_factory.mktemp("objects")

    @cache
    def body(syntax: str) -> tuple[list[Planted], set[bytes], bytes, bytes]:
        planted = tools.plant()
        before = [each for each in planted if each.tag < 0x00080016]
        after = [each for each in planted if each.tag > 0x00080016]
        every = needles(b"|".join(tools.values(planted)))
        return planted, every, tools.data_set(before, syntax), tools.data_set(after, syntax)

    @cache
    def made(name: str, syntax: str) -> Object:
        planted, every, before, after = body(syntax)
        sop_class = tools.element(0x00080016, "UI", CLASSES[name].encode())
        path = folder / f"{name}-{syntax}"
        path.write_bytes(tools.meta(CLASSES[name], syntax) + before + sop_class.encode(syntax) + after)
        return Object([*planted, sop_class], every, path)

    return made


def by_the_engine_alone(path: Path, plan: Plan, target: Path) -> bytes:
    """Rewritten and written without verification: what the safety net would catch has to show here."""
    source = open_source(path, Limits())
    try:
        new = rewrite(outline(source, Limits()), plan, KEYS)
        write(target, source, file_meta(new.sop_class, new.instance, source.transfer_syntax), new.pieces)
    finally:
        source.close()
    return target.read_bytes()


def syntax_of(name: str, profile: str) -> str:
    """Every class and every profile meets every encoding, but not all three at a time."""
    return SYNTAXES[(list(CLASSES).index(name) + list(PLANS).index(profile)) % 3]


@pytest.mark.parametrize("profile", PLANS)
@pytest.mark.parametrize("name", CLASSES)
def test_nothing_survives_but_what_the_plan_keeps_and_that_does(
    name: str, profile: str, objects: Any, tools: Tools, tmp_path: Path
) -> None:
    plan, syntax = plan_of(profile), syntax_of(name, profile)
    original = objects(name, syntax)
    content = by_the_engine_alone(original.path, plan, tmp_path / "new")
    made = tools.read(content[tools.start_of_data_set(content) :], syntax)
    claims = {tag: made.pop(tag, None) for tag in tools.claims}
    assert all(claims.values())
    judge = Judge(plan, syntax)
    judge.data_set(original.planted, made, iods.attributes_of(CLASSES[name]))
    assert not judge.found
    assert len(original.needles) > 2000
    survived = needles(content) & original.needles - needles(b"|".join(judge.allowed))
    assert not survived
    assert b"ZQMETAX" not in content
    assert b"ZQZQ" not in content

    # One patient, one shift; one UID, one replacement; different UIDs, different replacements.
    assert len(judge.shifts) == ("retain-modified-dates" in plan.options)
    assert all(-1825 <= days <= -30 for days in judge.shifts)
    assert all(len(new) == 1 for new in judge.uids.values())
    new_uids = [next(iter(new)).rstrip(b"\0") for new in judge.uids.values()]
    assert len(set(new_uids)) == len(new_uids)
    assert all(NEW_UID.fullmatch(uid) and len(uid) <= 64 for uid in new_uids)
    assert bool(judge.private) is ("retain-safe-private" in plan.options)


@pytest.mark.parametrize("profile", PLANS)
def test_verification_releases_what_the_engine_made_and_changes_nothing(
    profile: str, objects: Any, tmp_path: Path
) -> None:
    plan = plan_of(profile)
    pipeline = Pipeline(plan, KEYS, Limits(), tmp_path)
    for name in list(CLASSES)[list(PLANS).index(profile) % 3 :: 3]:
        original = objects(name, syntax_of(name, profile))
        before = original.path.read_bytes()
        made, alone = tmp_path / f"{name}.dcm", tmp_path / f"{name}.engine"
        result = pipeline.deidentify(original.path, made)
        assert made.read_bytes() == by_the_engine_alone(original.path, plan, alone)
        assert original.path.read_bytes() == before
        assert not needles(repr(result.changes).encode()) & original.needles


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", CLASSES)
def test_pydicom_reads_the_result_without_a_complaint(name: str, syntax: str, objects: Any, tmp_path: Path) -> None:
    by_the_engine_alone(objects(name, syntax).path, plan_of("basic"), tmp_path / "new")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Expected implicit VR, but found explicit VR|Invalid value for VR|The value")
        read = dcmread(tmp_path / "new")
        assert sum(1 for _ in read.iterall()) > 100
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert read.file_meta.MediaStorageSOPClassUID == read.SOPClassUID == CLASSES[name]
