from __future__ import annotations

import pytest

from deid.standard import dictionary


@pytest.mark.parametrize(
    ("tag", "vr", "name"),
    [
        (0x00100010, "PN", "PatientName"),
        (0x00280106, "US or SS", "SmallestImagePixelValue"),
        (0x7FE00010, "OB or OW", "PixelData"),
        (0x00100011, "SQ", "PersonNamesToUseSequence"),  # newer than PS3.6 2024c, brought in by Table E.1-1
        (0x00203107, "CS", "SourceImageIDs"),
        (0x10001230, "US", "EscapeTriplet"),
        (0x50020022, "LO", "CurveDescription"),
        (0x60003000, "OB or OW", "OverlayData"),
        (0x601E3000, "OB or OW", "OverlayData"),
        (0x7F020010, "OB or OW", "VariablePixelData"),
        (0x00080000, "UL", "(0008,0000)"),
        (0x60000000, "UL", "(6000,0000)"),
        (0x00090000, "UL", "(0009,0000)"),
        (0x00090010, "LO", "(0009,0010)"),
        (0x000900FF, "LO", "(0009,00FF)"),
    ],
)
def test_what_the_standard_defines(tag: int, vr: str, name: str) -> None:
    assert dictionary.vr_of(tag) == vr
    assert dictionary.name_of(tag) == name


@pytest.mark.parametrize(
    "tag",
    [
        0x00091001,  # private
        0x0009000F,
        0x00090100,
        0x50013000,  # odd, so no curve
        0x60203000,  # overlays end at 601E
        0x60210010 + 0x100,
        0x00104321,  # not assigned
        0xFFFEE000,  # an item has no VR
    ],
)
def test_what_the_standard_does_not_define_has_no_vr(tag: int) -> None:
    assert dictionary.vr_of(tag) is None


def test_an_unknown_tag_is_named_by_its_numbers() -> None:
    assert dictionary.name_of(0x0009100A) == "(0009,100A)"


@pytest.mark.parametrize("word", ["PatientName", "(0010,0010)", "0010,0010", "00100010"])
def test_every_way_to_write_a_tag(word: str) -> None:
    assert dictionary.tag_of(word) == 0x00100010


@pytest.mark.parametrize("word", ["patientname", "(0010,0010", "0010,0010)", "0010", "", "001000100", "0010;0010"])
def test_what_is_neither_keyword_nor_tag(word: str) -> None:
    assert dictionary.tag_of(word) is None


def test_hexadecimal_digits_in_either_case() -> None:
    assert dictionary.tag_of("(7fe0,0010)") == dictionary.tag_of("7FE00010") == 0x7FE00010


def test_each_keyword_means_an_attribute_of_that_name() -> None:
    words = dictionary.keywords()
    assert len(words) == len(set(words)) > 5000
    assert "" not in words
    for word in words:
        tag = dictionary.tag_of(word)
        assert tag is not None
        assert dictionary.name_of(tag) == word


def test_tags_from_files_are_not_remembered() -> None:
    before = len(dictionary._dictionary().exact)
    for element in range(1, 500):
        dictionary.vr_of(0x60023000 + element)
    assert len(dictionary._dictionary().exact) == before


@pytest.mark.parametrize(
    ("word", "vr"),
    [("LUTData", "OW"), ("PixelData", "OB"), ("SmallestImagePixelValue", "US"), ("RowS", "UN"), ("Rows", "US")],
)
def test_tables_that_state_no_vr_are_bytes_that_may_hold_text(word: str, vr: str) -> None:
    assert dictionary.unstated_vr(dictionary.tag_of(word) or 0x00091001) == vr
