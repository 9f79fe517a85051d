from __future__ import annotations

import re
from collections import Counter

import pytest

from deid.standard import codes, dictionary, table

ROWS = {row.pattern: row for row in table.rows()}
SUPPLEMENT = {row.pattern: row for row in table.supplement()}


def test_the_basic_profile_has_as_many_rows_of_each_action_as_the_standard() -> None:
    assert len(table.rows()) == len(ROWS) == 657
    assert Counter(row.basic for row in table.rows()) == {
        "X": 417,
        "D": 93,
        "U": 55,
        "Z": 42,
        "X/D": 23,
        "X/Z": 11,
        "X/Z/D": 8,
        "Z/D": 6,
        "X/Z/U*": 2,
    }


def test_each_option_has_as_many_rows_of_each_action_as_the_standard() -> None:
    assert Counter(f"{option} {code}" for row in table.rows() for option, code in row.options.items()) == {
        "retain-safe-private C": 1,
        "retain-uids K": 60,
        "retain-device-identity K": 48,
        "retain-device-identity C": 11,
        "retain-institution-identity K": 10,
        "retain-patient-characteristics K": 14,
        "retain-patient-characteristics C": 5,
        "retain-full-dates K": 169,
        "retain-modified-dates C": 169,
        "clean-descriptors C": 141,
        "clean-structured-content C": 4,
        "clean-graphics C": 4,
    }


@pytest.mark.parametrize("row", [*table.rows(), *table.supplement()], ids=lambda row: row.pattern)
def test_a_row_names_an_attribute_of_the_dictionary(row: table.Row) -> None:
    assert set(row.options) <= set(codes.CODES) - {"basic"}
    if row.pattern == "odd":
        assert (row.vr, row.keyword) == ("*", "PrivateAttributes")
        return
    assert re.fullmatch("[0-9A-Fx]{8}", row.pattern)
    tag = dictionary.tag_of(row.keyword)
    assert tag is not None
    assert re.fullmatch(row.pattern.replace("x", "."), f"{tag:08X}")
    assert row.vr in ("*", dictionary.vr_of(tag))


def test_known_rows() -> None:
    assert ROWS["00100010"].basic == "Z"
    assert ROWS["00100010"].options == {}
    assert ROWS["00080018"].basic == "U"
    assert ROWS["00080018"].options == {"retain-uids": "K"}
    assert ROWS["odd"].options == {"retain-safe-private": "C"}
    assert ROWS["50xxxxxx"].options == {"clean-graphics": "C"}


def test_only_our_own_rows_say_why_and_none_speaks_about_the_standards() -> None:
    assert {row.because for row in table.rows()} == {""}
    assert all(row.because for row in table.supplement())
    assert not ROWS.keys() & SUPPLEMENT.keys()


def test_the_supplement_replaces_uids_and_shifts_dates_like_the_table() -> None:
    uids = [row for row in table.supplement() if row.basic == "U"]
    assert len(uids) == 17
    assert all(row.vr == "UI" and row.options == {"retain-uids": "K"} for row in uids)
    dates = [row for row in table.supplement() if row.vr in ("DA", "TM", "DT")]
    assert len(dates) == 15
    assert all(row.options == {"retain-full-dates": "K", "retain-modified-dates": "C"} for row in dates)
    assert SUPPLEMENT["00100033"].options == {}  # a birth date is never retained (PS3.15 E.3.6)


def test_every_comment_has_a_rule() -> None:
    tags = [tag for word in dictionary.keywords() if re.search("Comments?$", word) and (tag := dictionary.tag_of(word))]
    comments = {tag for tag in tags if dictionary.vr_of(tag) in ("LO", "LT", "SH", "ST", "UC", "UT")}
    ruled = {
        int(row.pattern, 16)
        for row in (*ROWS.values(), *SUPPLEMENT.values())
        if re.fullmatch("[0-9A-F]{8}", row.pattern)
    }
    assert len(comments) > 25
    assert {tag for tag in comments if tag >> 16 >= 8 and tag >> 24 not in (0x50, 0x60)} <= ruled  # they repeat


@pytest.mark.parametrize(
    "keyword",
    ["AcquisitionProtocolName", "TreatmentTerminationDescription", "ImageID", "TrackingID", "RTImageLabel"],
)
def test_free_text_that_a_person_types_does_not_stay(keyword: str) -> None:
    (row,) = (row for row in SUPPLEMENT.values() if row.keyword == keyword)
    assert row.basic in ("X", "D")
    assert row.options == {"clean-descriptors": "C"}


def test_the_supplement_leaves_file_meta_and_directory_records_alone() -> None:
    assert not [pattern for pattern in SUPPLEMENT if pattern.startswith(("0002", "0004"))]


def test_codes_of_the_profile_and_all_twelve_options() -> None:
    assert codes.CODES["basic"] == ("113100", "Basic Application Confidentiality Profile")
    assert codes.CODES["retain-institution-identity"][0] == "113112"
    assert sorted(code for code, _ in codes.CODES.values()) == [str(code) for code in range(113100, 113113)]
    assert {option for row in table.rows() for option in row.options} | {
        "basic",
        "clean-pixel-data",
        "clean-recognizable-visual-features",
    } == set(codes.CODES)
