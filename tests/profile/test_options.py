from __future__ import annotations

import pytest

from deid.errors import BadProfile
from deid.profile.options import OPTIONS, check
from deid.standard import table

CARRIED_OUT = sorted(["clean-pixel-data", *(name for name in OPTIONS if name.startswith("retain-"))])


def test_the_twelve_options_of_ps315_are_known_by_their_clause() -> None:
    assert len(OPTIONS) == 12
    clauses = {option.clause for option in OPTIONS.values()}
    assert clauses == {f"E.3.{number}" for number in range(1, 12)}


def test_every_option_column_of_table_e1_1_belongs_to_an_option_and_the_other_way_round() -> None:
    in_table = {option for row in table.rows() for option in row.options}
    assert in_table == {option.column for option in OPTIONS.values() if option.column}


def test_what_is_available_is_carried_out_and_what_is_not_says_why() -> None:
    assert sorted(option.name for option in OPTIONS.values() if option.available) == CARRIED_OUT
    assert all(bool(option.why_not) is not option.available for option in OPTIONS.values())


@pytest.mark.parametrize("name", CARRIED_OUT)
def test_each_available_option_is_accepted(name: str) -> None:
    assert check([name]) == {name}


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - set(CARRIED_OUT)))
def test_an_option_that_cannot_be_carried_out_is_refused_never_ignored(name: str) -> None:
    with pytest.raises(BadProfile, match=f"'{name}'.*is refused, not ignored"):
        check(["retain-uids", name])


@pytest.mark.parametrize(
    ("word", "meant"),
    [("retain-uid", "retain-uids"), ("retain_uids", "retain-uids"), ("Retain-UIDs", "retain-uids")],
)
def test_an_unknown_option_is_answered_with_the_nearest(word: str, meant: str) -> None:
    with pytest.raises(BadProfile) as error:
        check([word])
    assert str(error.value) == f"unknown option {word!r}; did you mean {meant!r}?"


def test_where_nothing_is_near_all_options_are_listed() -> None:
    with pytest.raises(BadProfile, match=r"valid: clean-pixel-data, .*retain-institution-identity$"):
        check(["xyz"])


def test_full_and_modified_dates_exclude_each_other() -> None:
    with pytest.raises(BadProfile, match=r"PS3\.15 E\.3\.6"):
        check(["retain-modified-dates", "retain-uids", "retain-full-dates"])


def test_all_options_that_do_not_exclude_each_other_go_together() -> None:
    assert check(set(CARRIED_OUT) - {"retain-full-dates"}) == set(CARRIED_OUT) - {"retain-full-dates"}
