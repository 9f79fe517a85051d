"""Items of a sequence are told apart in any encoding, and nothing of what is nested in them is taken for theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from deid.errors import Rejected
from deid.part10.items import items_of
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source

if TYPE_CHECKING:
    from pathlib import Path

REGIONS, LEFT, TOP = 0x00186011, 0x00186018, 0x0018601A


def read(path: Path) -> list[dict[int, bytes]]:
    source = open_source(path, Limits())
    try:
        return list(items_of(outline(source, Limits()), REGIONS, (LEFT, TOP)))
    finally:
        source.close()


def made(syntax: str, *, undefined: bool) -> Dataset:
    item, other, nested = Dataset(), Dataset(), Dataset()
    nested.RegionLocationMinY0 = 99
    item.RegionSpatialFormat, item.RegionLocationMinX0 = 1, 7
    other.RegionLocationMinX0, other.RegionLocationMinY0, other.RegionLocationMaxX1 = 8, 9, 10
    other.ReferencedImageSequence = [nested]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.6.1")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset.SequenceOfUltrasoundRegions = [item, other]
    dataset["SequenceOfUltrasoundRegions"].is_undefined_length = undefined
    for each in (item, other):
        each.is_undefined_length_sequence_item = undefined
    return dataset


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_items(syntax: str, undefined: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    made(syntax, undefined=undefined).save_as(tmp_path / "source", enforce_file_format=True)
    order = "big" if syntax == ExplicitVRBigEndian else "little"
    found = [{tag: int.from_bytes(value, order) for tag, value in item.items()} for item in read(tmp_path / "source")]  # type: ignore[arg-type]
    assert found == [{LEFT: 7}, {LEFT: 8, TOP: 9}]


def test_a_sequence_that_is_not_there_has_no_items(tmp_path: Path) -> None:
    dataset = made(ExplicitVRLittleEndian, undefined=False)
    del dataset.SequenceOfUltrasoundRegions
    dataset.save_as(tmp_path / "source", enforce_file_format=True)
    assert read(tmp_path / "source") == []


def test_an_item_that_is_longer_than_its_sequence(tmp_path: Path) -> None:
    made(ExplicitVRLittleEndian, undefined=False).save_as(tmp_path / "source", enforce_file_format=True)
    content = (tmp_path / "source").read_bytes()
    at = content.rindex(b"\xfe\xff\x00\xe0", 0, content.index(b"\x18\x00\x18\x60"))
    (tmp_path / "source").write_bytes(content[: at + 4] + b"\xff\0\0\0" + content[at + 8 :])
    with pytest.raises(Rejected, match="SequenceOfUltrasoundRegions"):
        read(tmp_path / "source")
