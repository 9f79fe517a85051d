"""A structure set and an encapsulated PDF, with names in regions, contours and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.samples.modules import STUDY_CLASS, acquired, code, common, item, reference
from deid.samples.planted import (
    CT,
    OBSERVER_DATE,
    Series,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def rt_structure_set(series: Series, number: int) -> Dataset:
    """One region drawn on every CT slice, with sequences of defined and undefined length mixed."""
    study, patient = series.study, series.study.patient
    slices = [reference(CT.sop_class, CT.instance(place)) for place, _ in enumerate(CT.files, 1)]
    series_item = item(SeriesInstanceUID=CT.uid, ContourImageSequence=slices)
    study_item = reference(STUDY_CLASS, study.uid)
    study_item.RTReferencedSeriesSequence = [series_item]
    contours = [
        item(
            ContourImageSequence=[image],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=3,
            ContourData=["0", "0", f"{-5 * place}", "8", "0", f"{-5 * place}", "0", "8", f"{-5 * place}"],
        )
        for place, image in enumerate(slices, 1)
    ]
    dataset = acquired(series, number)
    for keyword in ("ImageComments", "BurnedInAnnotation", "AcquisitionDate", "AcquisitionTime"):
        delattr(dataset, keyword)
    dataset.update(
        item(
            FrameOfReferenceUID=CT.frame_of_reference,
            PositionReferenceIndicator="",
            StructureSetLabel="GRUENWALD_1",
            StructureSetName=series.description,
            StructureSetDescription=patient.note,
            StructureSetDate=study.date,
            StructureSetTime=study.attributes["StudyTime"],
            ReferencedFrameOfReferenceSequence=[
                item(FrameOfReferenceUID=CT.frame_of_reference, RTReferencedStudySequence=[study_item])
            ],
            StructureSetROISequence=[
                item(
                    ROINumber=1,
                    ReferencedFrameOfReferenceUID=CT.frame_of_reference,
                    ROIName="Herd Grünwald",
                    ROIDescription=patient.note,
                    ROIGenerationAlgorithm="MANUAL",
                )
            ],
            ROIContourSequence=[
                item(ROIDisplayColor=["255", "0", "0"], ReferencedROINumber=1, ContourSequence=contours)
            ],
            RTROIObservationsSequence=[
                item(
                    ObservationNumber=1,
                    ReferencedROINumber=1,
                    RTROIInterpretedType="ORGAN",
                    ROIInterpreter=patient.hospital["NameOfPhysiciansReadingStudy"],
                )
            ],
            ApprovalStatus="APPROVED",
            ReviewDate=OBSERVER_DATE,
            ReviewTime=study.attributes["StudyTime"],
            ReviewerName=patient.hospital["NameOfPhysiciansReadingStudy"],
        )
    )
    for holder, keyword in (
        (dataset, "ROIContourSequence"),
        (dataset, "ReferencedFrameOfReferenceSequence"),
        (study_item, "RTReferencedSeriesSequence"),
    ):
        holder[keyword].is_undefined_length = True
    study_item.is_undefined_length_sequence_item = True
    contours[0].is_undefined_length_sequence_item = True
    return dataset


def encapsulated_pdf(series: Series, number: int) -> Dataset:
    """A letter as PDF, which names the patient in its text and in its own metadata."""
    patient, study = series.study.patient, series.study
    letter = _pdf(patient.note, author="Kästner, Ulrike", title=f"Arztbrief {patient.latin}")
    dataset = common(series, number)
    dataset.update(
        item(
            AcquisitionDateTime=f"{study.date}{study.attributes['StudyTime']}",
            ConversionType="WSD",
            BurnedInAnnotation="YES",
            DocumentTitle=f"Arztbrief {patient.note}",
            ConceptNameCodeSequence=[code("11488-4", "LN", "Consult Note")],
            MIMETypeOfEncapsulatedDocument="application/pdf",
            EncapsulatedDocumentLength=len(letter),
            EncapsulatedDocument=letter + b"\0" * (len(letter) % 2),
        )
    )
    return dataset


def _pdf(text: str, *, author: str, title: str) -> bytes:
    """The smallest PDF 1.4 that shows one line (ISO 32000-1 7.5)."""
    drawing = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode("cp1252")
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(drawing), drawing),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        f"<</Author({author})/Title({title})>>".encode("cp1252"),
    )
    document, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj%b endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R/Info 6 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(document))
    return document + b"xref\n0 %d\n0000000000 65535 f \n%b%b" % (count, table, end)
