"""What reads like a value of the original and is none: an object that says so is not held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = "InstitutionalDepartmentName"
MODEL = "ManufacturerModelName"
MAKER = "SecondaryCaptureDeviceManufacturer"
INSTITUTION = "retain-institution-identity"


@pytest.mark.parametrize(
    ("attribute", "value", "where", "text"),
    [
        (PLACE, b"Vascular", "ImageType", b"ORIGINAL\\PRIMARY\\VASCULAR"),
        (PLACE, b"Cardiology", "ImageType", b"ORIGINAL\\PRIMARY\\CARDIOLOGY"),
        ("StationName", b"HELIX", "ImageType", b"ORIGINAL\\PRIMARY\\AXIAL\\HELIX"),
        ("StationName", b"AFFINITY", "SecondaryCaptureDeviceManufacturerModelName", b"AFFINITY"),
        ("DetectorID", b"PIXIUM 4343", "DetectorManufacturerModelName", b"PIXIUM 4343"),
        ("OperatorsName", b"SIEMENS", MAKER, b"SIEMENS"),
        ("ContentCreatorName", b"Clunie^David", "Manufacturer", b"David Clunie"),
        ("PatientID", b"5000", MODEL, b"HDI 5000"),
        ("PatientID", b"2000", "SoftwareVersions", b"VC 2000"),
        ("PatientName", b"Test^Patient", "DimensionDescriptionLabel", b"Image Position (Patient)"),
        ("PatientName", b"Dixon^Anna", "ImageType", b"DERIVED\\PRIMARY\\DIXON\\WATER"),
        ("PatientName", b"CSPINE^PHANTOM", "BodyPartExamined", b"CSPINE"),
        ("PatientName", b"HEADNECK-01", "BodyPartExamined", b"HEADNECK"),
        ("RequestedProcedureID", b"CSPINE", "BodyPartExamined", b"CSPINE"),
        ("PatientName", b"Rao^Suresh", "BeamName", b"RAO 1"),
        ("PatientName", b"Field^Sally", "BeamName", b"Field 1"),
        ("PatientName", b"Liver^Anna", "SegmentLabel", b"Liver"),
        ("PatientName", b"DEIDENTIFIED", "DeidentificationMethod", b"DEIDENTIFIED by an archive"),
        ("PatientName", b"Anonymous", "DeidentificationMethod", b"anonymous"),
        ("PatientName", b"XXX", "RescaleType", b"XXX"),
        ("PatientName", b"REMOVED", "FrameLabel", b"REMOVED"),
    ],
)
def test_a_word_that_the_attribute_says_of_anybody(
    attribute: str, value: bytes, where: str, text: bytes, survives: Callable[..., set[str]]
) -> None:
    assert not survives({attribute: value}, {where: text})


@pytest.mark.parametrize(
    ("attribute", "value"),
    [(PLACE, b"Imaging"), ("OperatorsName", b"Philips"), ("PatientName", b"Philips^Anna")],
)
def test_the_name_of_a_private_creator(attribute: str, value: bytes, survives: Callable[..., set[str]]) -> None:
    creator = {"(2001,0010)": b"Philips Imaging DD 001"}
    assert not survives({attribute: value}, creator, "retain-safe-private")
    assert survives({"PatientName": b"Philips^Anna"}, {"(2001,0010)": b"Anna Philips"}, "retain-safe-private")


def test_one_word_of_a_name_in_what_is_kept_on_purpose(survives: Callable[..., set[str]]) -> None:
    original = {"PatientName": b"Doe^John", "PatientID": b"PAT12345", "PatientBirthDate": b"19561203"}
    kept = ("InstitutionName", INSTITUTION)
    assert not survives(original, {kept[0]: b"St. John Hospital"}, INSTITUTION)
    assert not survives({"PatientName": b"White^Anna"}, {"EthnicGroup": b"White"}, "retain-patient-characteristics")
    for text in (b"Hospital of John Doe", b"of PAT12345", b"born 3 Dec 1956", b"born 19561203"):
        assert survives(original, {kept[0]: text}, INSTITUTION) == {"InstitutionName"}


def test_a_birth_date_is_no_surprise_among_dates_that_are_kept(survives: Callable[..., set[str]]) -> None:
    original = {"PatientBirthDate": b"20200101", "PatientID": b"20200101"}
    assert not survives(original, {"StudyDate": b"20200101"}, "retain-full-dates")
    assert survives(original, {"StudyDate": b"20200101"}) == {"StudyDate"}
