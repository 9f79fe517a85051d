"""UIDs that name a definition of DICOM and not a person's data: the registry of PS3.6 Annex A, and where they stand."""

from __future__ import annotations

from functools import cache
from typing import Final

from deid.standard import data_files

# Attributes whose UIDs say what something is or how it is encoded: SOP Classes, transfer syntaxes, coding schemes,
# context groups. With one of them replaced the object could not be read any more; none names an instance of a patient.
STRUCTURAL: Final = frozenset(
    {
        0x00020002,  # MediaStorageSOPClassUID
        0x00020010,  # TransferSyntaxUID
        0x00041510,  # ReferencedSOPClassUIDInFile
        0x00041512,  # ReferencedTransferSyntaxUIDInFile
        0x0004151A,  # ReferencedRelatedGeneralSOPClassUIDInFile
        0x00080016,  # SOPClassUID
        0x0008001A,  # RelatedGeneralSOPClassUID
        0x0008001B,  # OriginalSpecializedSOPClassUID
        0x00080062,  # SOPClassesInStudy
        0x0008010C,  # CodingSchemeUID
        0x0008010D,  # ContextGroupExtensionCreatorUID
        0x00080117,  # ContextUID
        0x00080118,  # MappingResourceUID
        0x0008040E,  # StoredInstanceTransferSyntaxUID
        0x00081150,  # ReferencedSOPClassUID
        0x0008115A,  # SOPClassesSupported
        0x00083002,  # AvailableTransferSyntaxUID
        0x00089123,  # CreatorVersionUID
        0x00280304,  # ReferencedColorPaletteInstanceUID
        0x00340003,  # FlowTransferSyntaxUID
        0x04000010,  # MACCalculationTransferSyntaxUID
        0x04000510,  # EncryptedContentTransferSyntaxUID
        0x30100052,  # PertinentSOPClassesInStudy
        0x30100053,  # PertinentSOPClassesInSeries
    }
)


@cache
def _names() -> dict[str, str]:
    return {row["uid"]: row["name"] for row in data_files.rows("uids.csv")}


def registered() -> dict[str, str]:
    """The name that PS3.6 gives each UID it defines."""
    return _names()


def is_registered(uid: str) -> bool:
    """Whether PS3.6 defines the UID; such a value identifies nobody, even where instance UIDs stand (PS3.15 E.3.9)."""
    return uid in _names()


def name_of(uid: str) -> str:
    """The name PS3.6 gives the UID, or the UID itself."""
    return _names().get(uid, uid)
