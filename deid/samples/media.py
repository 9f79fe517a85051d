"""Files as a CD has them: preamble and File Meta Information that identify, and a DICOMDIR (PS3.10 7.1, 8.6)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from deid.samples.modules import item
from deid.samples.planted import FILE_SET, IMPLEMENTATION, MEDIA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.samples.patients import Patient

_LEVELS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# PS3.3 F.5: what a record of each level says, as far as the object has it.
_KEYS = (
    ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    ("SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription", "InstitutionName"),
    (
        *("InstanceNumber", "ContentDate", "ContentTime", "ImageComments", "ConceptNameCodeSequence"),
        *("StructureSetLabel", "StructureSetDate", "StructureSetTime", "CompletionFlag", "VerificationFlag"),
    ),
)
_LEAVES = {"SR": "SR DOCUMENT", "RTSTRUCT": "RT STRUCTURE SET"}
_IN_USE = 0xFFFF


def encode(dataset: Dataset, syntax: UID, patient: Patient) -> bytes:
    """The DICOM file of an object, with the patient in the preamble and in the private information."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    # PS3.3 F.3: a directory has no SOP Common Module to take them from.
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MediaStorageDirectoryStorage)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", MEDIA)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "EXAMPLE_17"
    meta.SourceApplicationEntityTitle = patient.ae_title
    meta.SendingApplicationEntityTitle = patient.ae_title
    meta.ReceivingApplicationEntityTitle = patient.ae_title
    meta.PrivateInformationCreatorUID = UID(IMPLEMENTATION)
    meta.PrivateInformation = f"{patient.latin} {patient.person['PatientID']}".encode().ljust(32, b"\0")
    dataset.file_meta = meta
    dataset.preamble = f"Export {patient.latin} {patient.person['PatientID']}".encode().ljust(128, b"\0")
    encoded = io.BytesIO()
    pydicom.dcmwrite(encoded, dataset, enforce_file_format=True)
    return encoded.getvalue()


def directory(objects: Iterable[tuple[str, Dataset]], patient: Patient) -> bytes:
    """The DICOMDIR over (file, object) pairs that come sorted by patient, study and series."""
    levels: list[int] = []
    records: list[Dataset] = []
    seen: set[str] = set()
    for file, dataset in objects:
        for level, keyword in enumerate(_LEVELS):
            if dataset[keyword].value not in seen:
                seen.add(dataset[keyword].value)
                levels.append(level)
                records.append(_record(level, dataset, file))
    root = item(
        FileSetID=FILE_SET,
        OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity=0,
        OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity=0,
        FileSetConsistencyFlag=0,
        DirectoryRecordSequence=records,
    )
    # Offsets have a fixed size: the first writing shows where every record lies, the second says so.
    first = pydicom.dcmread(io.BytesIO(encode(root, ExplicitVRLittleEndian, patient)))
    _link(root, levels, [record.seq_item_tell for record in first.DirectoryRecordSequence])
    return encode(root, ExplicitVRLittleEndian, patient)


def _record(level: int, dataset: Dataset, file: str) -> Dataset:
    leaf = _LEAVES.get(dataset.Modality, "IMAGE")
    record = item(
        OffsetOfTheNextDirectoryRecord=0,
        RecordInUseFlag=_IN_USE,
        OffsetOfReferencedLowerLevelDirectoryEntity=0,
        DirectoryRecordType=("PATIENT", "STUDY", "SERIES", leaf)[level],
        SpecificCharacterSet=dataset.SpecificCharacterSet,
    )
    if level == len(_LEVELS) - 1:
        record.ReferencedFileID = file.split("/")
        record.ReferencedSOPClassUIDInFile = dataset.SOPClassUID
        record.ReferencedSOPInstanceUIDInFile = dataset.SOPInstanceUID
        record.ReferencedTransferSyntaxUIDInFile = dataset.file_meta.TransferSyntaxUID
        if "VerifyingObserverSequence" in dataset:
            record.VerificationDateTime = dataset.VerifyingObserverSequence[0].VerificationDateTime
    for keyword in _KEYS[level]:
        if keyword in dataset:
            record[keyword] = dataset[keyword]
    return record


def _link(root: Dataset, levels: list[int], offsets: list[int]) -> None:
    """Write each record's offset into the record before it on its level, and into its parent (PS3.3 F.2.1)."""
    previous: dict[int, Dataset] = {}
    for level, offset, record in zip(levels, offsets, root.DirectoryRecordSequence, strict=True):
        if level in previous:
            previous[level].OffsetOfTheNextDirectoryRecord = offset
        elif level:
            previous[level - 1].OffsetOfReferencedLowerLevelDirectoryEntity = offset
        previous = {above: other for above, other in previous.items() if above < level} | {level: record}
    tops = [offset for level, offset in zip(levels, offsets, strict=True) if level == 0]
    root.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = tops[0]
    root.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = tops[-1]
