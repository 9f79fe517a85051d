"""Single elements as bytes, and which transfer syntaxes we dare to walk."""

from __future__ import annotations

import pytest

from deid.errors import Rejected
from deid.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    encode,
    encode_items,
    encoding_of,
    is_deflated,
)
from deid.standard import data_files

STANDARD = "1.2.840.10008.1.2"


@pytest.mark.parametrize(
    ("encoding", "vr", "value", "expected"),
    [
        (EXPLICIT_LITTLE, "PN", b"AB", "10001000 504e 0200 4142"),
        (EXPLICIT_LITTLE, "UT", b"AB", "10001000 5554 0000 02000000 4142"),
        (EXPLICIT_LITTLE, "UN", b"", "10001000 554e 0000 00000000"),
        (EXPLICIT_BIG, "PN", b"AB", "00100010 504e 0002 4142"),
        (EXPLICIT_BIG, "OB", b"AB", "00100010 4f42 0000 00000002 4142"),
        (IMPLICIT_LITTLE, "PN", b"AB", "10001000 02000000 4142"),
        (EXPLICIT_LITTLE, "PN", b"A", "10001000 504e 0200 4120"),
        (EXPLICIT_LITTLE, "UI", b"1", "10001000 5549 0200 3100"),
        (EXPLICIT_LITTLE, "OB", b"\x01", "10001000 4f42 0000 02000000 0100"),
    ],
)
def test_an_element_is_laid_out_as_ps3_5_says(encoding: Encoding, vr: str, value: bytes, expected: str) -> None:
    assert encode(0x00100010, vr, value, encoding) == bytes.fromhex(expected)


def test_a_value_that_its_length_field_cannot_count_is_refused() -> None:
    assert len(encode(0x00100010, "LT", b" " * 0xFFFE, EXPLICIT_LITTLE)) == 8 + 0xFFFE
    with pytest.raises(Rejected):
        encode(0x00100010, "LT", b" " * 0x10000, EXPLICIT_LITTLE)
    assert len(encode(0x00100010, "LT", b" " * 0x10000, IMPLICIT_LITTLE)) == 8 + 0x10000


def test_items_have_defined_lengths() -> None:
    assert encode_items([b"AB", b""], EXPLICIT_LITTLE) == bytes.fromhex("feff00e0 02000000 4142 feff00e0 00000000")
    assert encode_items([b"AB"], EXPLICIT_BIG) == bytes.fromhex("fffee000 00000002 4142")


@pytest.mark.parametrize(
    ("syntax", "expected"),
    [
        (STANDARD, IMPLICIT_LITTLE),
        (f"{STANDARD}.1", EXPLICIT_LITTLE),
        (f"{STANDARD}.1.99", EXPLICIT_LITTLE),
        (f"{STANDARD}.2", EXPLICIT_BIG),
        (f"{STANDARD}.4.50", EXPLICIT_LITTLE),
        (f"{STANDARD}.4.100.1", EXPLICIT_LITTLE),
        (f"{STANDARD}.4.112", EXPLICIT_LITTLE),
        (f"{STANDARD}.5", EXPLICIT_LITTLE),
        (f"{STANDARD}.8.1", EXPLICIT_LITTLE),
    ],
)
def test_the_standard_transfer_syntaxes_have_an_encoding(syntax: str, expected: Encoding) -> None:
    assert encoding_of(syntax) is expected


@pytest.mark.parametrize(
    "syntax",
    [
        "",
        "1.2.840.113619.5.2",  # GE: implicit VR with pixels in big endian
        "1.2.840.10008.1.20",
        "1.2.840.10008.1.1",
        f"{STANDARD}.",
        f"{STANDARD}.1.GRUENWALD^ANNA",
        f"{STANDARD}.1\0GRUENWALD",
        f"{STANDARD}.1\n",
        f"{STANDARD}.4.19650312",
        f"{STANDARD}.4.\u0665\u0660",
        f"{STANDARD}.6.2",  # XML
    ],
)
def test_what_may_be_encoded_in_any_way_or_carry_any_text_is_refused(syntax: str) -> None:
    with pytest.raises(Rejected) as refusal:
        encoding_of(syntax)
    assert "GRUENWALD" not in str(refusal.value)


def test_every_data_set_syntax_of_the_registry_has_an_encoding() -> None:
    registered = {row["uid"] for row in data_files.rows("uids.csv") if row["uid"].startswith(f"{STANDARD}.")}
    other_media = {uid for uid in registered if uid.startswith((f"{STANDARD}.6.", f"{STANDARD}.7."))}
    assert registered - other_media
    for uid in registered - other_media:
        encoding_of(uid)


def test_only_deflated_data_sets_are_inflated() -> None:
    assert is_deflated(f"{STANDARD}.1.99")
    assert is_deflated(f"{STANDARD}.4.95")
    assert is_deflated(f"{STANDARD}.4.205")
    assert not is_deflated(f"{STANDARD}.1")
    assert not is_deflated(f"{STANDARD}.8.1")  # only its frames are deflated
