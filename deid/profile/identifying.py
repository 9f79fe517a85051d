"""Which attributes hold values that identify a person or a place, whatever a profile does with them.

Told by VR and by name, apart from the rules: what verification searches for must not depend on what was removed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from deid.standard.dictionary import tag_of, vr_of
from deid.standard.uids import STRUCTURAL

NAME, DATE, UID, IDENTIFIER, PLACE = "name", "date", "uid", "identifier", "place"

CODE_VERSIONS: Final = frozenset({0x00080106, 0x00080107})
"""Context Group (Local) Version: dates of a code's edition, not of a patient."""

_NAMES: Final = "NameToUse CameraOwnerName"
"""Beside those of VR PN."""
_IDENTIFIERS: Final = (
    "PatientID OtherPatientIDs AccessionNumber MedicalRecordLocator AdmissionID ServiceEpisodeID StudyID "
    "RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID "
    "PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest "
    "DeviceSerialNumber DetectorID PlateID CassetteID GantryID ClinicalTrialSubjectID ClinicalTrialSubjectReadingID "
    "PlacerOrderNumberProcedure FillerOrderNumberProcedure PlacerOrderNumberImagingServiceRequestRetired "
    "FillerOrderNumberImagingServiceRequestRetired "
    "HL7InstanceIdentifier BreedRegistrationNumber ContainerIdentifier SpecimenIdentifier "
    "PatientBirthDateInAlternativeCalendar InsurancePlanIdentification SpecimenAccessionNumber SlideIdentifier "
    "ContainerComponentID UniqueDeviceIdentifier LensSerialNumber SourceSerialNumber ResultsID InterpretationID"
)
_PLACES: Final = (
    "PatientAddress PatientTelephoneNumbers PatientTelecomInformation InstitutionName InstitutionAddress "
    "InstitutionalDepartmentName StationName PersonAddress PersonTelephoneNumbers PersonTelecomInformation "
    "PerformedStationName ScheduledStationName PerformedLocation ScheduledProcedureStepLocation "
    "ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers CurrentPatientLocation PatientInstitutionResidence "
    "RegionOfResidence OrderCallbackPhoneNumber IssuerOfPatientID ScheduledPatientInstitutionResidence AddressTrial "
    "TelephoneNumberTrial RequestedProcedureLocation ScheduledStudyLocation OrderEntererLocation DistributionAddress "
    "ClinicalTrialSiteName"
)


def _tags(words: str, kind: str) -> dict[int, str]:
    return {tag: kind for word in words.split() if (tag := tag_of(word)) is not None}


_BY_NAME: Final = _tags(_NAMES, NAME) | _tags(_IDENTIFIERS, IDENTIFIER) | _tags(_PLACES, PLACE)


@lru_cache(maxsize=1 << 13)
def kind_of(tag: int) -> str:
    """The kind of what an attribute identifies; "" for one that does not, for private ones and sequences."""
    if tag & 0x10000:
        return ""
    vr = vr_of(tag)
    if vr == "PN":
        return NAME
    if vr in ("DA", "DT") and tag not in CODE_VERSIONS:
        return DATE
    if vr == "UI" and tag not in STRUCTURAL:
        return UID
    return _BY_NAME.get(tag, "")
