from __future__ import annotations

from deid.standard import private


def test_as_many_as_the_standard_lists() -> None:
    safe = private.safe_elements()
    assert len(safe) == 479
    assert len({creator for creator, _, _ in safe}) == 20


def test_known_elements() -> None:
    safe = private.safe_elements()
    assert safe["Philips PET Private Group", 0x7053, 0x00] == "DS"
    assert safe["SIEMENS MR HEADER", 0x0019, 0x0C] == "IS"
    assert ("SIEMENS CSA HEADER", 0x0029, 0x10) not in safe


def test_only_odd_groups_low_bytes_and_one_vr_each() -> None:
    for (creator, group, low_byte), vr in private.safe_elements().items():
        assert creator == creator.strip()
        assert group & 1
        assert 0 <= low_byte <= 0xFF
        assert len(vr) == 2
