"""An object that carries every attribute the plan knows, each with a value of its own, and readers that share nothing.

Planted values are made so that no other value, original or new, can be taken for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Any

import pytest

from deid.standard import table
from deid.standard.dictionary import tag_of, vr_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SYNTAXES = {"explicit": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2", "big": "1.2.840.10008.1.2.2"}
SHARED_UID = "1.2.826.0.9.9999999.1"
DAYS_APART = 2003  # farther than any shift, so that no shifted date is another planted one
FIRST_DAY = date(2000, 1, 2)
PRIVATE_SEQUENCES = frozenset({0x20051098, 0x20051099})
WITHOUT_ROW = ("SharedFunctionalGroupsSequence", "PixelMeasuresSequence", "AnatomicRegionSequence")
CLAIMS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})


@dataclass(frozen=True)
class Planted:
    """One data element; the value of a sequence is a list of items."""

    tag: int
    vr: str
    value: Any

    def encode(self, syntax: str) -> bytes:
        order, group, element = ">" if syntax == "big" else "<", self.tag >> 16, self.tag & 0xFFFF
        length = -1
        if self.vr == "SQ":
            undefined = self.tag % 3 == 0
            value = b"".join(item(each, syntax, undefined=self.tag % 2 == 0) for each in self.value)
            length = -1 if undefined else len(value)
            value += pack(order + "HHI", 0xFFFE, 0xE0DD, 0) * undefined
        else:
            padding = b"\0" if self.vr in ("UI", "OB", "UN") else b" "
            value = self.value + padding * (len(self.value) % 2)
            length = len(value)
        if syntax == "implicit":
            return pack("<HHi", group, element, length) + value
        if self.vr in LONG:
            return pack(order + "HH2sHi", group, element, self.vr.encode(), 0, length) + value
        return pack(order + "HH2sH", group, element, self.vr.encode(), length) + value


def item(elements: Iterable[Planted], syntax: str, *, undefined: bool) -> bytes:
    order, content = ">" if syntax == "big" else "<", data_set(elements, syntax)
    if undefined:
        return pack(order + "HHi", 0xFFFE, 0xE000, -1) + content + pack(order + "HHI", 0xFFFE, 0xE00D, 0)
    return pack(order + "HHI", 0xFFFE, 0xE000, len(content)) + content


def data_set(elements: Iterable[Planted], syntax: str) -> bytes:
    return b"".join(each.encode(syntax) for each in sorted(elements, key=lambda each: each.tag))


def meta(sop_class: str, syntax: str) -> bytes:
    elements = (
        Planted(0x00020001, "OB", b"\0\1"),
        Planted(0x00020002, "UI", sop_class.encode()),
        Planted(0x00020003, "UI", b"1.2.826.0.9.8888888.1"),
        Planted(0x00020010, "UI", SYNTAXES[syntax].encode()),
        Planted(0x00020016, "AE", b"ZQMETAX"),
    )
    body = data_set(elements, "explicit")
    return b"ZQ" * 64 + b"DICM" + Planted(0x00020000, "UL", pack("<I", len(body))).encode("explicit") + body


def tag(keyword: str) -> int:
    found = tag_of(keyword)
    assert found is not None, keyword
    return found


def read(content: bytes, syntax: str) -> dict[int, Any]:
    """A data set as tag -> bytes, or -> list of items."""
    found, _ = _read(content, 0, len(content), syntax)
    return found


def _read(content: bytes, pos: int, end: int, syntax: str) -> tuple[dict[int, Any], int]:
    order = ">" if syntax == "big" else "<"
    found: dict[int, Any] = {}
    previous = -1
    while pos < end:
        group, element = unpack_from(order + "HH", content, pos)
        number = group << 16 | element
        if number == 0xFFFEE00D:
            return found, pos + 8
        if syntax == "implicit":
            length, pos = unpack_from("<I", content, pos + 4)[0], pos + 8
            vr = "SQ" if number in PRIVATE_SEQUENCES else vr_of(number) or "UN"
        else:
            vr, length = content[pos + 4 : pos + 6].decode(), unpack_from(order + "H", content, pos + 6)[0]
            pos += 8
            if vr in LONG:
                length, pos = unpack_from(order + "I", content, pos)[0], pos + 4
        assert number > previous, f"{number:08X} is out of order"
        previous = number
        if vr == "SQ" or length == 0xFFFFFFFF:
            found[number], pos = _items(content, pos, end if length == 0xFFFFFFFF else pos + length, syntax)
        else:
            found[number] = content[pos : pos + length]
            pos += length
            assert length % 2 == 0, f"{number:08X} has an odd length"
    assert pos == end
    return found, pos


def _items(content: bytes, pos: int, end: int, syntax: str) -> tuple[list[dict[int, Any]], int]:
    order = ">" if syntax == "big" else "<"
    found: list[dict[int, Any]] = []
    while pos < end:
        _, element, length = unpack_from(order + "HHI", content, pos)
        pos += 8
        if element == 0xE0DD:
            return found, pos
        each, pos = _read(content, pos, end if length == 0xFFFFFFFF else pos + length, syntax)
        found.append(each)
    return found, pos


@dataclass
class Planter:
    """Makes values that occur once."""

    number: int = 0
    days: int = 0

    def value(self, vr: str) -> bytes:
        self.number += 1
        self.days += vr in ("DA", "DT")
        number = self.number
        day = f"{FIRST_DAY + timedelta(self.days * DAYS_APART):%Y%m%d}"
        made = {
            "UI": f"1.2.826.0.9.{number:07d}.1",
            "DA": day,
            "DT": f"{day}121314.{number:06d}",
            "TM": f"101112.{number:06d}",
            "DS": f"7{number:06d}.5",
            "IS": f"7{number:06d}",
            "AS": f"{number % 1000:03d}D",
        }
        if vr in made:
            return made[vr].encode()
        if vr in ("US", "SS"):
            return pack("<H", 0x7000 + number)
        if vr in ("FD", "SV", "UV", "OD", "OV"):
            return pack("<Q", 0x4050607080000000 + number)
        if vr in ("UL", "SL", "FL", "AT"):
            return pack("<I", 0x40506000 + number)
        return b"ZQ%05dX" % number

    def element(self, where: int, vr: str) -> Planted:
        vr = vr.split(maxsplit=1)[0]
        if where == 0x00080201:
            return Planted(where, vr, b"+0130")
        if where == 0x00420012:
            return Planted(where, vr, b"application/pdf")
        if vr == "SQ":
            return Planted(where, vr, [self.inside(), [self.element(tag("PatientName"), "PN")]])
        return Planted(where, vr, self.value(vr))

    def inside(self) -> list[Planted]:
        """What a planted sequence holds: with and without a row of its own, and one level more."""
        return [
            Planted(0x00080000, "UL", pack("<I", 42)),
            Planted(tag("ReferencedSOPClassUID"), "UI", b"1.2.840.10008.5.1.4.1.1.2"),
            Planted(tag("ReferencedSOPInstanceUID"), "UI", SHARED_UID.encode()),
            *(
                self.element(tag(word), vr_of(tag(word)) or "")
                for word in ("StudyDate", "CodeValue", "CodeMeaning", "PatientName", "BodyPartExamined", "FrameType")
            ),
            Planted(tag("PurposeOfReferenceCodeSequence"), "SQ", [[self.element(tag("PersonName"), "PN")]]),
        ]

    def public(self) -> list[Planted]:
        """Every row, every repeating group, and attributes that stay."""
        where = {int(row.pattern, 16): row.vr for row in (*table.rows(), *table.supplement()) if row.vr != "*"
                 and "x" not in row.pattern}  # fmt: skip
        for number in (0x50003000, 0x501E2500, 0x60003000, 0x60004000, 0x600A3000, 0x601E4000, 0x60000022):
            where[number] = "LT" if number & 0xFFFF in (0x4000, 0x2500, 0x0022) else "OW"
        for word in (
            "BodyPartExamined SliceThickness Rows Modality ConvolutionKernel ContrastBolusRoute ViewCodeSequence "
            "DeviceSequence ImageType"
        ).split():
            where[tag(word)] = vr_of(tag(word)) or ""
        where |= {0x00420012: "LO", 0x00080000: "UL", 0x00040010: "LO", 0x000000AA: "LO", 0x0008FFF0: "LO"}
        return [self.element(number, vr) for number, vr in sorted(where.items())]

    def private(self) -> list[Planted]:
        """Blocks: nobody's, safe ones in two numbers, two in one group, one without a creator, and sequences."""
        blocks = {
            (0x0009, 0x10, "ACME 1"): [(0x01, "LO"), (0x02, "PN"), (0x03, "UI"), (0x04, "DA")],
            (0x0019, 0x10, "SIEMENS MR HEADER"): [(0x0C, "IS"), (0x0D, "CS"), (0x0F, "LO")],
            (0x0019, 0x2F, "GEMS_ACQU_01"): [(0x23, "DS"), (0x0C, "LO")],
            (0x0019, 0x30, "ACME 1"): [(0x0C, "IS")],
            (0x0019, 0x31, "SIEMENS MR HEADER"): [(0x99, "LO")],
            (0x0021, 0x10, "SIEMENS MR HEADER"): [(0x0C, "IS")],
            (0x0025, 0x20, "GEMS_SERS_01"): [(0x07, "SL")],
            (0x0099, 0x11, "NQHeader"): [(0x01, "UI"), (0x02, "UN")],
            (0x2001, 0xFF, "Philips Imaging DD 001"): [(0x01, "FL"), (0x02, "LO"), (0x03, "UN"), (0xAA, "LO")],
        }
        made = [Planted(0x00190001, "LO", self.value("LO")), Planted(0x00270000, "UL", b"\0\0\0\1")]
        for (group, block, creator), elements in blocks.items():
            made.append(Planted(group << 16 | block, "LO", creator.encode()))
            made += [self.element(group << 16 | block << 8 | low, vr) for low, vr in elements]
        made.append(self.element(0x00190000 | 0x32 << 8 | 0x0C, "IS"))  # nobody reserved this block
        made += [
            Planted(0x20050010, "LO", b"Philips MR Imaging DD 001 "),
            Planted(0x20051099, "SQ", [[*self.inside(), Planted(0x20050010, "LO", b"Philips MR Imaging DD 001"),
                                        self.element(0x2005100D, "FL"), self.element(0x20051016, "LO")]]),
            Planted(0x20051098, "SQ", [[Planted(0x20050010, "LO", b"ACME 1"), self.element(0x2005100D, "LO")]]),
        ]  # fmt: skip
        return made

    def object(self) -> list[Planted]:
        """Everything at the top level, and again three levels deep in sequences that no rule names."""
        deep = [*self.public(), *self.private()]
        for word in reversed(WITHOUT_ROW):
            deep = [Planted(tag(word), "SQ", [deep, self.inside()])]
        top = [each for each in self.public() if each.tag not in CLAIMS]
        return [*top, *self.private(), *deep]


class Tools:
    """What the tests of this folder share."""

    claims = CLAIMS
    element = Planted
    read = staticmethod(read)
    meta = staticmethod(meta)
    data_set = staticmethod(data_set)
    item = staticmethod(item)

    @staticmethod
    def plant() -> list[Planted]:
        """Everything but the SOP Class UID."""
        return Planter().object()

    @staticmethod
    def start_of_data_set(content: bytes) -> int:
        return 144 + int(unpack_from("<I", content, 140)[0])

    @classmethod
    def values(cls, elements: Iterable[Planted]) -> list[bytes]:
        """Every planted value, at every depth."""
        found: list[bytes] = []
        for each in elements:
            if each.vr == "SQ":
                for inside in each.value:
                    found += cls.values(inside)
            else:
                found.append(each.value)
        return found


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
