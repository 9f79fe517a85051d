"""CT, MR and US images, with identifiers in overlays, icons, private blocks, a signature and the pixels themselves."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from deid.samples.modules import acquired, code, item, reference, referring_physician
from deid.samples.planted import SIGNATURE, Series
from deid.samples.private import archive_block, siemens_blocks

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from deid.samples.patients import Patient

_SIDE = 64
# Seven rows of five pixels per letter, one byte per row.
_GLYPHS = {
    letter: bytes.fromhex(rows)
    for letter, rows in {
        "A": "0E11111F111111",
        "D": "1E11111111111E",
        "E": "1F10101E10101F",
        "G": "0E11101711110E",
        "L": "1010101010101F",
        "M": "111B1515111111",
        "N": "11191513111111",
        "R": "1E11111E141211",
        "U": "1111111111110E",
        "W": "11111115151B11",
        "Y": "11110A04040404",
    }.items()
}


def ct(series: Series, number: int) -> Dataset:
    """An axial slice with an overlay, an icon, a curve, a private block, a signature and trailing padding."""
    patient = series.study.patient
    dataset = acquired(series, number)
    localizer = reference(series.sop_class, series.instance(1))
    localizer.PurposeOfReferenceCodeSequence = [code("121311", "DCM", "Localizer")]
    dataset.update(_slice(series, number))
    dataset.update(
        item(
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            ReferringPhysicianIdentificationSequence=[referring_physician()],
            KVP="120",
            RescaleIntercept="-1024",
            RescaleSlope="1",
            RescaleType="HU",
            WindowCenter="40",
            WindowWidth="400",
            ReferencedImageSequence=[localizer],
            IconImageSequence=[_icon(patient)],
            DataSetTrailingPadding=f"{patient.latin} {patient.person['PatientID']}".encode().ljust(64, b"\0"),
        )
    )
    dataset["ReferencedImageSequence"].is_undefined_length = True
    localizer.is_undefined_length_sequence_item = True
    _add_overlay(dataset, patient)
    _add_signature(dataset, patient)
    archive_block(dataset, patient)
    return dataset


def mr(series: Series, number: int) -> Dataset:
    """A spin echo slice with the private groups of a Siemens scanner."""
    dataset = acquired(series, number)
    dataset.update(_slice(series, number))
    dataset.update(
        item(
            ImageType=["ORIGINAL", "PRIMARY", "M"],
            ScanningSequence="SE",
            SequenceVariant="SK",
            ScanOptions="",
            MRAcquisitionType="2D",
            RepetitionTime="4000",
            EchoTime="101",
            EchoTrainLength="15",
            MagneticFieldStrength="1.5",
            SourceImageSequence=[reference(series.sop_class, series.instance(1))] if number > 1 else [],
        )
    )
    if not dataset.SourceImageSequence:
        del dataset.SourceImageSequence
    siemens_blocks(dataset, series)
    return dataset


def us(series: Series, number: int) -> Dataset:
    """An RGB image with the name burned in above its one region."""
    columns, rows, header = 160, 120, 20
    patient = series.study.patient
    lettering = _lettering(patient.latin, left=4, top=3, scale=2)
    pixels = bytearray()
    for y in range(rows):
        for x in range(columns):
            level = 255 if (x, y) in lettering else 0 if y < header else (x * 5 + y * 7) % 64 + 32
            pixels += bytes((level, level, level))
    dataset = acquired(series, number)
    dataset.update(
        item(
            ImageType=["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"],
            BurnedInAnnotation="YES",
            PatientOrientation="",
            SamplesPerPixel=3,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=0,
            Rows=rows,
            Columns=columns,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
            PixelRepresentation=0,
            LossyImageCompression="00",
            UltrasoundColorDataPresent=0,
            SequenceOfUltrasoundRegions=[
                item(
                    RegionSpatialFormat=1,
                    RegionDataType=1,
                    RegionFlags=0,
                    RegionLocationMinX0=0,
                    RegionLocationMinY0=header,
                    RegionLocationMaxX1=columns - 1,
                    RegionLocationMaxY1=rows - 1,
                    PhysicalUnitsXDirection=3,
                    PhysicalUnitsYDirection=3,
                    PhysicalDeltaX=0.05,
                    PhysicalDeltaY=0.05,
                )
            ],
            PixelData=bytes(pixels),
        )
    )
    dataset["PixelData"].VR = "OB"
    return dataset


def _slice(series: Series, number: int) -> Dataset:
    """A disc in 16 bits, and where it lies in the patient."""
    order = ">" if series.syntax == ExplicitVRBigEndian else "<"
    centre = _SIDE // 2
    values = [
        1000 + number * 16 + x if (x - centre) ** 2 + (y - centre) ** 2 < 28**2 else 24
        for y in range(_SIDE)
        for x in range(_SIDE)
    ]
    plane = item(
        FrameOfReferenceUID=series.frame_of_reference,
        PositionReferenceIndicator="",
        PatientPosition="HFS",
        AcquisitionNumber=1,
        SliceThickness="5",
        PixelSpacing=["0.8", "0.8"],
        ImagePositionPatient=["-25.6", "-25.6", str(-5 * number)],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=_SIDE,
        Columns=_SIDE,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=0,
        PixelData=struct.pack(f"{order}{len(values)}H", *values),
    )
    plane["PixelData"].VR = "OW"
    return plane


def _lettering(text: str, *, left: int, top: int, scale: int = 1) -> frozenset[tuple[int, int]]:
    """The pixels (x, y) that spell a text."""
    return frozenset(
        (left + (6 * place + column) * scale + dx, top + row * scale + dy)
        for place, letter in enumerate(text)
        for row, bits in enumerate(_GLYPHS[letter])
        for column in range(5)
        if bits >> (4 - column) & 1
        for dx in range(scale)
        for dy in range(scale)
    )


def _icon(patient: Patient) -> Dataset:
    lettering = _lettering(patient.latin, left=4, top=28)
    icon = item(
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=_SIDE,
        Columns=_SIDE,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=bytes(255 if (x, y) in lettering else 40 for y in range(_SIDE) for x in range(_SIDE)),
    )
    icon["PixelData"].VR = "OB"
    return icon


def _add_overlay(dataset: Dataset, patient: Patient) -> None:
    """The name drawn in the first overlay plane, said again in its label and in a curve's (PS3.3 C.9.2)."""
    bits = sum(1 << (y * _SIDE + x) for x, y in _lettering(patient.latin, left=4, top=2))
    for tag, vr, value in (
        (0x50000022, "LO", patient.note),
        (0x60000010, "US", _SIDE),
        (0x60000011, "US", _SIDE),
        (0x60000022, "LO", patient.note),
        (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]),
        (0x60000100, "US", 1),
        (0x60000102, "US", 0),
        (0x60001500, "LO", patient.latin),
        (0x60003000, "OW", bits.to_bytes(_SIDE * _SIDE // 8, "little")),
    ):
        dataset.add_new(tag, vr, value)


def _add_signature(dataset: Dataset, patient: Patient) -> None:
    """A signature whose certificate names the reader (PS3.3 C.12.1.1.3.1.3); it does not verify."""
    subject = f"CN={patient.hospital['NameOfPhysiciansReadingStudy']}".encode()
    certificate = bytes((0x30, len(subject) + 2, 0x0C, len(subject))) + subject
    study = dataset.StudyDate + dataset.StudyTime
    dataset.update(
        item(
            MACParametersSequence=[
                item(
                    MACIDNumber=1,
                    MACCalculationTransferSyntaxUID=ExplicitVRLittleEndian,
                    MACAlgorithm="SHA256",
                    DataElementsSigned=[Tag("PatientName"), Tag("StudyInstanceUID")],
                )
            ],
            DigitalSignaturesSequence=[
                item(
                    MACIDNumber=1,
                    DigitalSignatureUID=SIGNATURE,
                    DigitalSignatureDateTime=study,
                    CertificateType="X509_1993_SIG",
                    CertificateOfSigner=certificate + b"\0" * (len(certificate) % 2),
                    Signature=b"\x17" * 64,
                )
            ],
        )
    )
