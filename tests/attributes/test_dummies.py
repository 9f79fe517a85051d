from __future__ import annotations

import re
import struct
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag
from pydicom.filereader import read_dataset

from deid.attributes import dummies
from deid.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, FORMS, IMPLICIT_LITTLE, encode
from deid.profile.plan import load_plan
from deid.profile.rule import Action
from deid.standard import iods, table
from deid.standard.dictionary import name_of, vr_of

if TYPE_CHECKING:
    from deid.part10.encoding import Encoding
    from deid.standard.iods import Attributes

_TIME = rb"([01]\d|2[0-3])[0-5]\d[0-5]\d"
LEGAL = {
    **dict.fromkeys(("LO", "SH", "PN", "ST", "LT", "UT", "UC"), rb"[ -\[\]-~]+"),
    "AE": rb"[!-\[\]-~]{1,16}",
    "AS": rb"\d{3}[DWMY]",
    "CS": rb"[A-Z0-9 _]{1,16}",
    "DA": rb"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])",
    "DT": rb"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])" + _TIME,
    "TM": _TIME,
    "DS": rb"[+-]?\d+(\.\d+)?",
    "IS": rb"[+-]?\d{1,12}",
    "UR": rb"[a-z]+://[a-z.]+/",
    **dict.fromkeys(("OB", "UN"), rb"(?s:..)+"),
    **dict.fromkeys(("OW", "SS", "US"), rb"(?s:..)+"),
    **dict.fromkeys(("AT", "FL", "OF", "OL", "SL", "UL"), rb"(?s:....)+"),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), rb"(?s:.{8})+"),
}
LONGEST = {"AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "SH": 16, "TM": 14}
ENCODINGS = {"explicit": EXPLICIT_LITTLE, "implicit": IMPLICIT_LITTLE, "big": EXPLICIT_BIG}


@pytest.mark.parametrize("vr", sorted(vr.decode() for vr in FORMS if vr not in (b"UI", b"SQ")))
def test_a_dummy_is_legal_for_its_vr(vr: str) -> None:
    made = dummies.value(0x00091001, vr)
    assert re.fullmatch(LEGAL[vr], made)
    assert len(made) <= LONGEST.get(vr, 1 << 16)


def test_the_dummies_of_single_attributes_are_legal_too() -> None:
    for row in (*table.rows(), *table.supplement()):
        if row.vr not in ("*", "SQ", "UI") and "x" not in row.pattern:
            tag, vr = int(row.pattern, 16), row.vr.split()[0]
            made = dummies.value(tag, vr)
            legal = rb"[+-]\d{4}" if tag == 0x00080201 else LEGAL[vr]
            assert re.fullmatch(legal, made), row
            assert len(made) <= LONGEST.get(vr, 1 << 16), row


def read(tag: int, encoding: Encoding) -> list[Dataset]:
    element = encode(tag, "SQ", dummies.items(tag, encoding), encoding)
    found = read_dataset(BytesIO(element), not encoding.explicit, not encoding.big_endian)[tag]
    assert isinstance(found, DataElement)
    return list(found.value)


SEQUENCES = sorted(
    int(row.pattern, 16) for row in (*table.rows(), *table.supplement()) if row.vr == "SQ" and "x" not in row.pattern
)


@pytest.mark.parametrize("name", ENCODINGS)
def test_items_parse_in_every_encoding_and_their_values_are_legal(name: str) -> None:
    for tag in SEQUENCES:
        if not dictionary_has_tag(tag):
            continue  # newer than pydicom, which then cannot know that it is a sequence
        items = read(tag, ENCODINGS[name])
        assert len(items) == 1
        for element in items[0].iterall():
            if element.VR in ("CS", "LO", "SH", "ST", "UT", "DT", "PN"):
                assert re.fullmatch(LEGAL[element.VR], str(element.value).encode()), element.tag
            assert vr_of(int(element.tag)) == element.VR, element.tag
        tags = [int(element.tag) for element in items[0]]
        assert tags == sorted(tags)


def test_numbers_in_items_follow_the_byte_order() -> None:
    for encoding in ENCODINGS.values():
        graphic = read(0x00700001, encoding)[0].TextObjectSequence[0]
        assert list(graphic.AnchorPoint) == [0.0, 0.0]
    assert struct.pack(">f", 0.0) == struct.pack("<f", 0.0)


def nodes() -> dict[Attributes, str]:
    """Every set of attributes of every IOD, with a path that leads there."""
    found: dict[Attributes, str] = {}
    waiting = [
        (attributes, uid) for uid in iods._tables()["sop_to_iod"] if (attributes := iods.attributes_of(uid)) is not None
    ]
    while waiting:
        node, path = waiting.pop()
        if node in found:
            continue
        found[node] = path
        for tag in node.tags():
            within = node.items_of(tag)
            if within is not None:
                waiting.append((within, f"{path}.{name_of(tag)}"))
    return found


CONTENT = 0x0040A730
"""Content Sequence: what its items need depends on their value type, and the tables take all types together."""


def test_a_minimal_content_item_is_a_text_with_a_concept() -> None:
    item = read(CONTENT, EXPLICIT_LITTLE)[0]
    assert (item.RelationshipType, item.ValueType) == ("CONTAINS", "TEXT")
    assert item.TextValue
    assert item.ConceptNameCodeSequence[0].CodeMeaning


def test_a_minimal_item_has_all_that_its_iod_requires() -> None:
    plan = load_plan()
    missing = set()
    for node, path in nodes().items():
        for tag in set(SEQUENCES) - {CONTENT}:
            within = node.items_of(tag)
            if within is not None and plan.decide(tag, node).action is Action.DUMMY:
                item = read(tag, EXPLICIT_LITTLE)[0]
                missing |= {
                    (path, name_of(tag), name_of(each))
                    for each in within.tags()
                    if within.type_of(each) in ("1", "2") and each not in item
                }
    assert not missing
