"""Private blocks as scanners and archives write them, with the patient inside (PS3.5 7.8)."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import Dataset

from deid.samples.modules import item
from deid.samples.planted import PRIVATE_ID, PRIVATE_UID, Series

if TYPE_CHECKING:
    from deid.samples.patients import Patient

_CSA_FILLER = 77  # Siemens writes it wherever nothing else is said
_ITEM = 0xE000FFFE


def archive_block(dataset: Dataset, patient: Patient) -> None:
    """Add what a PACS leaves: plain values, and a sequence that came back as UN (PS3.5 6.2.2 note 4)."""
    name = patient.person["PatientName"]
    block = dataset.private_block(0x0009, "EXAMPLE PACS", create=True)
    block.add_new(0x01, "LO", PRIVATE_ID)
    block.add_new(0x02, "PN", name)
    block.add_new(0x03, "UI", PRIVATE_UID)
    block.add_new(0x04, "DA", patient.person["PatientBirthDate"])
    block.add_new(0x05, "OB", f"<owner>{patient.latin}</owner>".encode().ljust(32, b"\0"))
    inner = item(PatientName=name, PatientID=patient.person["PatientID"])
    inner.private_block(0x0009, "EXAMPLE PACS", create=True).add_new(0x01, "LO", PRIVATE_ID)
    encoded = _implicit(inner)
    wrapped = struct.pack("<II", _ITEM, len(encoded)) + encoded
    block.add_new(0x10, "UN", wrapped)
    block.add_new(0x11, "UN", wrapped)
    dataset[0x0009, 0x1011].is_undefined_length = True


def siemens_blocks(dataset: Dataset, series: Series) -> None:
    """Add groups 0019 and 0029 as a Siemens MR writes them: a CSA header, and a sequence with its own creator."""
    patient, study = series.study.patient, series.study
    mr = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    mr.add_new(0x08, "CS", "IMAGE NUM 4")
    mr.add_new(0x0F, "SH", "Normal")
    mr.add_new(0x7F, "LO", patient.person["PatientName"].split("=")[0])
    csa = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    csa.add_new(0x08, "CS", "IMAGE NUM 4")
    csa.add_new(0x09, "LO", study.date)
    csa.add_new(
        0x10,
        "OB",
        _csa_header(
            {
                "EchoLinePosition": "32",
                "PatientName": f"{patient.latin}^{patient.person['PatientID']}",
                "StudyInstanceUID": study.uid,
                "InstitutionAE": patient.ae_title,
            }
        ),
    )
    application = Dataset()
    medcom = application.private_block(0x0029, "SIEMENS MEDCOM HEADER", create=True)
    medcom.add_new(0x41, "CS", "MEDCOM HISTORY")
    medcom.add_new(0x42, "LO", patient.hospital["OperatorsName"].split("=")[0])
    medcom.add_new(0x43, "LO", f"{PRIVATE_ID} {patient.latin}")
    outer = dataset.private_block(0x0029, "SIEMENS MEDCOM HEADER", create=True)
    outer.add_new(0x40, "SQ", [application])


def _implicit(dataset: Dataset) -> bytes:
    encoded = io.BytesIO()
    pydicom.dcmwrite(encoded, dataset, implicit_vr=True, little_endian=True)
    return encoded.getvalue()


def _csa_header(elements: dict[str, str]) -> bytes:
    """The 'SV10' layout: count, then name, VM, VR and items of each element, all little endian."""
    header = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(elements), _CSA_FILLER)
    for name, text in elements.items():
        value = text.encode("ascii") + b"\0"
        header += struct.pack("<64si4siii", name.encode("ascii"), 1, b"LO", 19, 1, _CSA_FILLER)
        header += struct.pack("<4i", len(value), len(value), _CSA_FILLER, len(value))
        header += value + b"\0" * (-len(value) % 4)
    return header + b"\0" * (len(header) % 2)
