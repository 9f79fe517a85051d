from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deid.attributes import uids
from deid.standard.uids import is_registered

KEY = bytes(32)


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_a_replacement_is_a_uid_made_of_a_uuid_and_always_the_same(original: str) -> None:
    assume(not is_registered(original))  # hypothesis tries what it finds in our sources
    new = uids.replace(KEY, original)
    assert new == uids.replace(KEY, original)
    assert uids.is_well_formed(new)
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", new)
    assert UUID(int=int(new[5:])).version == 5
    assert new != uids.replace(bytes(31) + b"\1", original)


@given(st.lists(st.from_regex(r"1\.2(\.(0|[1-9][0-9]{0,9})){1,5}", fullmatch=True), unique=True, max_size=50))
def test_different_uids_get_different_replacements(originals: list[str]) -> None:
    assert len({uids.replace(KEY, original) for original in originals}) == len(originals)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.4.1.1"])
def test_a_uid_that_the_standard_defines_stays(uid: str) -> None:
    assert uids.replace(KEY, uid) == uid


def test_a_uid_that_only_looks_like_one_of_the_standards_does_not() -> None:
    assert uids.replace(KEY, "1.2.840.10008.1.2.999.1").startswith("2.25.")


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"1.2.3\0", ["1.2.3"]), (b"1.2\\1.3 ", ["1.2", "1.3"]), (b"", [""]), (b" 1.2 \\ ", ["1.2", ""])],
)
def test_padding_is_no_part_of_a_uid(value: bytes, found: list[str]) -> None:
    assert uids.values_of(value) == found


@pytest.mark.parametrize(
    "uid", ["", "1", "1..2", ".1.2", "1.2.", "1.2.x", "1.2/3", "1." + "2" * 63, "1.2\n", "\uff11.2"]
)
def test_what_is_no_uid(uid: str) -> None:
    assert not uids.is_well_formed(uid)


def test_all_uids_of_a_value_are_replaced_one_by_one_and_told() -> None:
    one, other = "1.2.3.4.5.6", "1.2.3.4.5.60"
    new, replaced = uids.replace_all(KEY, f"{one}\\\\{other}\\1.2.840.10008.1.2\0".encode())
    assert new.decode() == f"{uids.replace(KEY, one)}\\\\{uids.replace(KEY, other)}\\1.2.840.10008.1.2"
    assert dict(replaced) == {one: uids.replace(KEY, one), other: uids.replace(KEY, other)}


def test_a_value_of_any_length_is_replaced_and_not_remembered() -> None:
    before = uids._remembered.cache_info().currsize
    long = "\\".join(f"1.2.3.{number}" for number in range(100))
    new, replaced = uids.replace_all(KEY, long.encode())
    assert len(replaced) == 100
    assert new.count(b"\\") == 99
    assert uids._remembered.cache_info().currsize == before
