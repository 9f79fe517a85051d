from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.errors import Rejected
from deid.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED, encode, encode_items
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.part10.target import file_meta
from deid.part10.texts import texts, texts_within
from deid.standard.dictionary import vr_of

if TYPE_CHECKING:
    from pathlib import Path

    from deid.part10.encoding import Encoding

PALETTE, PIXEL_DATA = 0x00281201, 0x7FE00010
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def test_numbers_in_text_are_texts_and_others_are_not() -> None:
    elements = [(0x00200011, "IS", b"1234567"), (0x00281053, "DS", b"1.000000"), (0x00280010, "US", b"AB")]
    for encoding in (EXPLICIT_LITTLE, IMPLICIT_LITTLE):
        items = encode_items([b"".join(encode(*element, encoding) for element in elements)], encoding)
        assert [(tag, vr, value.strip()) for tag, vr, value in texts_within(items, encoding)] == elements[:2]


def test_an_attribute_that_its_sender_did_not_know_is_what_the_dictionary_says() -> None:
    items = encode_items([encode(0x00200011, "UN", b"1234567 ", EXPLICIT_LITTLE)], EXPLICIT_LITTLE)
    assert texts_within(items, EXPLICIT_LITTLE) == [(0x00200011, "IS", b"1234567 ")]


@pytest.mark.parametrize("tag", [0x52009229, 0x00191010])
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_a_sequence_that_its_sender_did_not_know_is_read_as_items(encoding: Encoding, tag: int) -> None:
    table = encode(0x00281202, "OW", bytes(100_000), IMPLICIT_LITTLE)
    content = encode(0x00100010, "PN", b"Doe^Jo", IMPLICIT_LITTLE) + table
    private = encode(0x00191011, "UN", encode_items([content], IMPLICIT_LITTLE), IMPLICIT_LITTLE)
    inner = encode_items([content, private], IMPLICIT_LITTLE)
    items = encode_items([encode(tag, "UN", inner, encoding) + encode(0x54001012, "LO", b"x ", encoding)], encoding)
    assert [value for _, vr, value in texts_within(items, encoding) if vr == "PN"] == [b"Doe^Jo"] * 2


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
@pytest.mark.parametrize("tag", [0x00280009, 0x00189089, 0x00280010, 0x00221037, 0x00720082, 0x00720083])
def test_text_where_numbers_should_be_is_read(tag: int, encoding: Encoding) -> None:
    vr = vr_of(tag)
    assert vr
    unknown = encode_items([encode(tag, vr, b"Doe^Jo", IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    number = encode(tag, vr, b"Doe^John", encoding) + encode(tag, vr, bytes(16), encoding)
    items = encode_items([number + encode(0x00191010, "UN", unknown, encoding)], encoding)
    (*number_is, text), unknown_is = texts_within(items, encoding)
    assert number_is == [tag, "UN"]
    assert b"Doe^John" in text
    assert unknown_is == (tag, "UN", b"Doe^Jo")


@pytest.mark.parametrize(("tag", "encoding"), [(0x52009229, EXPLICIT_LITTLE), (0x00191010, IMPLICIT_LITTLE)])
def test_what_only_begins_like_a_sequence_is_read_as_bytes(tag: int, encoding: Encoding) -> None:
    inner = encode_items([encode(0x00100010, "PN", b"Doe^Jo", IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    items = encode_items([encode(tag, "UN", inner[:-2], encoding)], encoding)
    assert texts_within(items, encoding) == [(tag, "UN", inner[:-2])]


@pytest.mark.parametrize("tag", [0x00180050, 0x00181020, 0x00181310])  # DS, LO and US
def test_items_in_what_is_no_sequence_are_refused(tag: int) -> None:
    inner = encode_items([encode(0x00100010, "PN", b"Doe^Jo", IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    for vr, encoding in (("UN", EXPLICIT_LITTLE), ("UN", EXPLICIT_BIG), ("UN", IMPLICIT_LITTLE)):
        for length in (len(inner), len(inner) - 2):
            items = encode_items([encode(tag, vr, inner[:length], encoding)], encoding)
            with pytest.raises(Rejected, match="is no sequence, but holds items"):
                texts_within(items, encoding)


@pytest.mark.parametrize("levels", [99, 900, 2000])
def test_sequences_that_its_sender_did_not_know_are_read_to_some_depth(levels: int) -> None:
    inner = encode_items([encode(0x00100010, "PN", b"Doe^Jo", IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    for _ in range(levels):
        inner = encode_items([encode(0x00191010, "UN", inner, IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    items = encode_items([encode(0x00191010, "UN", inner, EXPLICIT_LITTLE)], EXPLICIT_LITTLE)
    if levels > 99:
        with pytest.raises(Rejected, match="nested deeper"):
            texts_within(items, EXPLICIT_LITTLE)
    else:
        assert texts_within(items, EXPLICIT_LITTLE) == [(0x00100010, "PN", b"Doe^Jo")]


def test_of_a_large_value_only_what_reads_like_text_is_taken() -> None:
    noise = bytes(range(14)) * 6000
    value = noise + b"a text here" + noise + "and wide".encode("utf-16-le") + noise
    items = encode_items([encode(PALETTE, "OB", value, EXPLICIT_LITTLE)], EXPLICIT_LITTLE)
    ((tag, vr, text),) = texts_within(items, EXPLICIT_LITTLE)
    assert (tag, vr) == (PALETTE, "OB")
    assert b"a text here" in text
    assert b"and wide" in text
    assert not text.strip(b"a textheronwid\\")


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG])
def test_text_in_fragments_is_text_whatever_attribute_they_are_of(encoding: Encoding) -> None:
    ends = encoding.implicit_header.pack(0xFFFE, 0xE0DD, 0)
    header = encoding.explicit_header.pack(0x5400, 0x1010, b"OW", 0) + encoding.length32.pack(UNDEFINED)
    fragments = header + encode_items([b"a text", b" here"], encoding) + ends
    items = encode_items([fragments + encode(0x54001012, "LO", b"and behind", encoding)], encoding)
    (tag, vr, value), behind = texts_within(items, encoding)
    assert (tag, vr) == (0x54001010, "OW")
    assert b"a text" in value
    assert b" here" in value
    assert behind == (0x54001012, "LO", b"and behind")


@pytest.mark.parametrize(("syntax", "encoding"), [(IMPLICIT, IMPLICIT_LITTLE), (EXPLICIT, EXPLICIT_LITTLE)])
def test_what_was_left_on_disk_is_read_from_there_but_for_pixels(
    syntax: str, encoding: Encoding, tmp_path: Path
) -> None:
    value = bytes((1 << 20) - 4) + b"a text here" + bytes(1)
    elements = [(PALETTE, "OW", value), (PIXEL_DATA, "OW", value)]
    data_set = b"".join(encode(*element, encoding) for element in elements)
    file = tmp_path / "file"
    file.write_bytes(file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3", syntax) + data_set)
    source = open_source(file, Limits())
    found = outline(source, Limits())
    assert len(found.spans) == len(elements)
    assert not texts(found)
    read = texts(found, source)
    source.close()
    assert {(tag, vr) for tag, vr, _ in read} == {(PALETTE, "OW")}
    assert b"a text here" in read[0][2]
