"""What is planted: the studies, their UIDs, and PLANTED, every string that must not survive de-identification."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom import uid as uids
from pydicom.datadict import dictionary_VR

from deid.samples.patients import GRUENWALD, ROOT, YAMADA, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Study:
    """One study of a patient."""

    patient: Patient
    number: int
    date: str
    attributes: Mapping[str, str]

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return f"{ROOT}.{self.number}"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study: what it is, and the files it becomes."""

    study: Study
    number: int
    modality: str
    sop_class: uids.UID
    syntax: uids.UID
    files: tuple[str, ...]
    description: str

    @property
    def uid(self) -> str:
        """Series Instance UID. The Study Instance UID is a prefix of it, as in many real files."""
        return f"{self.study.uid}.{self.number}"

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, for the series that have one."""
        return f"{self.uid}.0"

    def instance(self, number: int) -> str:
        """SOP Instance UID of the object with this Instance Number."""
        return f"{self.uid}.{number}"


THORAX = Study(
    GRUENWALD,
    1,
    "20190514",
    {
        "StudyTime": "101530.471000",
        "AccessionNumber": "ACC-19-448812",
        "StudyID": "ST-7731",
        "StudyDescription": "Thorax Grünwald, Sturz vom 13.5.",
    },
)
SKULL = Study(
    GRUENWALD,
    2,
    "20190622",
    {
        "StudyTime": "142207.903000",
        "AccessionNumber": "ACC-19-512077",
        "StudyID": "ST-8102",
        "StudyDescription": "Schädel Verlauf Dr. Zöllner",
    },
)
ABDOMEN = Study(
    YAMADA,
    3,
    "20210209",
    {
        "StudyTime": "093341.068000",
        "AccessionNumber": "ACC-21-003319",
        "StudyID": "ST-2033",
        "StudyDescription": "腹部 山田晴美様",
    },
)
KNEE = Study(
    YAMADA,
    4,
    "20210317",
    {
        "StudyTime": "155812.640000",
        "AccessionNumber": "ACC-21-007754",
        "StudyID": "ST-2140",
        "StudyDescription": "右膝 鈴木先生依頼",
    },
)

_CT, _MR = uids.CTImageStorage, uids.MRImageStorage
_EXPLICIT, _IMPLICIT = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
_BIG, _DEFLATED = uids.ExplicitVRBigEndian, uids.DeflatedExplicitVRLittleEndian

CT = Series(THORAX, 1, "CT", _CT, _EXPLICIT, ("CT/IM000001", "CT/IM000002", "CT/IM000003"), "Thorax nativ Wißmann")
RT = Series(THORAX, 2, "RTSTRUCT", uids.RTStructureSetStorage, _EXPLICIT, ("RT/RS000001",), "Konturen Kästner")
REPORT = Series(THORAX, 3, "SR", uids.BasicTextSRStorage, _EXPLICIT, ("SR/SR000001",), "Befund Kästner")
MR = Series(SKULL, 1, "MR", _MR, _IMPLICIT, ("MR/IM000001", "MR/IM000002"), "t2_tse Wißmann")
PDF = Series(SKULL, 2, "DOC", uids.EncapsulatedPDFStorage, _EXPLICIT, ("DOC/REPORT.dcm",), "Arztbrief Möllenbrock")
US = Series(ABDOMEN, 1, "US", uids.UltrasoundImageStorage, _EXPLICIT, ("US/IM000001",), "腹部 山本")
FINDINGS = Series(ABDOMEN, 2, "SR", uids.ComprehensiveSRStorage, _DEFLATED, ("SR/SR000002",), "所見 中島")
KNEE_MR = Series(KNEE, 1, "MR", _MR, _BIG, ("MR/IM000003", "MR/IM000004"), "膝 山本")

SERIES = (CT, RT, REPORT, MR, PDF, US, FINDINGS, KNEE_MR)

PRIOR_STUDY = f"{ROOT}.0.5"
PROCEDURE_STEP = f"{ROOT}.0.6"
SIGNATURE = f"{ROOT}.0.7"
PRIVATE_UID = f"{ROOT}.0.8"
IMPLEMENTATION = f"{ROOT}.0.9"
MEDIA = f"{ROOT}.0.10"
CONTENT_UID = f"{ROOT}.0.11"

FILE_SET = "TROISENBURG_CD"

PHYSICIAN_PHONE = "+49 221 4710 833"
PHYSICIAN_ADDRESS = "Domgässchen 12, 53999 Troisenburg"
PHYSICIAN_ID = "LANR-7788123"
ORDER_NUMBER = "ORD-2019-77120"
FILLER_NUMBER = "FIL-2019-77121"
PRIVATE_ID = "PACS-ROW-660417"
OBSERVER_DATE = "20190515"
FORMER_DATE = "20190512"
ONLY_IN_COMMENTS = ("Annegret", "+49 221 4710 816", "+81 11 555 0143")


def _strings() -> Iterator[str]:
    for patient in (GRUENWALD, YAMADA):
        yield from (patient.latin, patient.ae_title, patient.note)
        for table in (patient.person, patient.hospital, patient.request, patient.former):
            for keyword, value in table.items():
                # A name leaks by its parts: "Grünwald" alone is enough.
                yield from re.split("[=^]", value) if dictionary_VR(keyword) == "PN" else [value]
    for series in SERIES:
        yield from (series.description, series.uid, series.study.uid, series.study.date)
        yield from series.study.attributes.values()
        yield from (series.instance(number) for number, _ in enumerate(series.files, 1))
    yield from (series.frame_of_reference for series in (CT, MR, KNEE_MR))
    yield from (PRIOR_STUDY, PROCEDURE_STEP, SIGNATURE, PRIVATE_UID, IMPLEMENTATION, MEDIA)
    yield from (CONTENT_UID, PHYSICIAN_PHONE, PHYSICIAN_ADDRESS, PHYSICIAN_ID, ORDER_NUMBER, FILLER_NUMBER)
    yield from (FILE_SET, PRIVATE_ID, OBSERVER_DATE, FORMER_DATE, *ONLY_IN_COMMENTS)


def _long_enough(text: str) -> bool:
    """Not "Dr." and its like: a string that short is found in any file, by chance."""
    return len(text) > (3 if text.isascii() else 1)


PLANTED: tuple[str, ...] = tuple(sorted(filter(_long_enough, set(_strings()))))
