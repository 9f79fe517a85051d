"""The walk over encoded elements: what it rewrites, and what it refuses to walk."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from io import BytesIO
from struct import pack
from typing import TYPE_CHECKING, Any

import pytest
from pydicom.filereader import read_dataset

from deid.errors import Rejected
from deid.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED,
    Encoding,
    encode,
    encode_items,
)
from deid.part10.output import DESCEND, KEEP, REMOVE, RESERVE, Act, Element, Verdict
from deid.part10.place import Truncated
from deid.part10.walk import MAX_DEPTH, VERBATIM, Walker

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LITTLE = EXPLICIT_LITTLE
NAME, ROWS, SEX = 0x00100010, 0x00280010, 0x00100040
IMAGES, CONTENT, ICON = 0x00081140, 0x0040A730, 0x00880200
CREATOR, PRIVATE, PRIVATE_SQ = 0x00090010, 0x00091001, 0x00091010
END_ITEM = bytes.fromhex("feff0de000000000")
END_ITEMS = bytes.fromhex("feffdde000000000")
OPEN_ITEM = bytes.fromhex("feff00e0ffffffff")


class Everything:
    """Rules that hand every element to the act."""

    def __getitem__(self, tag: int) -> Any:
        return "any"

    def items_of(self, tag: int) -> Everything:  # noqa: ARG002 - the same everywhere
        return self


class Only:
    """Rules that name some tags, at every depth."""

    def __init__(self, *tags: int) -> None:
        self.tags = tags

    def __getitem__(self, tag: int) -> Any:
        return "any" if tag in self.tags else VERBATIM[tag]

    def items_of(self, tag: int) -> Only:  # noqa: ARG002 - the same everywhere
        return self


def undefined(tag: int, vr: str, content: bytes, encoding: Encoding = LITTLE) -> bytes:
    """An element of undefined length around content that brings its own delimiters."""
    header = encode(tag, vr, b"", encoding)
    return header[:-4] + encoding.length32.pack(UNDEFINED) + content


def item(content: bytes) -> bytes:
    return encode_items([content], LITTLE)


def walk(data: bytes, act: Act, rules: Any = None, encoding: Encoding = LITTLE) -> bytes | None:
    after, new = Walker(data, act).data_set(0, len(data), Everything() if rules is None else rules, encoding)
    assert after == len(data)
    return new


def never(rule: Any, element: Element) -> bytes:
    raise AssertionError((rule, element))


def same(_rule: Any, element: Element) -> bytes | Verdict:
    return DESCEND if element.vr == "SQ" else element.value


def without(*tags: int) -> Callable[[Any, Element], Verdict]:
    def act(_rule: Any, element: Element) -> Verdict:
        return REMOVE if element.tag in tags else DESCEND if element.vr == "SQ" else KEEP

    return act


def read(data: bytes, encoding: Encoding = LITTLE) -> Dataset:
    return read_dataset(BytesIO(data), not encoding.explicit, not encoding.big_endian)


name = encode(NAME, "PN", b"DOE^JOHN", LITTLE)
rows = encode(ROWS, "US", b"\x01\0", LITTLE)
sex = encode(SEX, "CS", b"M ", LITTLE)


def test_what_has_no_rule_is_not_touched() -> None:
    nested = encode(
        CONTENT, "SQ", item(name + undefined(CONTENT, "SQ", OPEN_ITEM + rows + END_ITEM + END_ITEMS)), LITTLE
    )
    assert walk(name + rows + nested, never, VERBATIM) is None


def test_an_act_sees_value_vr_creator_and_path_of_every_element() -> None:
    seen: list[Element] = []

    def act(rule: Any, element: Element) -> bytes | Verdict:
        seen.append(element)
        return same(rule, element)

    private = encode(CREATOR, "LO", b"ACME 1.0", LITTLE) + encode(PRIVATE, "UN", b"xy", LITTLE)
    unknown = encode(IMAGES, "UN", encode_items([encode(NAME, "", b"A^", IMPLICIT_LITTLE)], IMPLICIT_LITTLE), LITTLE)
    walk(unknown + private + name, act)
    assert [tuple(element)[:6] for element in seen] == [
        (IMAGES, "SQ", unknown[12:], "", (), LITTLE),
        (NAME, "PN", b"A^", "", (IMAGES,), IMPLICIT_LITTLE),
        (CREATOR, "LO", b"ACME 1.0", "ACME 1.0", (), LITTLE),
        (PRIVATE, "UN", b"xy", "ACME 1.0", (), LITTLE),
        (NAME, "PN", b"DOE^JOHN", "", (), LITTLE),
    ]


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
def test_all_lengths_around_a_change_are_right_again(encoding: Encoding) -> None:
    def element(tag: int, vr: str, value: bytes) -> bytes:
        return encode(tag, vr, value, encoding)

    def build(patient: bytes) -> bytes:
        inside = patient + element(SEX, "CS", b"M ")
        for _ in range(6):
            inside = element(CONTENT, "SQ", encode_items([inside, element(SEX, "CS", b"F ")], encoding))
        return inside + element(NAME, "PN", b"LAST^ONE")

    old = build(element(NAME, "PN", b"DOE^JOHN"))

    def act(_rule: Any, found: Element) -> bytes | Verdict:
        return b"SOMEBODY^LONGER^THAN" if found.path else KEEP

    assert walk(old, act, Only(NAME), encoding) == build(element(NAME, "PN", b"SOMEBODY^LONGER^THAN"))
    gone = walk(old, lambda _, found: REMOVE if found.path else KEEP, Only(NAME), encoding)
    assert gone == build(b"")
    last = read(gone, encoding)
    for _ in range(6):
        last = last[CONTENT][0]
    assert last.PatientSex == "M"
    assert NAME not in last


def test_delimiters_stay_around_a_change() -> None:
    inner = undefined(CONTENT, "SQ", item(rows) + OPEN_ITEM + name + sex + END_ITEM + END_ITEMS)
    outer = encode(IMAGES, "SQ", item(inner + sex), LITTLE)
    short = undefined(CONTENT, "SQ", item(rows) + OPEN_ITEM + sex + END_ITEM + END_ITEMS)
    assert walk(outer, without(NAME)) == encode(IMAGES, "SQ", item(short + sex), LITTLE)


def test_nested_encapsulated_pixels_are_walked_by_their_fragments() -> None:
    hidden = b"ABCD" + END_ITEMS + name  # a fragment may hold any bytes
    icon = undefined(0x7FE00010, "OB", item(b"") + item(hidden) + END_ITEMS)
    data = undefined(ICON, "SQ", OPEN_ITEM + rows + icon + END_ITEM + END_ITEMS) + name
    assert walk(data, never, VERBATIM) is None
    assert walk(data, without(0x7FE00010)) == undefined(ICON, "SQ", OPEN_ITEM + rows + END_ITEM + END_ITEMS) + name


def test_a_private_creator_stays_only_with_an_element_of_its_block() -> None:
    other = encode(0x00090011, "LO", b"OTHER ", LITTLE) + encode(0x00091101, "LO", b"DOE ", LITTLE)
    block = encode(CREATOR, "LO", b"ACME", LITTLE) + other[:14] + encode(PRIVATE, "LO", b"safe", LITTLE) + other[14:]

    def act(_rule: Any, element: Element) -> bytes | Verdict:
        if element.vr == "SQ":
            return DESCEND
        if element.tag in (CREATOR, 0x00090011):
            return RESERVE
        return KEEP if element.creator == "ACME" or not element.tag & 0x10000 else REMOVE

    kept = encode(CREATOR, "LO", b"ACME", LITTLE) + encode(PRIVATE, "LO", b"safe", LITTLE)
    assert walk(block + rows, act) == kept + rows
    # The creators of the data set around it do not reserve anything in an item.
    inner = encode(PRIVATE, "LO", b"DOE ", LITTLE) + rows
    assert walk(block + encode(CONTENT, "SQ", item(inner), LITTLE), act) == kept + encode(
        CONTENT, "SQ", item(rows), LITTLE
    )


def test_a_block_reserved_twice_is_refused() -> None:
    twice = encode(CREATOR, "LO", b"ACME", LITTLE) + encode(PRIVATE, "LO", b"safe", LITTLE)
    with pytest.raises(Rejected):
        walk(twice + encode(CREATOR, "LO", b"DOE ", LITTLE), lambda _, element: KEEP if element.value else REMOVE)


@pytest.mark.parametrize("vr", ["SQ", "UN"])
def test_a_creator_that_is_a_sequence_does_not_smuggle_its_items(vr: str) -> None:
    data = encode(CREATOR, "SQ", item(name), LITTLE) + encode(PRIVATE, "LO", b"safe", LITTLE)
    if vr == "UN":
        data = undefined(CREATOR, "UN", END_ITEMS) + encode(PRIVATE, "LO", b"safe", LITTLE)
    with pytest.raises(Rejected):
        walk(data, lambda _, element: RESERVE if element.tag == CREATOR else KEEP)


def test_a_private_sequence_without_anything_left_goes() -> None:
    data = encode(PRIVATE_SQ, "SQ", item(name) + item(b""), LITTLE) + undefined(
        0x00091011, "SQ", OPEN_ITEM + name + END_ITEM + END_ITEMS
    )
    assert walk(data + rows, without(NAME)) == rows
    empty = encode(PRIVATE_SQ, "SQ", b"", LITTLE)
    assert walk(empty + name, without(NAME)) == empty


def test_what_vr_un_holds_is_implicit_vr_at_every_depth() -> None:
    deep = encode(
        CONTENT, "SQ", encode_items([encode(NAME, "", b"A^", IMPLICIT_LITTLE)], IMPLICIT_LITTLE), IMPLICIT_LITTLE
    )
    items = encode_items([deep], IMPLICIT_LITTLE)
    bare = encode_items([encode(CONTENT, "SQ", encode_items([b""], IMPLICIT_LITTLE), IMPLICIT_LITTLE)], IMPLICIT_LITTLE)
    assert walk(encode(IMAGES, "UN", items, LITTLE), without(NAME)) == encode(IMAGES, "UN", bare, LITTLE)
    assert walk(undefined(IMAGES, "UN", items + END_ITEMS), without(NAME)) == undefined(IMAGES, "UN", bare + END_ITEMS)
    big = encode(IMAGES, "UN", items, EXPLICIT_BIG)
    assert walk(big, without(NAME), encoding=EXPLICIT_BIG) == encode(IMAGES, "UN", bare, EXPLICIT_BIG)


def test_what_follows_an_empty_item_of_vr_un_is_not_taken_for_its_content() -> None:
    assert walk(encode(IMAGES, "UN", item(b""), LITTLE) + name, never, VERBATIM) is None


def test_explicit_vr_in_a_sequence_of_vr_un_is_refused_because_readers_guess() -> None:
    # In implicit VR the name begins a value of 20 kB; pydicom takes the same bytes for explicit VR and sees a name.
    bait = name + b"\0" * 0x4E50 + b"\0" * 0x80000
    data = encode(IMAGES, "UN", item(bait), LITTLE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read(undefined(IMAGES, "UN", item(name) + END_ITEMS))[IMAGES][0].PatientName == "DOE^JOHN"
    with pytest.raises(Rejected):
        walk(data, lambda _, __: DESCEND)


@pytest.mark.parametrize("vr", ["OB", "LO", "UT"])
def test_a_sequence_that_says_it_is_something_else_is_refused(vr: str) -> None:
    with pytest.raises(Rejected):
        walk(encode(IMAGES, vr, item(name), LITTLE), never, VERBATIM)


def test_a_sequence_where_none_should_be_is_walked() -> None:
    data = encode(SEX, "SQ", item(name), LITTLE)
    assert walk(data, without(NAME)) == encode(SEX, "SQ", item(b""), LITTLE)
    assert walk(data, lambda *_: REMOVE, Only(NAME)) == encode(SEX, "SQ", item(b""), LITTLE)


LOOKALIKE = b"\xfe\xff\x0d\xe0LO\x08\0" + b"DOE^JOHN"
implicit_name = encode(NAME, "PN", b"DOE^JOHN", IMPLICIT_LITTLE)
BROKEN: dict[str, tuple[bytes, Encoding]] = {
    "an item delimiter at the top level": (name + END_ITEM + name, LITTLE),
    "an item delimiter at the top level, implicit VR": (implicit_name + END_ITEM + implicit_name, IMPLICIT_LITTLE),
    "a sequence delimiter at the top level": (END_ITEMS + name, LITTLE),
    "a sequence delimiter at the top level, implicit VR": (END_ITEMS + implicit_name, IMPLICIT_LITTLE),
    "an item where an element should be": (item(name), LITTLE),
    "an item where an element should be, implicit VR": (item(implicit_name), IMPLICIT_LITTLE),
    "an item delimiter in an item of defined length": (encode(IMAGES, "SQ", item(END_ITEM + name), LITTLE), LITTLE),
    "the same in implicit VR": (encode(IMAGES, "SQ", item(END_ITEM + implicit_name), IMPLICIT_LITTLE), IMPLICIT_LITTLE),
    "a delimiter that looks like an element": (
        undefined(IMAGES, "SQ", OPEN_ITEM + LOOKALIKE + END_ITEM + END_ITEMS),
        LITTLE,
    ),
    "a delimiter that looks like an element, at the top level": (LOOKALIKE, LITTLE),
    "an item delimiter with a length": (
        undefined(IMAGES, "SQ", OPEN_ITEM + END_ITEM[:4] + b"\x04\0\0\0" + END_ITEM + END_ITEMS),
        LITTLE,
    ),
    "an item delimiter with a length, implicit VR": (
        undefined(IMAGES, "SQ", OPEN_ITEM + END_ITEM[:4] + b"DOE^" + END_ITEMS, IMPLICIT_LITTLE),
        IMPLICIT_LITTLE,
    ),
    "a sequence delimiter with a length": (undefined(IMAGES, "SQ", END_ITEMS[:4] + b"DOE^"), LITTLE),
    "a fragment delimiter with a length": (undefined(0x7FE00010, "OB", END_ITEMS[:4] + b"DOE^"), LITTLE),
    "a sequence delimiter in a sequence of defined length": (
        encode(IMAGES, "SQ", END_ITEMS + item(name), LITTLE),
        LITTLE,
    ),
    "an item delimiter between items": (undefined(IMAGES, "SQ", END_ITEM + END_ITEMS), LITTLE),
    "an element between items": (undefined(IMAGES, "SQ", item(b"") + name + END_ITEMS), LITTLE),
    "an item beyond its sequence": (encode(IMAGES, "SQ", item(name)[:-4], LITTLE) + name, LITTLE),
    "an element beyond its item": (encode(IMAGES, "SQ", item(name[:-4]), LITTLE) + name, LITTLE),
    "an open item at the end of a sequence": (encode(IMAGES, "SQ", OPEN_ITEM + name, LITTLE) + END_ITEM, LITTLE),
    "an open sequence at the end of an item": (
        encode(IMAGES, "SQ", item(undefined(CONTENT, "SQ", b"")), LITTLE) + END_ITEMS,
        LITTLE,
    ),
    "extra bytes in an item": (encode(IMAGES, "SQ", item(name + b"\0\0\0\0"), LITTLE), LITTLE),
    "extra bytes in a sequence": (encode(IMAGES, "SQ", item(name) + b"\0\0", LITTLE), LITTLE),
    "a length beyond the end": (name[:6] + b"\xff\x7f" + name[8:], LITTLE),
    "a sequence beyond the end": (pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0x7FFFFFFF), LITTLE),
    "a header cut short": (name + name[:7], LITTLE),
    "a long header cut short": (name + encode(0x00420011, "OB", b"", LITTLE)[:10], LITTLE),
    "lower case VR": (name[:4] + b"pn" + name[6:], LITTLE),
    "a VR nobody knows": (name[:4] + b"ZZ" + name[6:], LITTLE),
    "no VR": (implicit_name, LITTLE),
    "undefined length of text": (undefined(0x00189000, "UT", END_ITEMS), LITTLE),
    "undefined length of a name in VR UN": (undefined(NAME, "UN", END_ITEMS), LITTLE),
    "undefined length of a name in implicit VR": (undefined(NAME, "PN", END_ITEMS, IMPLICIT_LITTLE), IMPLICIT_LITTLE),
    "undefined length of pixels in implicit VR": (
        undefined(0x7FE00010, "OW", END_ITEMS, IMPLICIT_LITTLE),
        IMPLICIT_LITTLE,
    ),
    "fragments without an end": (undefined(0x7FE00010, "OB", item(b"ABCD")), LITTLE),
    "a fragment beyond the end": (undefined(0x7FE00010, "OB", item(b"ABCD")[:-2]), LITTLE),
    "a fragment of undefined length": (undefined(0x7FE00010, "OB", OPEN_ITEM + END_ITEM + END_ITEMS), LITTLE),
    "an element among fragments": (undefined(0x7FE00010, "OB", name + END_ITEMS), LITTLE),
}


@pytest.mark.parametrize("data, encoding", BROKEN.values(), ids=BROKEN.keys())  # noqa: PT006 - ids need the dict's order
@pytest.mark.parametrize("rules", [VERBATIM, Everything()], ids=["no rules", "all"])
def test_broken_encoding_is_refused_with_and_without_rules(data: bytes, encoding: Encoding, rules: Any) -> None:
    with pytest.raises(Rejected):
        walk(data, lambda _, element: DESCEND if element.vr == "SQ" else KEEP, rules, encoding)


def test_a_removed_sequence_of_undefined_length_ends_where_readers_end_it() -> None:
    data = undefined(PRIVATE_SQ, "SQ", OPEN_ITEM + LOOKALIKE + END_ITEM + END_ITEMS)
    with pytest.raises(Rejected):
        walk(data + name, lambda *_: REMOVE)
    assert (
        walk(undefined(PRIVATE_SQ, "SQ", OPEN_ITEM + name + END_ITEM + END_ITEMS) + rows, without(PRIVATE_SQ)) == rows
    )


def nested(levels: int, *, defined: bool, encoding: Encoding = LITTLE) -> bytes:
    header = encode(CONTENT, "SQ", b"", encoding)[:-4]
    if not defined:
        return (header + encoding.length32.pack(UNDEFINED) + OPEN_ITEM) * levels + (END_ITEM + END_ITEMS) * levels
    size = len(header) + 12
    rests = [size * level for level in range(levels - 1, -1, -1)]  # bytes within each item
    return b"".join(header + pack("<I", rest + 8) + OPEN_ITEM[:4] + pack("<I", rest) for rest in rests)


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
@pytest.mark.parametrize("defined", [True, False])
def test_nesting_has_a_limit(encoding: Encoding, *, defined: bool) -> None:
    assert walk(nested(MAX_DEPTH, defined=defined, encoding=encoding), never, VERBATIM, encoding) is None
    with pytest.raises(Rejected, match="nested deeper"):
        walk(nested(10_000, defined=defined, encoding=encoding), never, VERBATIM, encoding)


def test_odd_lengths_are_walked_as_they_are() -> None:
    odd = pack("<HH2sH", 0x10, 0x10, b"PN", 3) + b"DOE"
    data = encode(IMAGES, "SQ", OPEN_ITEM[:4] + pack("<I", len(odd) + len(sex)) + odd + sex, LITTLE)
    data = data[:8] + pack("<I", len(odd) + len(sex) + 8) + data[12:][: len(odd) + len(sex) + 8]
    assert walk(data, never, VERBATIM) is None
    assert walk(data, without(NAME)) == encode(IMAGES, "SQ", item(sex), LITTLE)


def test_no_refusal_tells_bytes_that_may_be_a_value() -> None:
    misread = b"DOE^JOHN" + rows  # what a wrong length before it leaves to be read as an element
    with pytest.raises(Rejected) as refusal:
        walk(misread, never, VERBATIM)
    assert not any(word in str(refusal.value).upper() for word in ("4F44", "5E45", "DOE"))


def test_a_shorter_data_set_is_told_from_a_broken_one() -> None:
    for end in range(1, len(name + rows)):
        if end != len(name):
            with pytest.raises(Truncated):
                walk((name + rows)[:end], never, VERBATIM)
