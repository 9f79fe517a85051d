"""Structured reports, with names in PNAME, TEXT, DATE and UIDREF items at every depth (PS3.3 C.17.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deid.samples.modules import code, common, item, reference
from deid.samples.planted import (
    CONTENT_UID,
    CT,
    FILLER_NUMBER,
    OBSERVER_DATE,
    ORDER_NUMBER,
    PHYSICIAN_ADDRESS,
    PHYSICIAN_PHONE,
    US,
    Series,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def basic_text_sr(series: Series, number: int) -> Dataset:
    """A verified report whose text, observers, dates and UIDs identify."""
    patient = series.study.patient
    finding = _content("CONTAINS", "TEXT", ("121071", "Finding"), TextValue=f"{patient.note} Kein Hämatothorax.")
    finding.ContentSequence = [
        _content("INFERRED FROM", "IMAGE", None, ReferencedSOPSequence=[reference(CT.sop_class, CT.instance(2))])
    ]
    findings = _container("CONTAINS", ("121070", "Findings"), [finding])
    return _report(series, number, CT, [*_context(series), findings])


def comprehensive_sr(series: Series, number: int) -> Dataset:
    """A report four levels deep: a measurement, drawn on the image, said by somebody."""
    patient = series.study.patient
    image = _content("SELECTED FROM", "IMAGE", None, ReferencedSOPSequence=[reference(US.sop_class, US.instance(1))])
    drawn = _content("INFERRED FROM", "SCOORD", None, GraphicType="POLYLINE", GraphicData=[20.0, 60.0, 90.0, 60.0])
    drawn.ContentSequence = [image]
    length = _content(
        "CONTAINS",
        "NUM",
        ("121206", "Distance"),
        MeasuredValueSequence=[item(NumericValue="35", MeasurementUnitsCodeSequence=[code("mm", "UCUM", "mm")])],
    )
    length.ContentSequence = [
        drawn,
        _content("HAS OBS CONTEXT", "PNAME", ("121008", "Person Observer Name"), PersonName=_operator(series)),
    ]
    remark = _content("CONTAINS", "TEXT", ("121106", "Comment"), TextValue=patient.note)
    group = _container("CONTAINS", ("125007", "Measurement Group"), [length, remark])
    findings = _container("CONTAINS", ("121070", "Findings"), [group])
    return _report(series, number, US, [*_context(series), findings])


def _report(series: Series, number: int, evidence: Series, content: list[Dataset]) -> Dataset:
    patient, study = series.study.patient, series.study
    images = [reference(evidence.sop_class, evidence.instance(place)) for place, _ in enumerate(evidence.files, 1)]
    evidence_series = item(SeriesInstanceUID=evidence.uid, ReferencedSOPSequence=images)
    evidence_study = item(StudyInstanceUID=study.uid, ReferencedSeriesSequence=[evidence_series])
    institution = patient.hospital["InstitutionName"]
    dataset = common(series, number)
    dataset.update(
        item(
            ReferencedPerformedProcedureStepSequence=[],
            PerformedProcedureCodeSequence=[],
            CompletionFlag="COMPLETE",
            VerificationFlag="VERIFIED",
            VerifyingObserverSequence=[
                item(
                    VerifyingObserverName=_reader(series),
                    VerifyingObserverIdentificationCodeSequence=[],
                    VerifyingOrganization=institution,
                    VerificationDateTime=f"{OBSERVER_DATE}113000.250000",
                )
            ],
            AuthorObserverSequence=[
                item(
                    ObserverType="PSN",
                    PersonName=_operator(series),
                    PersonIdentificationCodeSequence=[],
                    InstitutionName=institution,
                    InstitutionCodeSequence=[],
                )
            ],
            ReferencedRequestSequence=[
                item(
                    StudyInstanceUID=study.uid,
                    ReferencedStudySequence=[],
                    AccessionNumber=study.attributes["AccessionNumber"],
                    PlacerOrderNumberImagingServiceRequest=ORDER_NUMBER,
                    FillerOrderNumberImagingServiceRequest=FILLER_NUMBER,
                    RequestedProcedureID=patient.request["RequestedProcedureID"],
                    RequestedProcedureDescription=patient.request["RequestedProcedureDescription"],
                    RequestedProcedureCodeSequence=[],
                    OrderCallbackPhoneNumber=PHYSICIAN_PHONE,
                    OrderEnteredBy=_operator(series),
                )
            ],
            CurrentRequestedProcedureEvidenceSequence=[evidence_study],
            ValueType="CONTAINER",
            ContinuityOfContent="SEPARATE",
            ConceptNameCodeSequence=[code("18748-4", "LN", "Diagnostic Imaging Report")],
            ContentSequence=content,
        )
    )
    return dataset


def _context(series: Series) -> list[Dataset]:
    """The observation context: who observed whom, when, on which study (PS3.16 TID 1001)."""
    person, study = series.study.patient.person, series.study
    started = f"{study.date}{study.attributes['StudyTime']}+0200"
    context = "HAS OBS CONTEXT"
    return [
        _content(context, "PNAME", ("121008", "Person Observer Name"), PersonName=_reader(series)),
        _content(context, "PNAME", ("121029", "Subject Name"), PersonName=person["PatientName"]),
        _content(context, "TEXT", ("121030", "Subject ID"), TextValue=person["PatientID"]),
        _content(context, "DATE", ("121031", "Subject Birth Date"), Date=person["PatientBirthDate"]),
        _content(context, "UIDREF", ("121018", "Procedure Study Instance UID"), UID=study.uid),
        _content(context, "UIDREF", ("121012", "Device Observer UID"), UID=CONTENT_UID),
        _content(context, "TEXT", ("121017", "Device Observer Physical Location"), TextValue=PHYSICIAN_ADDRESS),
        _content("CONTAINS", "DATETIME", ("111526", "DateTime Started"), DateTime=started),
        _content("CONTAINS", "TIME", ("121123", "Time of Study"), Time=study.attributes["StudyTime"]),
    ]


def _content(relationship: str, value_type: str, concept: tuple[str, str] | None, **value: Any) -> Dataset:  # noqa: ANN401  # a content item holds any type
    content = item(RelationshipType=relationship, ValueType=value_type, **value)
    if concept is not None:
        content.ConceptNameCodeSequence = [code(concept[0], "DCM", concept[1])]
    return content


def _container(relationship: str, concept: tuple[str, str], content: list[Dataset]) -> Dataset:
    return _content(relationship, "CONTAINER", concept, ContinuityOfContent="SEPARATE", ContentSequence=content)


def _reader(series: Series) -> str:
    return series.study.patient.hospital["NameOfPhysiciansReadingStudy"]


def _operator(series: Series) -> str:
    return series.study.patient.hospital["OperatorsName"]
