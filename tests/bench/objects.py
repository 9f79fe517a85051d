"""DICOM objects of invented patients, as scanners, planning systems and archives fill them."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 512
FRAME = SIDE * SIDE * 2
SLICES_PER_SERIES = 100
FILES_PER_PATIENT = 50
ROIS = (1, 2, 3)
POINTS = 24
STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"  # retired, and still what archives refer to
FAMILIES = ("Kowalczyk", "Okonkwo", "Lindqvist", "Haverkamp", "Tamminen", "Villaseca", "Brzezinski", "Yamaguchi")
GIVEN = ("Marianne", "Chukwuemeka", "Gustaf", "Rosalinde", "Eero", "Ximena", "Zbigniew", "Haruko")


def _of(dataset: Dataset | None = None, /, **elements: Any) -> Dataset:
    dataset = Dataset() if dataset is None else dataset
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@cache
def uid_of(*parts: object) -> str:
    return uid.generate_uid(entropy_srcs=["deid bench", *map(str, parts)])


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _of(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _reference(instance: str, sop_class: str = uid.CTImageStorage) -> Dataset:
    return _of(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=instance)


def _object(sop_class: str, modality: str, patient: int, instance: str) -> Dataset:
    """Patient, study and equipment, as scanners and archives fill them; the file meta says what it is."""
    study = uid_of("study", patient)
    physician = f"{FAMILIES[(patient + 3) % 8]}^{GIVEN[(patient + 5) % 8]}^^Dr."
    dataset = _of(
        SpecificCharacterSet="ISO_IR 100", InstanceCreationDate="20240517", InstanceCreationTime="101112.430000",
        SOPClassUID=sop_class, SOPInstanceUID=instance, StudyInstanceUID=study,
        StudyDate="20240517", SeriesDate="20240517", ContentDate="20240517",
        StudyTime="100201.120000", SeriesTime="100512.340000", ContentTime="101112.430000",
        AccessionNumber=f"ACC{8_000_000 + patient}", Modality=modality, Manufacturer="ACME MEDICAL SYSTEMS",
        InstitutionName="St. Bartholomaeus Klinikum", InstitutionAddress="Lindenallee 77, 20095 Neustadt",
        ReferringPhysicianName=physician, PerformingPhysicianName=physician, OperatorsName="Quartermaine^Ottilie",
        StationName=f"{modality}04NEU", StudyDescription="Thorax and abdomen", InstitutionalDepartmentName="Radiologie",
        ManufacturerModelName="Revelation 4096", PatientName=f"{FAMILIES[patient % 8]}^{GIVEN[patient // 8 % 8]}",
        IssuerOfPatientID="NEU-PAS",
        PatientID=f"MRN{4_711_000 + patient}", PatientBirthDate=f"19{40 + patient % 50}0314",
        PatientSex="F", PatientAge="058Y", PatientSize="1.71", PatientWeight="74.5",
        OtherPatientIDs=f"KK{99_100_000 + patient}", PatientAddress="Hafenstrasse 12, 20457 Neustadt",
        MedicalAlerts="Contrast", AdditionalPatientHistory="Resection two years ago", PregnancyStatus=4,
        DeviceSerialNumber="SN-00417-B", SoftwareVersions=["syn 7.4", "rec 2.11"], ProtocolName="Thorax routine",
        StudyID=f"S{patient}", RequestingPhysician=physician, RequestedProcedureDescription="CT thorax abdomen",
        PerformedProcedureStepStartDate="20240517", PerformedProcedureStepStartTime="100201.120000",
        PerformedProcedureStepID=f"PPS{patient}", PerformedProcedureStepDescription="Thorax routine",
        ReferencedStudySequence=[_reference(study, STUDY_MANAGEMENT)],
        ProcedureCodeSequence=[_code("24627-2", "LN", "Chest CT")],
    )  # fmt: skip
    dataset.RequestAttributesSequence = [
        _of(
            RequestedProcedureDescription="CT thorax abdomen", ScheduledProcedureStepDescription="Thorax",
            ScheduledProcedureStepID=f"SPS{patient}", RequestedProcedureID=f"RP{patient}",
        ),
    ]  # fmt: skip
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


def ct(number: int) -> Dataset:
    """A slice of 0.53 MB and about 120 elements, a hundred to a series, with a block of a vendor's private elements."""
    pixels = random.Random(number)  # noqa: S311 - noise for pixels, the same in every run; no secret
    series, slice_ = divmod(number, SLICES_PER_SERIES)
    dataset = _of(
        _object(uid.CTImageStorage, "CT", 1, uid_of("ct", number)),
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], AcquisitionDate="20240517",
        AcquisitionTime=f"1011{slice_ % 60:02}.430000", SeriesDescription=f"Thorax {series + 1}.5 mm",
        BodyPartExamined="CHEST", ScanOptions="HELICAL MODE", SliceThickness="1.25", KVP="120",
        DataCollectionDiameter="500", ReconstructionDiameter="360", DistanceSourceToDetector="949.075",
        DistanceSourceToPatient="541", GantryDetectorTilt="0", TableHeight="154.5", RotationDirection="CW",
        ExposureTime="600", XRayTubeCurrent="310", Exposure="186", FilterType="BODY FILTER", GeneratorPower="37200",
        FocalSpots=["0.7"], ConvolutionKernel="STANDARD", PatientPosition="FFS", SingleCollimationWidth=0.625,
        TotalCollimationWidth=40.0, TableSpeed=65.6, TableFeedPerRotation=39.375, SpiralPitchFactor=0.98,
        CTDIvol=11.4, SeriesInstanceUID=uid_of("ct series", series), SeriesNumber=series + 2,
        AcquisitionNumber=1, InstanceNumber=slice_ + 1, FrameOfReferenceUID=uid_of("ct frame"),
        ImagePositionPatient=["-180.0", "-180.0", f"{-40 - 1.25 * slice_:.2f}"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"], PositionReferenceIndicator="XY",
        SliceLocation=f"{-40 - 1.25 * slice_:.2f}", ImagesInAcquisition=SLICES_PER_SERIES,
        ImageComments="arms down", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        Rows=SIDE, Columns=SIDE, PixelSpacing=["0.703125", "0.703125"], BitsAllocated=16, BitsStored=16, HighBit=15,
        PixelRepresentation=1, SmallestImagePixelValue=-1024, LargestImagePixelValue=3071, PixelPaddingValue=-2000,
        BurnedInAnnotation="NO", WindowCenter=["40", "-600"], WindowWidth=["400", "1500"], RescaleIntercept="-1024",
        RescaleSlope="1", RescaleType="HU", LossyImageCompression="00",
        ReferencedImageSequence=[_reference(uid_of("scout", n)) for n in range(2)], PixelData=pixels.randbytes(FRAME),
    )  # fmt: skip
    private = dataset.private_block(0x0019, "ACME_ACQU_01", create=True)
    for element in range(0x02, 0x10):
        private.add_new(element, "DS", f"{element * 1.5:.3f}")
    private.add_new(0x20, "LO", "NEU console 4")
    return dataset


def rtstruct(contours: int, number: int) -> Dataset:
    """A structure set in implicit VR, as planning systems send it; every contour names its slice."""
    points = random.Random(number)  # noqa: S311 - outlines, the same in every run; no secret
    patient, frame = number // FILES_PER_PATIENT, uid_of("ct frame")
    dataset = _object(uid.RTStructureSetStorage, "RTSTRUCT", patient, uid_of("rtstruct", contours, number))
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    series = _of(
        SeriesInstanceUID=uid_of("ct series", 0), ContourImageSequence=[_reference(uid_of("ct", n)) for n in range(20)]
    )
    study = _reference(uid_of("study", 1), STUDY_MANAGEMENT)
    study.RTReferencedSeriesSequence = [series]
    _of(
        dataset,
        SeriesInstanceUID=uid_of("rtstruct series", patient), SeriesNumber=1, ApprovalStatus="UNAPPROVED",
        StructureSetLabel="PLAN A", StructureSetDate="20240517", StructureSetTime="143000",
        ReferencedFrameOfReferenceSequence=[_of(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])],
        StructureSetROISequence=[
            _of(ROINumber=n, ReferencedFrameOfReferenceUID=frame, ROIName=f"Organ {n}", ROIGenerationAlgorithm="MANUAL")
            for n in ROIS
        ],
        ROIContourSequence=[_of(ROIDisplayColor=[255, 40, n], ReferencedROINumber=n) for n in ROIS],
        RTROIObservationsSequence=[
            _of(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="ORGAN", ROIInterpreter="Zwingli^Otto")
            for n in ROIS
        ],
    )  # fmt: skip
    for roi, item in enumerate(dataset.ROIContourSequence):
        item.ContourSequence = [
            _of(
                ContourImageSequence=[_reference(uid_of("ct", n % 20))],
                ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=POINTS, ContourNumber=n,
            )
            for n in range(roi, contours, len(ROIS))
        ]  # fmt: skip
        for contour in item.ContourSequence:
            data = "\\".join(f"{points.uniform(-180, 180):.2f}" for _ in range(3 * POINTS))
            contour.add(DataElement("ContourData", "DS", data, already_converted=True))  # spares 72 objects each
    return dataset


def report(number: int) -> Dataset:
    """A Comprehensive SR of sixty content items: ten findings of text, number, code, image and observer."""
    dataset = _object(uid.ComprehensiveSRStorage, "SR", number // FILES_PER_PATIENT, uid_of("report", number))

    def item(kind: str, code: str, meaning: str, **value: Any) -> Dataset:
        name = _code(code, "DCM", meaning)
        return _of(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=[name], **value)

    def finding(n: int) -> Dataset:
        size = _of(MeasurementUnitsCodeSequence=[_code("mm", "UCUM", "millimeter")], NumericValue=f"{n + 4}.5")
        return item("CONTAINER", "121070", "Findings", ContinuityOfContent="SEPARATE", ContentSequence=[
            item("TEXT", "121071", "Finding", TextValue=f"Nodule {n + 1} in the right lower lobe, stable."),
            item("NUM", "121211", "Path length", MeasuredValueSequence=[size]),
            item("CODE", "121058", "Procedure", ConceptCodeSequence=[_code("39607008", "SCT", "Lung structure")]),
            item("IMAGE", "121080", "Best", ReferencedSOPSequence=[_reference(uid_of("ct", n))]),
            item("PNAME", "121008", "Observer", PersonName="Quartermaine^Ottilie"),
        ])  # fmt: skip

    return _of(
        dataset,
        SeriesInstanceUID=uid_of("report series", number // FILES_PER_PATIENT), SeriesNumber=9,
        InstanceNumber=number + 1,
        CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED", ValueType="CONTAINER", ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=[_code("18748-4", "LN", "Diagnostic imaging report")],
        PerformedProcedureCodeSequence=[_code("24627-2", "LN", "Chest CT")],
        ContentSequence=[finding(n) for n in range(10)],
    )  # fmt: skip


def multiframe(megabytes: int, number: int) -> Dataset:
    """One Enhanced MR of this size, with functional groups for every frame."""
    noise = random.Random(number)  # noqa: S311 - noise for pixels, the same in every run; no secret
    frames = megabytes * 1_000_000 // FRAME
    measures = _of(SliceThickness="2", PixelSpacing=["0.5", "0.5"])
    orientation = _of(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])

    def groups(n: int) -> Dataset:
        content = _of(
            FrameAcquisitionDateTime=f"202405171012{n % 60:02}.5", FrameAcquisitionDuration=61.5, StackID="1",
            FrameReferenceDateTime=f"202405171012{n % 60:02}.5", InStackPositionNumber=n + 1,
            DimensionIndexValues=[1, n + 1], TemporalPositionIndex=1,
        )  # fmt: skip
        position = _of(ImagePositionPatient=["-128", "-128", str(2 * n)])
        reference = _reference(uid_of("ct", n))
        return _of(
            FrameContentSequence=[content], PlanePositionSequence=[position], ReferencedImageSequence=[reference]
        )

    return _of(
        _object(uid.EnhancedMRImageStorage, "MR", number, uid_of("multiframe", megabytes, number)),
        ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"], SeriesInstanceUID=uid_of("multiframe series", number),
        SeriesNumber=3, InstanceNumber=1, FrameOfReferenceUID=uid_of("mr frame"), MagneticFieldStrength=3.0,
        AcquisitionDateTime="20240517101112.430000", PixelPresentation="MONOCHROME", BurnedInAnnotation="NO",
        VolumetricProperties="VOLUME", AcquisitionContrast="T1", ContentQualification="PRODUCT", SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", NumberOfFrames=frames, Rows=SIDE, Columns=SIDE, BitsAllocated=16,
        BitsStored=12, HighBit=11, PixelRepresentation=0, LossyImageCompression="00", PresentationLUTShape="IDENTITY",
        SharedFunctionalGroupsSequence=[_of(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])],
        PerFrameFunctionalGroupsSequence=[groups(n) for n in range(frames)],
        PixelData=b"".join(noise.randbytes(FRAME) for _ in range(frames)),
    )  # fmt: skip


def ultrasound(frames: NDArray[np.uint8], number: int) -> Dataset:
    """These frames x rows x columns (x 3) as an ultrasound cine."""
    colour = frames.ndim > 3
    return _of(
        _object(uid.UltrasoundMultiFrameImageStorage, "US", number, uid_of("ultrasound", number)),
        SeriesInstanceUID=uid_of("ultrasound series", number), SeriesNumber=1, InstanceNumber=1,
        SamplesPerPixel=3 if colour else 1, PhotometricInterpretation="RGB" if colour else "MONOCHROME2",
        **({"PlanarConfiguration": 0} if colour else {}), NumberOfFrames=len(frames), Rows=frames.shape[1],
        Columns=frames.shape[2], BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
        PixelData=frames.tobytes(),
    )  # fmt: skip
