from __future__ import annotations

import pytest

from deid.standard import dictionary, iods

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
KNOWN = list(iods._tables()["sop_to_iod"])


def path(sop_class: str, *keywords: str) -> tuple[iods.Attributes, int]:
    """Where the last keyword stands, and its tag."""
    here = iods.attributes_of(sop_class)
    *sequences, last = [dictionary.tag_of(keyword) for keyword in keywords]
    for sequence in sequences:
        assert here is not None
        assert sequence is not None
        here = here.items_of(sequence)
    assert here is not None
    assert last is not None
    return here, last


@pytest.mark.parametrize(
    ("sop_class", "keywords", "kind"),
    [
        (CT, ["DeviceSerialNumber"], "3"),
        (ENHANCED_CT, ["DeviceSerialNumber"], "1"),  # Enhanced General Equipment over General Equipment
        (RT_PLAN, ["BeamSequence", "TreatmentMachineName"], "2"),
        (CT, ["PatientName"], "2"),
        (CT, ["SOPInstanceUID"], "1"),
        (CT, ["ReferencedStudySequence"], "3"),
        (CT, ["ReferencedStudySequence", "ReferencedSOPInstanceUID"], "1"),
        (CT, ["ReferencedSOPInstanceUID"], None),  # inside a sequence only
        (ENHANCED_CT, ["PerFrameFunctionalGroupsSequence", "FrameContentSequence", "FrameAcquisitionDateTime"], "1C"),
        (ENHANCED_SR, ["ContentSequence", "TextValue"], "1C"),
    ],
)
def test_the_type_depends_on_the_whole_path(sop_class: str, keywords: list[str], kind: str | None) -> None:
    here, tag = path(sop_class, *keywords)
    assert here.type_of(tag) == kind


def test_content_sequence_nests_to_any_depth() -> None:
    shallow, _ = path(ENHANCED_SR, *["ContentSequence"] * 3)
    deep, tag = path(ENHANCED_SR, *["ContentSequence"] * 40)
    assert deep is shallow
    assert deep.type_of(tag) == "1C"


def test_overlays_in_all_sixteen_groups_and_no_other() -> None:
    ct = iods.attributes_of(CT)
    assert ct is not None
    assert {ct.type_of((group << 16) | 0x3000) for group in range(0x6000, 0x6020, 2)} == {"1"}
    assert ct.type_of(0x60013000) is None
    assert ct.type_of(0x60203000) is None


def test_equal_attributes_are_one_object() -> None:
    other = iods.attributes_of("1.2.840.10008.5.1.4.1.1.1.1")
    again = iods.attributes_of("1.2.840.10008.5.1.4.1.1.1.1.1")  # for presentation, for processing: one IOD
    assert other is again
    ct, sequence = path(CT, "ReferencedStudySequence")
    dx, _ = path("1.2.840.10008.5.1.4.1.1.1.1", "ReferencedStudySequence")
    assert ct is not dx
    assert ct.items_of(sequence) is dx.items_of(sequence) is not None
    assert len({ct, dx}) == 2


def test_nothing_is_said_about_unknown_sop_classes_and_sequences() -> None:
    assert iods.attributes_of("1.2.3.4") is None
    ct, tag = path(CT, "PatientName")
    assert ct.items_of(tag) is None
    assert ct.items_of(0x00091001) is None


def test_unknown_sop_classes_are_not_remembered() -> None:
    before = iods._of_iod.cache_info().currsize
    for number in range(500):
        iods.attributes_of(f"1.2.3.{number}")
    assert iods._of_iod.cache_info().currsize == before


@pytest.mark.parametrize("sop_class", KNOWN)
def test_every_attribute_at_every_depth_has_a_type_and_a_place_in_the_dictionary(sop_class: str) -> None:
    top = iods.attributes_of(sop_class)
    assert top is not None
    seen = {top}
    waiting = [top]
    while waiting:
        here = waiting.pop()
        for tag in here.tags():
            vr = dictionary.vr_of(tag)
            assert vr is not None
            assert here.type_of(tag) in {"1", "1C", "2", "2C", "3"}
            within = here.items_of(tag)
            if within is not None:
                assert vr == "SQ"
                if within not in seen:
                    seen.add(within)
                    waiting.append(within)
    assert 0x00080016 in top.tags() or sop_class == "1.2.840.10008.1.3.10"  # a DICOMDIR has no SOP Common module


def test_all_sop_classes_are_there() -> None:
    assert len(KNOWN) == 180
