from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deid.attributes import identifiers

KEY = bytes(32)


@given(st.text(), st.sampled_from(["", "LUNG-"]), st.integers(6, 40))
def test_a_pseudonym_is_prefix_and_digits_and_always_the_same(original: str, prefix: str, digits: int) -> None:
    new = identifiers.pseudonym(KEY, "patient", original, prefix, digits)
    assert new.startswith(prefix)
    assert len(new) == len(prefix) + digits
    assert new[len(prefix) :].isdigit()
    assert new == identifiers.pseudonym(KEY, "patient", original, prefix, digits)


def test_key_kind_and_original_all_matter() -> None:
    one = identifiers.pseudonym(KEY, "patient", "1", "", 16)
    assert one != identifiers.pseudonym(bytes(31) + b"\1", "patient", "1", "", 16)
    assert one != identifiers.pseudonym(KEY, "accession", "1", "", 16)
    assert one != identifiers.pseudonym(KEY, "patient", "2", "", 16)


def test_padding_does_not_make_another_patient() -> None:
    assert identifiers.normal(b" GR-1 \0") == identifiers.normal(b"GR-1") == "GR-1"


@given(st.text(), st.integers(-36_500, -1), st.integers(0, 3000))
def test_a_shift_lies_between_its_bounds_and_is_always_the_same(patient: str, lowest: int, width: int) -> None:
    highest = lowest + width
    days = identifiers.shift_in_days(KEY, patient, lowest, highest)
    assert lowest <= days <= highest
    assert days == identifiers.shift_in_days(KEY, patient, lowest, highest)


def test_shifts_differ_between_patients_and_reach_both_bounds() -> None:
    assert {identifiers.shift_in_days(KEY, str(patient), -3, -1) for patient in range(100)} == {-3, -2, -1}
