"""The walk against data sets that nobody wrote down: generated ones, real ones, and damaged ones."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from deid import samples
from deid.errors import DeidError
from deid.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED, Encoding
from deid.part10.outline import PIXELS, outline
from deid.part10.output import DESCEND, KEEP, REMOVE, RESERVE, Element, Output, Verdict
from deid.part10.source import Limits, open_source
from deid.part10.walk import VERBATIM, Walker

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NAME = 0x00100010
ICON = 0x00880200
CREATOR = 0x00090010
UNKNOWN = 0x00081115  # written with VR UN where VRs are written
SEQUENCES = (0x00081140, UNKNOWN, 0x0040A730, ICON, 0x00091010, 0x00091011)
VALUES = {
    0x00080060: ("CS", b"OT"),
    0x00080104: ("LO", b"meaning "),
    CREATOR: ("LO", b"ACME"),
    0x00091001: ("LO", b"private "),
    0x00091002: ("OB", b"\1\2\3\4"),
    0x00091003: ("UN", b"\xfe\xff\x00\xe0"),
    NAME: ("PN", b"DOE^JOHN"),
    0x0040A160: ("UT", b"long text "),
    0x00280010: ("US", b"\1\1"),
    0x00281201: ("OW", b"\0\1" * 5),
    0x00291001: ("DS", b"1.5 "),
}


@dataclass(frozen=True)
class Sequence:
    """The items, each with whether its length is defined, and whether that of the sequence is."""

    items: tuple[tuple[DataSet, bool], ...]
    defined: bool


DataSet: TypeAlias = "dict[int, bytes | Sequence]"


def data_set_of(seed: int) -> DataSet:
    """One of 2^32 data sets, with sequences nested to depth 6. Growing them by hypothesis itself takes minutes."""
    return _grown(random.Random(seed), depth=6)  # noqa: S311 - nothing here is secret


def _grown(chance: random.Random, depth: int) -> DataSet:
    leaves = chance.sample(sorted(VALUES), chance.randrange(5))
    result: DataSet = {tag: VALUES[tag][1] for tag in leaves}
    for tag in chance.sample(SEQUENCES, chance.choice((1, 1, 2)) if depth else 0):
        count = chance.choice((0, 1, 1, 1, 2))
        items = tuple((_grown(chance, depth - 1), chance.random() < 0.5) for _ in range(count))
        result[tag] = Sequence(items, chance.random() < 0.5)
    return dict(sorted(result.items()))


def encoded(data_set: DataSet, encoding: Encoding, *, icon: bool = False) -> bytes:
    """Written again from PS3.5, on purpose without the code under test."""
    parts = [_element(tag, value, encoding) for tag, value in sorted(data_set.items())]
    if icon and encoding.explicit:  # encapsulated pixels, with a delimiter in a fragment
        parts.append(_header(0x7FE00010, "OB", UNDEFINED, encoding))
        for fragment in (b"", b"\xfe\xff\xdd\xe0\0\0\0\0"):
            parts += (_delimiter(0xE000, len(fragment), encoding), fragment)
        parts.append(_delimiter(0xE0DD, 0, encoding))
    return b"".join(parts)


def _number(value: int, size: int, encoding: Encoding) -> bytes:
    return value.to_bytes(size, "big" if encoding.big_endian else "little")


def _delimiter(element: int, length: int, encoding: Encoding) -> bytes:
    return _number(0xFFFE, 2, encoding) + _number(element, 2, encoding) + _number(length, 4, encoding)


def _header(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    start = _number(tag >> 16, 2, encoding) + _number(tag & 0xFFFF, 2, encoding)
    if not encoding.explicit:
        return start + _number(length, 4, encoding)
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return start + vr.encode() + b"\0\0" + _number(length, 4, encoding)
    return start + vr.encode() + _number(length, 2, encoding)


def _element(tag: int, value: bytes | Sequence, encoding: Encoding) -> bytes:
    if isinstance(value, bytes):
        return _header(tag, VALUES[tag][0], len(value), encoding) + value
    unknown = tag == UNKNOWN and not encoding.big_endian  # there, pydicom does not read what PS3.5 6.2.2 says
    inner = IMPLICIT_LITTLE if unknown else encoding
    content = b""
    for item, defined in value.items:
        data = encoded(item, inner, icon=tag == ICON)
        content += _delimiter(0xE000, len(data) if defined else UNDEFINED, inner) + data
        content += b"" if defined else _delimiter(0xE00D, 0, inner)
    content += b"" if value.defined else _delimiter(0xE0DD, 0, inner)
    vr = "UN" if unknown else "SQ"
    return _header(tag, vr, len(content) if value.defined else UNDEFINED, encoding) + content


class Everything:
    """Rules that hand every element to the act."""

    def __getitem__(self, tag: int) -> Any:
        return "any"

    def items_of(self, tag: int) -> Everything:  # noqa: ARG002 - the same everywhere
        return self


def walk(data: bytes, act: Any, rules: Any, encoding: Encoding) -> bytes | None:
    after, new = Walker(data, act).data_set(0, len(data), rules, encoding)
    assert after == len(data)
    return new


def is_sequence(element: Element) -> bool:
    """Private sequences of defined length cannot be told in implicit VR; the act knows them."""
    return element.vr == "SQ" or element.tag in SEQUENCES


SEEDS = st.integers(0, 2**32 - 1).map(data_set_of)
ENCODINGS = st.sampled_from([EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
many = settings(max_examples=300, deadline=None, database=None)


@many
@given(SEEDS, ENCODINGS)
def test_what_no_rule_names_is_never_changed(data_set: DataSet, encoding: Encoding) -> None:
    def never(_rule: Any, element: Element) -> bytes:
        raise AssertionError(element)

    assert walk(encoded(data_set, encoding), never, VERBATIM, encoding) is None


@many
@given(SEEDS, ENCODINGS)
def test_the_same_values_make_the_same_bytes(data_set: DataSet, encoding: Encoding) -> None:
    def same(_rule: Any, element: Element) -> bytes | Verdict:
        if is_sequence(element):
            return DESCEND
        return KEEP if element.tag in PIXELS else element.value

    data = encoded(data_set, encoding)
    assert walk(data, same, Everything(), encoding) in (data, None)


@many
@given(SEEDS, ENCODINGS, st.sets(st.sampled_from(sorted({*VALUES, *SEQUENCES} - {CREATOR}))))
def test_removing_and_replacing_anywhere_is_like_never_having_been_there(
    data_set: DataSet, encoding: Encoding, unwanted: set[int]
) -> None:
    def act(_rule: Any, element: Element) -> bytes | Verdict:
        if element.tag in unwanted:
            return REMOVE
        if element.tag == CREATOR:
            return RESERVE
        if element.tag == NAME:
            return b"SOMEBODY^MUCH^LONGER"
        return DESCEND if is_sequence(element) else KEEP

    expected = changed(data_set, unwanted)
    data = encoded(data_set, encoding)
    new = walk(data, act, Everything(), encoding)
    result = data if new is None else new
    assert result == encoded(expected, encoding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_dataset(BytesIO(result), not encoding.explicit, not encoding.big_endian)
        assert shape(read, encoding) == expected_shape(expected, encoding)


def changed(data_set: DataSet, unwanted: set[int]) -> DataSet:
    result: DataSet = {}
    for tag, value in data_set.items():
        if tag in unwanted:
            continue
        if isinstance(value, bytes):
            result[tag] = b"SOMEBODY^MUCH^LONGER" if tag == NAME else value
            continue
        new = Sequence(tuple((changed(item, unwanted), defined) for item, defined in value.items), value.defined)
        hollow = tag & 0x10000 and new != value and not any(item for item, _ in new.items)
        if not hollow:
            result[tag] = new
    if CREATOR in result and not any(tag >> 8 == 0x000910 for tag in result):
        del result[CREATOR]
    return result


def shape(data_set: Dataset, encoding: Encoding) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for element in data_set:
        tag = int(element.tag)
        if tag not in PIXELS and not (tag & 0x10000 and (tag & 0xFFFF) in (0x1010, 0x1011)):
            found[tag] = [shape(item, encoding) for item in element.value] if element.VR == "SQ" else str(element.value)
    return {tag: value if isinstance(value, list) or tag == NAME else "" for tag, value in found.items()}


def expected_shape(data_set: DataSet, encoding: Encoding) -> dict[int, Any]:
    result: dict[int, Any] = {}
    for tag, value in data_set.items():
        if isinstance(value, bytes):
            result[tag] = value.decode() if tag == NAME else ""
        elif not tag & 0x10000:
            result[tag] = [expected_shape(item, encoding) for item, _ in value.items]
    return result


def files_below(folder: Path, largest: int) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.stat().st_size <= largest:
            yield file


def our_view(path: Path) -> tuple[set[tuple[int, ...]], bool]:
    """Every element that a walk shows, by its path; and whether a walk without rules leaves all as it is."""
    limits = Limits(header=8 << 20, inflated=8 << 20)
    source = open_source(path, limits)
    try:
        found = outline(source, limits)
    finally:
        source.close()
    seen: set[tuple[int, ...]] = set()

    def act(_rule: Any, element: Element) -> Verdict:
        seen.add((*element.path, element.tag))
        return DESCEND if element.vr == "SQ" else KEEP

    unchanged = True
    walker, output, rules = Walker(found.buffer, act), Output(found.buffer, 0), Everything()
    for place in found.places:
        seen.add((place.tag,))
        if place.start not in found.spans:
            for chosen, rule in ((rules, rules[place.tag]), (VERBATIM, VERBATIM[place.tag])):
                after, new = walker.element(rule, place, chosen, found.encoding, output)
                unchanged &= after == place.end and new in (KEEP, DESCEND)
    return seen, unchanged


def their_view(data: bytes) -> set[tuple[int, ...]]:
    """Every element that pydicom sees up to the pixels; what is in private sequences it may know from its own lists."""
    seen: set[tuple[int, ...]] = set()

    def visit(data_set: Dataset, path: tuple[int, ...], tags: Iterable[Any]) -> None:
        for tag in tags:
            seen.add((*path, int(tag)))
            try:
                element = data_set[tag]
            except Exception:  # noqa: BLE001, S112 - it sees the element, but cannot read its value
                continue
            if element.VR == "SQ" and not int(tag) & 0x10000:
                for item in element.value:
                    visit(item, (*path, int(tag)), list(item.keys()))
            if not path and int(tag) in PIXELS:
                break

    data_set = pydicom.dcmread(BytesIO(data), force=True)
    visit(data_set, (), list(data_set.keys()))
    return seen


def test_every_file_of_the_corpus_walks_unchanged_and_nothing_is_passed_over(corpus: Path) -> None:
    walked = 0
    for file in files_below(corpus, 1 << 20):
        try:
            seen, unchanged = our_view(file)
        except DeidError:
            continue
        assert unchanged, file.name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert their_view(file.read_bytes()) <= seen, file.name
        walked += 1
    assert walked > 100


INSERTIONS = (
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\x10\0\x10\0PN\x04\0A^B ",
    b"\xff\xff\xff\xff",
)


def mutant(chance: random.Random, original: bytes) -> bytes:
    data = bytearray(original)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(132, len(data))
        kind = chance.randrange(6)
        if kind == 0:
            data[at] = chance.choice((0, 1, 0xFE, 0xFF, chance.randrange(256)))
        elif kind == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[at : min(at + chance.choice((1, 2, 4, 8, 16)), len(data) - 1)]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 8)))
        elif kind == 4:
            data[at:at] = chance.choice(INSERTIONS)
        else:
            other = chance.randrange(132, len(data))
            size = chance.choice((4, 8, 12, 20))
            data[at : at + size] = data[other : other + size]
    return bytes(data)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return [file.read_bytes() for file in files_below(folder, 20_000)]


def attack(path: Path, originals: list[bytes], seed: int, count: int) -> int:
    """Mutants that we accept; each must look to pydicom as it looks to us, if pydicom can read it at all."""
    chance = random.Random(seed)  # noqa: S311 - mutants, the same ones every time
    accepted = 0
    for number in range(count):
        data = mutant(chance, chance.choice(originals))
        path.write_bytes(data)
        try:
            seen, unchanged = our_view(path)
        except DeidError:
            continue
        assert unchanged, number
        accepted += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                theirs = their_view(data)
            except Exception:  # noqa: BLE001, S112 - pydicom may fail as it likes, we may not
                continue
        assert theirs <= seen, (number, [[f"{tag:08X}" for tag in path] for path in theirs - seen])
    return accepted


def test_damaged_samples_are_refused_or_seen_whole(tmp_path: Path, originals: list[bytes]) -> None:
    assert 0 < attack(tmp_path / "mutant", originals, seed=1, count=1200) < 1200


def test_damaged_real_files_are_refused_or_seen_whole(tmp_path: Path, corpus: Path) -> None:
    small = [file.read_bytes() for file in files_below(corpus, 12_000)]
    small = [data for data in small if data[128:132] == b"DICM" and len(data) > 200]
    assert 0 < attack(tmp_path / "mutant", small, seed=2, count=1200) < 1200
