from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from deid.errors import Rejected
from deid.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from deid.part10.reencode import reencode, swapped

TARGETS = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


def written(dataset: Dataset, encoding: Encoding) -> bytes:
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not encoding.explicit, not encoding.big_endian
    write_dataset(file, dataset)
    file.seek(0)
    return bytes(file.read())


def everything(*, undefined: bool) -> Dataset:
    """Numbers of every size, text, a sequence in a sequence, an empty one and an empty item."""
    deep = Dataset()
    deep.PixelBandwidth, deep.TableAngle, deep.ReferencedFrameNumber = 220, 1.5, 7
    middle = Dataset()
    middle.PatientName, middle.ReferencedImageSequence = "Ada^A", [deep, Dataset()]
    dataset = Dataset()
    dataset.Rows, dataset.FrameIncrementPointer, dataset.SimpleFrameList = 513, [0x00181063, 0x00181065], [1, 1 << 20]
    dataset.EventTimeOffset, dataset.SelectorSVValue, dataset.SelectorUVValue = 0.25, -5, 1 << 60
    dataset.SelectorSLValue, dataset.SelectorSSValue = -70_000, -2
    dataset.FloatPixelData = struct.pack("<3f", 1, 2, 3)
    dataset.add_new(0x00091010, "UN", b"\1\2\3\4")
    dataset.RequestAttributesSequence, dataset.ReferencedStudySequence = [middle, Dataset()], []
    for each in (dataset, middle):
        for element in each:
            if element.VR == "SQ":
                element.is_undefined_length = undefined
                for item in element.value:
                    item.is_undefined_length_sequence_item = undefined
    return dataset


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("source", [EXPLICIT_LITTLE, EXPLICIT_BIG])
def test_what_another_writer_would_write(source: Encoding, target: Encoding, undefined: bool) -> None:  # noqa: FBT001
    original, expected = everything(undefined=undefined), everything(undefined=undefined and source is target)
    if source is EXPLICIT_BIG:  # pydicom takes such values as they are
        original.FloatPixelData = struct.pack(">3f", 1, 2, 3)
    assert reencode(written(original, source), source, target) == written(expected, target)


def test_items_of_unknown_elements_stay_as_they_are() -> None:
    items = b"\xfe\xff\x00\xe0\x0a\0\0\0\x09\0\x01\x10\2\0\0\0ab\xfe\xff\xdd\xe0\0\0\0\0"
    unknown = b"\x09\0\x02\x10UN\0\0\xff\xff\xff\xff" + items
    assert reencode(unknown, EXPLICIT_LITTLE, IMPLICIT_LITTLE) == b"\x09\0\x02\x10\xff\xff\xff\xff" + items


def test_group_lengths_go() -> None:
    assert reencode(b"\x08\0\0\0UL\4\0\2\0\0\0", EXPLICIT_LITTLE, IMPLICIT_LITTLE) == b""


SEQUENCE = b"\x08\0\x40\x11SQ\0\0"
BROKEN = {
    "a value past the end": b"\x08\0\x60\0CS\x40\0CT",
    "a value past the end of its item": SEQUENCE + b"\x12\0\0\0\xfe\xff\x00\xe0\x0a\0\0\0\x08\0\x60\0CS\x08\0CT",
    "an item past the end of its sequence": SEQUENCE + b"\x0a\0\0\0\xfe\xff\x00\xe0\xff\0\0\0CT",
    "a sequence past the end": SEQUENCE + b"\xf0\0\0\0\xfe\xff\x00\xe0\0\0\0\0",
    "a sequence without end": SEQUENCE + b"\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0",
    "an item without end": SEQUENCE + b"\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\0\x60\0CS\2\0CT",
    "half an item": SEQUENCE + b"\4\0\0\0\xfe\xff\x00\xe0",
    "no item": SEQUENCE + b"\x08\0\0\0\x08\0\x60\0CS\0\0",
    "fragments": b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0",
    "no VR": b"\x08\0\x60\0??\2\0CT",
    "half a number": b"\x28\0\x10\0US\1\0\1",
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("source", [EXPLICIT_LITTLE, EXPLICIT_BIG])
def test_what_is_broken_is_held(source: Encoding, what: str) -> None:
    content = BROKEN[what]
    if source is EXPLICIT_LITTLE and what == "half a number":
        pytest.skip("nobody looks into a value that needs not be turned")
    if source is EXPLICIT_BIG:
        content = bytes(content[:4][::-1])[2:] + bytes(content[:4][::-1])[:2] + content[4:]
    with pytest.raises(Rejected):
        reencode(content, source, IMPLICIT_LITTLE)


def test_nesting_has_an_end() -> None:
    content = b"".join(SEQUENCE + b"\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" for _ in range(200))
    with pytest.raises(Rejected, match="nested deeper"):
        reencode(content, EXPLICIT_LITTLE, IMPLICIT_LITTLE)


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT_LITTLE, EXPLICIT_BIG]))
def test_any_bytes_are_converted_or_held(content: bytes, source: Encoding) -> None:
    for begin in (b"", SEQUENCE, b"\x08\0\x40\x11UN\0\0\xff\xff\xff\xff"):
        try:
            made = reencode(begin + content, source, IMPLICIT_LITTLE)
        except Rejected:
            continue
        assert len(made) <= 2 * len(begin + content) + 8


@given(st.binary(min_size=8, max_size=8), st.sampled_from(["US", "OW", "OF", "UL", "OD", "FD", "OB", "LO", "UN"]))
def test_turned_twice_is_not_turned(value: bytes, vr: str) -> None:
    assert swapped(swapped(value, vr), vr) == value


def test_numbers_are_turned_by_their_size() -> None:
    value = bytes(range(8))
    assert swapped(value, "OW") == b"\1\0\3\2\5\4\7\6"
    assert swapped(value, "OF") == b"\3\2\1\0\7\6\5\4"
    assert swapped(value, "OD") == b"\7\6\5\4\3\2\1\0"
    assert swapped(value, "OB") == value
