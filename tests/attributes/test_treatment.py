"""What becomes of a private element that is called safe, but is another one than the table means."""

from __future__ import annotations

import pytest

from deid.attributes.keys import derive
from deid.attributes.treatment import Treatment
from deid.part10.encoding import EXPLICIT_LITTLE, IN_UNKNOWN
from deid.part10.output import KEEP, REMOVE, Element
from deid.profile.plan import load_plan
from deid.profile.rule import Action, Rule

SIEMENS, ULTRASOUND = "SIEMENS MR HEADER", "SIEMENS Ultrasound SC2000"


@pytest.mark.parametrize("vr", ["OB", "OW", "OF"])
@pytest.mark.parametrize(
    ("creator", "tag"),
    [(SIEMENS, 0x0019100C), (SIEMENS, 0x0019100D), (SIEMENS, 0x0019100E), (ULTRASOUND, 0x01191002)],  # IS, CS, FD, SQ
)
def test_bytes_where_the_table_knows_no_binary_value_are_removed(creator: str, tag: int, vr: str) -> None:
    treatment = Treatment(load_plan("basic", ["retain-safe-private"]), derive(bytes(32)), "patient")
    rule = Rule(Action.PRIVATE, "")
    element = Element(tag, vr, b"anything", creator, (), EXPLICIT_LITTLE, IN_UNKNOWN)
    assert treatment.act(rule, element) is REMOVE
    binary = Element(0x01191001, "OB", b"anything", ULTRASOUND, (), EXPLICIT_LITTLE, IN_UNKNOWN)
    assert treatment.act(rule, binary) is KEEP
