"""What no rule names is published byte for byte, and what a rule names is not: an oracle that shares no code with us.

It reads both files with a parser of its own, takes VRs from pydicom and the codes from the printed tables, and judges
every element at every depth. Of Types it knows nothing: where a code lets the IOD decide, each outcome will do.
"""

from __future__ import annotations

import csv
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import UID

from deid.attributes.keys import derive
from deid.errors import DeidError
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.profile.options import OPTIONS
from deid.profile.plan import load_plan

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "deid" / "standard" / "data"
RETAIN = tuple(name for name, option in OPTIONS.items() if name.startswith("retain-") and option.available)
VARIANTS = (("basic", ()), ("teleradiology", ()), *(("basic", (name,)) for name in RETAIN))

UNDEFINED = 0xFFFFFFFF
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
TEMPORAL = frozenset({"DA", "TM", "DT"})
CLAIMS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
PSEUDONYMS = frozenset({PATIENT_ID, 0x00080050, 0x00200010})
NOT_IN_TABLE = {0x00102298: "Responsible Person Role may not stand beside a Responsible Person without value"}
CODES = frozenset({0x00080100, 0x00080102, 0x00080104})
DOCUMENT, DOCUMENT_LENGTH = 0x00420011, 0x00420015
ICC_PROFILE = 0x00282000
DUMMIES = frozenset(
    {b"", b"ANONYMIZED", b"000Y", b"19000101", b"19000101000000", b"000000", b"0", b"+0000", b"O", b"COERCE"}
    | {b"http://anonymized.invalid/"}
)


class Node(NamedTuple):
    vr: str
    value: bytes  # as encoded, delimiters included
    items: list[dict[int, Node]] | None


@dataclass
class Parser:
    """Elements of one data set, whatever its encoding (PS3.5 7)."""

    data: bytes
    order: str

    def data_set(self, pos: int, end: int, *, explicit: bool, top: bool = False) -> tuple[dict[int, Node], int]:
        found: dict[int, Node] = {}
        while pos < end:
            group, element = struct.unpack_from(self.order + "HH", self.data, pos)
            tag = group << 16 | element
            if tag == 0xFFFEE00D:
                return found, pos + 8
            vr = self.data[pos + 4 : pos + 6] if explicit else b""
            if explicit and vr not in LONG:
                length, pos = struct.unpack_from(self.order + "H", self.data, pos + 6)[0], pos + 8
            else:
                skip = 8 if explicit else 4
                length, pos = struct.unpack_from(self.order + "I", self.data, pos + skip)[0], pos + skip + 4
            known = dictionary_VR(tag).split()[0] if dictionary_has_tag(tag) else "UN"
            if group & 1 and vr in (b"", b"UN") and self.holds_items(pos, length):
                known = "SQ"  # private, and nothing but its value tells
            name = known if vr in (b"", b"UN") else vr.decode()
            items, start = None, pos
            if length == UNDEFINED and name in ("OB", "OW"):
                pos = self.fragments(pos)
            elif name == "SQ" or length == UNDEFINED:
                stop = end if length == UNDEFINED else pos + length
                inner = explicit and vr != b"UN"
                items, pos = self.items(pos, stop, explicit=inner, delimited=length == UNDEFINED)
            else:
                pos += length
            assert pos <= end
            found[tag] = Node(name, self.data[start:pos], items)
            if top and tag in PIXELS:
                break  # nothing that may stay follows
        return found, pos

    def items(self, pos: int, stop: int, *, explicit: bool, delimited: bool) -> tuple[list[dict[int, Node]], int]:
        found = []
        while pos < stop:
            group, element, length = struct.unpack_from(self.order + "HHI", self.data, pos)
            pos += 8
            if delimited and (group, element) == (0xFFFE, 0xE0DD):
                break
            assert (group, element) == (0xFFFE, 0xE000)
            item, pos = self.data_set(pos, stop if length == UNDEFINED else pos + length, explicit=explicit)
            found.append(item)
        return found, pos

    def holds_items(self, pos: int, length: int) -> bool:
        if self.data[pos : pos + 4] != b"\xfe\xff\0\xe0" or length == UNDEFINED:
            return length == UNDEFINED
        try:
            self.items(pos, pos + length, explicit=False, delimited=False)
        except (AssertionError, struct.error, UnicodeDecodeError):
            return False  # it only begins like one
        return True

    def fragments(self, pos: int) -> int:
        while True:
            group, element, length = struct.unpack_from(self.order + "HHI", self.data, pos)
            pos += 8
            if (group, element) == (0xFFFE, 0xE0DD):
                return pos
            assert (group, element) == (0xFFFE, 0xE000)
            pos += length


class File(NamedTuple):
    transfer_syntax: str
    elements: dict[int, Node]
    trailing: bytes


def read(path: Path) -> File:
    data = path.read_bytes()
    start = 132 if data[128:132] == b"DICM" else 0
    meta = Parser(data, "<")
    end = start
    while data[end : end + 2] == b"\x02\0":
        long = data[end + 4 : end + 6] in LONG
        form, at, value = ("<I", 8, 12) if long else ("<H", 6, 8)
        end += value + struct.unpack_from(form, data, end + at)[0]
    syntax = meta.data_set(start, end, explicit=True)[0][0x00020010].value.decode().strip(" \0")
    data_set = data[end:]
    if syntax == "1.2.840.10008.1.2.1.99":
        data_set = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set)
    parser = Parser(data_set, ">" if syntax == "1.2.840.10008.1.2.2" else "<")
    elements, after = parser.data_set(0, len(data_set), explicit=syntax != "1.2.840.10008.1.2", top=True)
    return File(syntax, elements, data_set[after:])


def _table(name: str) -> list[dict[str, str]]:
    with (TABLES / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@cache
def rows() -> dict[int, dict[str, str]]:
    return {
        int(row["tag"], 16): row
        for name in ("e1_1.csv", "supplement.csv")
        for row in _table(name)
        if re.fullmatch("[0-9A-F]{8}", row["tag"])
    }


def demanded(tag: int, options: frozenset[str]) -> str:
    """KEEP, GONE, PRIVATE, SHIFT, or a code of Table E.1-1a."""
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        return "PRIVATE"
    if group < 0x0008 or not element or group & 0xFFE1 in (0x5000, 0x6000) or tag in NOT_IN_TABLE:
        return "GONE"
    row = rows().get(tag)
    if row is None:
        return "KEEP" if dictionary_has_tag(tag) else "GONE"
    codes = {option: row.get(option) or "" for option in options}
    if codes.get("retain-modified-dates") == "C" and (dictionary_VR(tag) in TEMPORAL or tag == 0x00080201):
        return "SHIFT"
    return "KEEP" if "K" in codes.values() else row["basic"]


@dataclass
class Judge:
    """Compares, and remembers what became of each UID and identifier, because that has to be the same everywhere."""

    options: frozenset[str]
    new_of: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    old_of: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    days: set[int] = field(default_factory=set)

    def objects(self, before: File, after: File) -> Iterator[str]:
        """Everything that is wrong with one published object."""
        self.days = set()
        if before.transfer_syntax != after.transfer_syntax:
            yield "the transfer syntax changed"
        if after.trailing:
            yield "bytes follow the data set"
        if list(before.elements) == sorted(before.elements) and list(after.elements) != sorted(after.elements):
            yield "elements are out of order"
        name, patient = (after.elements.get(tag) for tag in (PATIENT_NAME, PATIENT_ID))
        if name and patient and name.value and patient.value and name.value != patient.value:
            yield "name and ID of the patient have different pseudonyms"
        if missing := CLAIMS - {0x00120064} - after.elements.keys():
            yield f"claims are missing: {missing}"
        method, old = (file.elements.get(0x00120063) for file in (after, before))
        if method and old and not method.value.startswith(old.value.strip(b" \0")):
            yield "what was said of earlier de-identification is lost"
        yield from self.data_sets(_without_claims(before), _without_claims(after), "")
        if len(self.days) > 1:
            yield "dates of one object moved by different numbers of days"

    def data_sets(self, before: dict[int, Node], after: dict[int, Node], path: str) -> Iterator[str]:
        for tag in after.keys() - before.keys():
            yield f"{path}{tag:08X} appeared"
        for tag, node in before.items():
            for fault in self.elements(tag, node, after.get(tag), f"{path}{tag:08X}"):
                yield f"{path}{tag:08X} {fault}" if fault[:1].islower() else fault
        yield from self.safe_private(before, after, path)

    def elements(self, tag: int, old: Node, new: Node | None, path: str) -> Iterator[str]:
        code = demanded(tag, self.options)
        if code == "KEEP":
            yield from self.coloured(old, new) if tag == ICC_PROFILE and new else self.kept(old, new, path)
        elif code == "GONE" or (code == "PRIVATE" and "retain-safe-private" not in self.options):
            if new is not None:
                yield "was not removed"
        elif new is None:
            if code[0] not in "XP":
                yield f"is absent, but its code is {code}"
        elif code == "PRIVATE":
            yield from self.private(old, new, path)
        elif old.items is not None:
            yield from self.sequences(code, old, new, path)
        elif old.value or new.value:
            yield from self.values(code, tag, old, new)

    def values(self, code: str, tag: int, old: Node, new: Node) -> Iterator[str]:
        if code == "SHIFT":
            yield from self.shifted(old, new)
        elif old.vr == "UI":
            yield from self.replaced("UI", old, new)
        elif tag in PSEUDONYMS and new.value:
            yield from self.replaced(f"{tag:08X}", old, new, b"[0-9]+")
        elif tag == PATIENT_NAME and new.value:
            if not re.fullmatch(b"[0-9]+ ?", new.value):  # goes with the Patient ID: one name may have several
                yield "is no pseudonym"
        elif tag in (DOCUMENT, DOCUMENT_LENGTH):
            if new.value == old.value or not new.value:
                yield "still tells of the document"
        elif new.value.strip(b" \0") not in DUMMIES:
            yield f"holds neither a dummy nor nothing, code {code}"
        elif not new.value and code == "D":
            yield "is empty, but its code is D"

    @staticmethod
    def coloured(old: Node, new: Node) -> Iterator[str]:
        if new.value[8:24] != old.value[8:24] or re.search(rb"[ -~]{12}", new.value[128:]):
            yield "is of other colours, or says something"

    def kept(self, old: Node, new: Node | None, path: str) -> Iterator[str]:
        if new is None:
            yield "was lost, though no rule removes it"
        elif old.items is None or new.items is None:
            if (old.vr, old.value) != (new.vr, new.value):
                yield "changed, though no rule names it"
        elif len(old.items) != len(new.items):
            yield "has another number of items"
        else:
            for number, (one, other) in enumerate(zip(old.items, new.items, strict=True)):
                yield from self.data_sets(one, other, f"{path}[{number}].")

    def sequences(self, code: str, old: Node, new: Node, path: str) -> Iterator[str]:
        if not new.items:
            if code == "D" and old.items:
                yield "is empty, but its code is D"
        elif code == "X/Z/U*" or path.endswith(("00081110", "00081111")):
            yield from self.kept(old, new, path)  # the UIDs inside have rules of their own
        elif not _leaves(new).isdisjoint(_leaves(old)):
            yield "holds something of the original"

    def replaced(self, kind: str, old: Node, new: Node, pattern: bytes = rb"2\.25\.[0-9]{30,39}") -> Iterator[str]:
        olds, news = ([part.strip(b" \0") for part in node.value.split(b"\\")] for node in (old, new))
        if kind != "UI":
            olds, news = [old.value.strip(b" \0")], [new.value.strip(b" \0")]
        if len(olds) != len(news):
            yield "has another number of values"
        for one, other in zip(olds, news, strict=False):
            if not one or (kind == "UI" and is_registered(one.decode("latin-1"))):
                if one != other:
                    yield "changed, though there is nothing to hide"
            elif not re.fullmatch(pattern, other):
                yield "was not replaced"
            elif (
                self.new_of.setdefault((kind, one), other) != other or self.old_of.setdefault((kind, other), one) != one
            ):
                yield "was replaced by something else elsewhere"

    def shifted(self, old: Node, new: Node) -> Iterator[str]:
        if new.value.strip(b" \0") in DUMMIES:
            if re.fullmatch(rb"(19[1-9]|20\d)\d(0[1-9]|1[0-2])(0[1-9]|1\d|2[0-8]) *", old.value):
                yield "became a dummy, though it is a date"
            return
        olds, news = ([part.strip(b" \0") for part in node.value.split(b"\\")] for node in (old, new))
        for one, other in zip(olds, news, strict=True):
            if old.vr in ("DA", "DT") and len(one) >= 8 and one[:8].isdigit():
                self.days.add((_date(other) - _date(one)).days)
                one, other = one[8:], other[8:]  # noqa: PLW2901 - the time of day is compared below
            if old.vr in ("TM", "DT") and one != other:
                yield "has another time of day"

    def private(self, old: Node, new: Node, path: str) -> Iterator[str]:
        """PS3.15 E.3.10: what stays is as it was, but for UIDs; in a sequence, items may lose elements."""
        if old.items is not None and new.items is not None:
            for one, other in zip(old.items, new.items, strict=True):
                yield from self.data_sets(one, other, f"{path}.")
        elif old.value != new.value and not re.fullmatch(rb"2\.25\.[0-9]{30,39}\0?", new.value):
            yield "changed, though it is safe"

    def safe_private(self, before: dict[int, Node], after: dict[int, Node], path: str) -> Iterator[str]:
        """Every element of Table E.3.10-1 stays, except where its VR needs more care; and no other one does."""
        if "retain-safe-private" not in self.options:
            return
        for tag, node in before.items():
            if tag >> 16 & 1 and tag & 0xFFFF >= 0x1000:
                creator = before.get(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8)
                name = creator.value.decode("latin-1").strip(" \0") if creator else ""
                vr = safe_elements().get((name, tag >> 16, tag & 0xFF))
                careful = {"SQ", "UI", "PN", *TEMPORAL}
                if vr and not {vr, node.vr} & careful and node.items is None and tag not in after:
                    yield f"{path}{tag:08X} was lost, though Table E.3.10-1 calls it safe"
                if vr is None and tag in after and node.items is None:
                    yield f"{path}{tag:08X} stays, though nobody calls it safe"


@cache
def is_registered(uid: str) -> bool:
    return UID(uid, IGNORE).name != uid


@cache
def safe_elements() -> dict[tuple[str, int, int], str]:
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"]
        for row in _table("safe_private.csv")
    }


def _date(text: bytes) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _without_claims(file: File) -> dict[int, Node]:
    return {tag: node for tag, node in file.elements.items() if tag not in CLAIMS}


def _leaves(node: Node) -> set[bytes]:
    """All values in a sequence that could tell something: no dummies, and no words that DICOM defines."""
    found = set()
    for item in node.items or ():
        for tag, inner in item.items():
            if inner.items is not None:
                found |= _leaves(inner)
            elif inner.vr not in ("CS", "FL", "US") and tag not in CODES:
                found.add(inner.value)
    return {value for value in found if value.strip(b" \0") not in DUMMIES}


def _faults(folder: Path, variant: tuple[str, tuple[str, ...]], scratch: Path) -> tuple[list[tuple[str, str]], int]:
    plan = load_plan(*variant)
    pipeline = Pipeline(plan, derive(b"k" * 32), Limits(), scratch)
    judge = Judge(plan.options)
    faults, released = [], 0
    for source in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = scratch / "published.dcm"
        try:
            pipeline.deidentify(source, target)
        except DeidError:
            continue  # held: nothing is published
        released += 1
        faults += [(source.name, fault) for fault in judge.objects(read(source), read(target))]
        target.unlink()
    return faults, released


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "+".join((variant[0], *variant[1])))
def test_samples(variant: tuple[str, tuple[str, ...]], tmp_path: Path) -> None:
    faults, released = _faults(ROOT / "samples/studies", variant, tmp_path)
    assert released >= 12
    assert not faults


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "+".join((variant[0], *variant[1])))
def test_real_files(variant: tuple[str, tuple[str, ...]], tmp_path: Path, corpus: Path) -> None:
    faults, released = _faults(corpus, variant, tmp_path)
    assert released > 300
    assert not faults


def test_the_oracle_sees_what_was_not_done(tmp_path: Path) -> None:
    source, target = ROOT / "samples/studies/CT/IM000001", tmp_path / "published.dcm"
    plan = load_plan("basic")
    Pipeline(plan, derive(b"k" * 32), Limits(), tmp_path).deidentify(source, target)
    before, after = read(source), read(target)
    untouched = list(Judge(plan.options).objects(before, before))
    assert {"00100010 is no pseudonym", "00080018 was not replaced", "00090010 was not removed"} <= set(untouched)
    assert "00100030 holds neither a dummy nor nothing, code Z" in untouched
    for tag in after.elements.keys() - CLAIMS:
        others = {other: node for other, node in after.elements.items() if other != tag}
        lost = list(Judge(plan.options).objects(before, after._replace(elements=others)))
        assert lost or demanded(tag, plan.options)[0] == "X"
        node = Node(after.elements[tag].vr, after.elements[tag].value[:-1] + b"?", None)
        changed = dict(sorted({**others, tag: node}.items()))
        assert list(Judge(plan.options).objects(before, after._replace(elements=changed)))
