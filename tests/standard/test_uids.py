from __future__ import annotations

import pytest

from deid.standard import dictionary, table, uids


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.1.2", "Implicit VR Little Endian"),
        ("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
        ("1.2.840.10008.1.4.1.1", "Talairach Brain Atlas Frame of Reference"),
        ("1.2.840.10008.1.5.1", "Hot Iron Color Palette SOP Instance"),
    ],
)
def test_registered(uid: str, name: str) -> None:
    assert uids.is_registered(uid)
    assert uids.name_of(uid) == name


@pytest.mark.parametrize("uid", ["1.2.840.10008", "1.2.840.10008.1.2.99.1", "1.2.840.10008.1.2 ", "1.2.3", ""])
def test_not_registered(uid: str) -> None:
    assert not uids.is_registered(uid)
    assert uids.name_of(uid) == uid


def test_structural_uids_are_uids_which_no_rule_replaces() -> None:
    assert len(uids.STRUCTURAL) == 24
    assert {dictionary.vr_of(tag) for tag in uids.STRUCTURAL} == {"UI"}
    replaced = {int(row.pattern, 16) for row in (*table.rows(), *table.supplement()) if row.basic == "U"}
    assert not replaced & uids.STRUCTURAL


def test_every_uid_is_structural_or_has_a_rule() -> None:
    ruled = {row.pattern for row in (*table.rows(), *table.supplement())}
    left = {
        word
        for word in dictionary.keywords()
        if (tag := dictionary.tag_of(word)) is not None
        and dictionary.vr_of(tag) == "UI"
        and tag >> 16 not in (0x0000, 0x0002, 0x0004)  # commands, File Meta and directory records are not kept at all
        and tag not in uids.STRUCTURAL
        and f"{tag:08X}" not in ruled
    }
    assert left == set()
