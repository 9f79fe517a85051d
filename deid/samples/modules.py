"""The modules that every planted object shares: Patient, Study, Series, Equipment, SOP Common (PS3.3 C.7, C.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset

from deid.samples.planted import (
    FORMER_DATE,
    PHYSICIAN_ADDRESS,
    PHYSICIAN_ID,
    PHYSICIAN_PHONE,
    PRIOR_STUDY,
    PROCEDURE_STEP,
    Series,
    Study,
)

if TYPE_CHECKING:
    from deid.samples.patients import Patient

# Retired, and still what references to a study and to a step name.
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_PROCEDURE_STEP_CLASS = "1.2.840.10008.3.1.2.3.3"


def item(**attributes: Any) -> Dataset:  # noqa: ANN401  # a data element holds any type
    """A data set of these attributes, by keyword."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept (PS3.3 8.8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def reference(sop_class: str, instance: str) -> Dataset:
    """A SOP Instance Reference (PS3.3 10.8)."""
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=instance)


def common(series: Series, number: int) -> Dataset:
    """The object's head: all that says whose it is, where it was made, when and by whom."""
    study, patient = series.study, series.study.patient
    dataset = item(
        SpecificCharacterSet=list(patient.charset) if len(patient.charset) > 1 else patient.charset[0],
        **patient.person,
        **patient.hospital,
        **study.attributes,
        PatientSex=patient.sex,
        PatientAge=f"{(int(study.date) - int(patient.person['PatientBirthDate'])) // 10000:03d}Y",
        ResponsiblePersonRole="SPOUSE",
        PatientWeight="81.5",
        SOPClassUID=series.sop_class,
        SOPInstanceUID=series.instance(number),
        StudyInstanceUID=study.uid,
        SeriesInstanceUID=series.uid,
        InstanceNumber=number,
        SeriesNumber=series.number,
        Modality=series.modality,
        SeriesDescription=series.description,
        Manufacturer="Example Imaging",
        ManufacturerModelName="Scanner 17",
        SoftwareVersions="E11",
        TimezoneOffsetFromUTC="+0200",
        OtherPatientIDsSequence=[
            item(
                PatientID=patient.person["OtherPatientIDs"],
                IssuerOfPatientID=patient.person["IssuerOfPatientID"],
                TypeOfPatientID="TEXT",
            )
        ],
        ReferencedStudySequence=[reference(STUDY_CLASS, PRIOR_STUDY)],
        OriginalAttributesSequence=[_original_attributes(patient)],
    )
    for keyword in ("StudyDate", "SeriesDate", "ContentDate", "InstanceCreationDate"):
        setattr(dataset, keyword, study.date)
    for keyword in ("SeriesTime", "ContentTime", "InstanceCreationTime"):
        setattr(dataset, keyword, study.attributes["StudyTime"])
    return dataset


def acquired(series: Series, number: int) -> Dataset:
    """The head of an object that a modality made: with the request and the step it was made for."""
    study, patient = series.study, series.study.patient
    dataset = common(series, number)
    dataset.update(
        item(
            Laterality="",
            ProtocolName=series.description,
            AcquisitionDate=study.date,
            AcquisitionTime=study.attributes["StudyTime"],
            PerformedProcedureStepStartDate=study.date,
            PerformedProcedureStepID=patient.request["ScheduledProcedureStepID"],
            PerformedProcedureStepDescription=study.attributes["StudyDescription"],
            CommentsOnThePerformedProcedureStep=patient.note,
            ImageComments=patient.note,
            BurnedInAnnotation="NO",
            ReferencedPerformedProcedureStepSequence=[reference(_PROCEDURE_STEP_CLASS, PROCEDURE_STEP)],
            RequestAttributesSequence=[_request(study)],
            ContributingEquipmentSequence=[
                item(
                    PurposeOfReferenceCodeSequence=[code("109102", "DCM", "Processing Equipment")],
                    Manufacturer="Example Imaging",
                    InstitutionName=patient.hospital["InstitutionName"],
                    StationName=patient.hospital["StationName"],
                    OperatorsName=patient.hospital["OperatorsName"],
                    ContributionDateTime=f"{study.date}{study.attributes['StudyTime']}",
                    ContributionDescription=patient.note,
                )
            ],
        )
    )
    return dataset


def referring_physician() -> Dataset:
    """Identification of the referring physician, an item with an address inside (PS3.3 10.1)."""
    return item(
        PersonIdentificationCodeSequence=[code(PHYSICIAN_ID, "99LANR", "Möllenbrock, Günther")],
        PersonAddress=PHYSICIAN_ADDRESS,
        PersonTelephoneNumbers=PHYSICIAN_PHONE,
        InstitutionName="Praxis Möllenbrock",
    )


def _request(study: Study) -> Dataset:
    request = item(
        **study.patient.request,
        StudyInstanceUID=study.uid,
        AccessionNumber=study.attributes["AccessionNumber"],
    )
    request.private_block(0x0041, "EXAMPLE RIS", create=True).add_new(0x01, "LO", study.patient.note)
    return request


def _original_attributes(patient: Patient) -> Dataset:
    return item(
        SourceOfPreviousValues=patient.hospital["StationName"],
        AttributeModificationDateTime=f"{FORMER_DATE}070102.550000",
        ModifyingSystem=patient.ae_title,
        ReasonForTheAttributeModification="CORRECT",
        ModifiedAttributesSequence=[item(**patient.former)],
    )
