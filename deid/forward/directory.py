"""The records of a DICOMDIR (PS3.3 F): a tree of patients, studies, series and objects, encoded in one pass."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pydicom.filebase import DicomBytesIO
from pydicom.fileset import (
    DIRECTORY_RECORDERS,
    _four_level_record_type,
    _single_level_record_type,  # which record a SOP Class has is known there only
)
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from deid.part10.encoding import EXPLICIT_LITTLE, encode, encode_items
from deid.part10.target import file_meta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

_KEYS: Final = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}
_NEXT, _LOWER = 8, 30
"""Where the two offsets are in a record: (0004,1400), (0004,1410) and (0004,1420) are its first elements."""


@dataclass(slots=True)
class _Node:
    component: str  # of the File ID
    record: bytearray
    below: dict[str, _Node] = field(default_factory=dict)
    start: int = 0

    def all(self) -> Iterator[_Node]:
        yield self
        for node in self.below.values():
            yield from node.all()


class Directory:
    """A directory that grows by one object at a time, whatever its size."""

    def __init__(self) -> None:
        self._root = _Node("", bytearray())

    def add(self, header: Dataset) -> tuple[str, ...]:
        """Take an object in, and return its File ID (PS3.10 8.2: eight characters each). Raises ValueError, KeyError.

        pydicom's own FileSet compares each object with all before it, and copies each twice.
        """
        node = self._root
        file_id: list[str] = []
        for depth, kind in enumerate(_kinds(header)):
            key = str(header[_KEYS.get(kind, "SOPInstanceUID")].value)
            if key not in node.below:
                component = f"{'PSEI'[depth]}{len(node.below):07}"
                record = _encoded(_record(header, kind, [*file_id, component]))
                node.below[key] = _Node(component, record)
            node = node.below[key]
            file_id.append(node.component)
        return tuple(file_id)

    def encoded(self) -> bytes:
        """The file DICOMDIR."""
        meta = file_meta(MediaStorageDirectoryStorage, generate_uid(None), ExplicitVRLittleEndian)
        _, *nodes = self._root.all()
        end = len(meta) + len(_before(0, 0)) + len(encode(0x00041220, "SQ", b"", EXPLICIT_LITTLE))
        for node in nodes:
            node.start = end
            end += 8 + len(node.record)
        for node in (self._root, *nodes):
            siblings = tuple(node.below.values())
            for one, other in pairwise(siblings):
                struct.pack_into("<I", one.record, _NEXT, other.start)
            if siblings and node.record:
                struct.pack_into("<I", node.record, _LOWER, siblings[0].start)
        ends = [node.start for node in self._root.below.values()]
        items = encode_items([bytes(node.record) for node in nodes], EXPLICIT_LITTLE)
        return meta + _before(ends[0], ends[-1]) + encode(0x00041220, "SQ", items, EXPLICIT_LITTLE)


def _before(first: int, last: int) -> bytes:
    """What comes before the records, with the places of the first and the last one of the highest level."""
    return b"".join(
        encode(tag, vr, value, EXPLICIT_LITTLE)
        for tag, vr, value in (
            (0x00041130, "CS", b""),
            (0x00041200, "UL", first.to_bytes(4, "little")),
            (0x00041202, "UL", last.to_bytes(4, "little")),
            (0x00041212, "US", b"\0\0"),
        )
    )


def _kinds(header: Dataset) -> tuple[str, ...]:
    alone = _single_level_record_type(header)
    return (alone,) if alone != "PATIENT" else ("PATIENT", "STUDY", "SERIES", _four_level_record_type(header))


def _record(header: Dataset, kind: str, file_id: list[str]) -> Dataset:
    record = DIRECTORY_RECORDERS[kind](header)
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = kind
    if "SpecificCharacterSet" in header:
        record.SpecificCharacterSet = header.SpecificCharacterSet
    if kind not in _KEYS:
        record.ReferencedFileID = file_id
        record.ReferencedSOPClassUIDInFile = header.SOPClassUID
        record.ReferencedSOPInstanceUIDInFile = header.SOPInstanceUID
        record.ReferencedTransferSyntaxUIDInFile = header.file_meta.TransferSyntaxUID
    return record


def _encoded(record: Dataset) -> bytearray:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, record)
    return bytearray(buffer.getvalue())
