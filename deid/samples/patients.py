"""The two patients and their hospitals, invented, with everything that a hospital knows and writes into files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "2.25.264681962108898903464577784891660788833"  # a UUID of our own (PS3.5 B.2), and the arcs below it


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient and the hospital that knows them; each mapping is keyword -> value."""

    charset: tuple[str, ...]
    sex: str
    person: Mapping[str, str]
    hospital: Mapping[str, str]
    request: Mapping[str, str]  # into Request Attributes Sequence
    former: Mapping[str, str]  # into Original Attributes Sequence
    latin: str  # the name where only ASCII is possible: preamble, private text, pixels
    ae_title: str
    note: str  # a sentence with the name in it, in the patient's own characters


GRUENWALD = Patient(
    charset=("ISO_IR 100",),
    sex="M",
    person={
        "PatientName": "Grünwald^Jürgen^Matthäus^Dr.",
        "PatientID": "SGB-570312-07",
        "IssuerOfPatientID": "MPI Troisenburg",
        "OtherPatientIDs": "KV-M123-4587",
        "OtherPatientNames": "Grünwald-Öztürk^Jürgen",
        "PatientBirthName": "Öztürk^Jürgen",
        "PatientMotherBirthName": "Schönfeldt^Käthe",
        "PatientBirthDate": "19570312",
        "PatientBirthTime": "043015.250000",
        "PatientAddress": "Am Mühlenstieg 47, 53999 Troisenburg",
        "PatientTelephoneNumbers": "+49 221 4710 815",
        "PatientTelecomInformation": "juergen.gruenwald@example.org",
        "Occupation": "Glockengießer",
        "MilitaryRank": "Oberfeldarzt",
        "BranchOfService": "Sanitätsdienst Nordeifel",
        "MedicalRecordLocator": "Archiv Keller 3, Regal 17",
        "InsurancePlanIdentification": "Troisenburger Knappschaftskasse",
        "CountryOfResidence": "Deutschland",
        "RegionOfResidence": "Rhein-Mühlen-Kreis",
        "PatientReligiousPreference": "altkatholisch",
        "EthnicGroup": "Donauschwabe",
        "ResponsiblePerson": "Grünwald^Hannelore",
        "ResponsibleOrganization": "Betreuungsverein Troisenburg",
        "PatientComments": "Herr Grünwald bittet um Rückruf bei Tochter Annegret, +49 221 4710 816",
        "AdditionalPatientHistory": "Sturz am Mühlenstieg, Hausarzt Dr. Möllenbrock",
        "MedicalAlerts": "Siehe Akte SGB-570312-07",
        "PatientInstitutionResidence": "Haus Abendfrieden, Zimmer 12",
        "AdmissionID": "FALL-2019-55120",
        "AdmittingDate": "20190513",
        "AdmittingTime": "181902.330000",
        "AdmittingDiagnosesDescription": "Einweisung durch Dr. Möllenbrock nach Sturz",
        "CurrentPatientLocation": "Station 4B, Bett 2",
        "ServiceEpisodeID": "EP-2019-3301",
    },
    hospital={
        "InstitutionName": "Klinikum Troisenburg",
        "InstitutionAddress": "Lindenallee 9, 53999 Troisenburg",
        "InstitutionalDepartmentName": "Radiologie Troisenburg",
        "StationName": "RAUM2-TROIS",
        "DeviceSerialNumber": "SN-88123-DE",
        "DeviceUID": f"{ROOT}.0.1",
        "GantryID": "GANTRY-DE-0042",
        "DetectorID": "DET-990-771",
        "DateOfLastCalibration": "20190402",
        "TimeOfLastCalibration": "060530.120000",
        "ReferringPhysicianName": "Möllenbrock^Günther",
        "ReferringPhysicianAddress": "Kirchgässchen 3, 53999 Troisenburg",
        "ReferringPhysicianTelephoneNumbers": "+49 221 4710 820",
        "ConsultingPhysicianName": "Haßfurther^Irmgard",
        "PhysiciansOfRecord": "Feldhäuser^Beate",
        "NameOfPhysiciansReadingStudy": "Kästner^Ulrike",
        "PerformingPhysicianName": "Brüggemann^Torsten",
        "OperatorsName": "Wißmann^Silke",
        "RequestingPhysician": "Zöllner^Friedhelm",
        "RequestingService": "Unfallchirurgie Troisenburg",
        "InstanceCreatorUID": f"{ROOT}.0.2",
    },
    request={
        "RequestedProcedureID": "RP-2019-8841",
        "ScheduledProcedureStepID": "SPS-2019-8842",
        "RequestedProcedureDescription": "Kontrolle Dr. Zöllner",
        "ScheduledProcedureStepDescription": "Termin Grünwald, 10 Uhr",
        "ReasonForTheRequestedProcedure": "Verlauf nach Sturz, bitte Befund an Dr. Möllenbrock",
    },
    former={"PatientName": "Gruenwaldt^Juergen", "PatientID": "NOTFALL-2019-0077"},
    latin="GRUENWALD",
    ae_title="TROISENBURG_AE1",
    note="Jürgen Grünwald wurde von Frau Wißmann aufgeklärt.",
)

# In ISO 2022 IR 87 本 has the byte of a backslash and ま that of "^": both divide values for whoever decodes too late.
YAMADA = Patient(
    charset=("", "ISO 2022 IR 87"),
    sex="F",
    person={
        "PatientName": "Yamada^Harumi=山田^晴美=やまだ^はるみ",
        "PatientID": "SPR-0042-7719",
        "IssuerOfPatientID": "札幌本郷病院",
        "OtherPatientIDs": "HOKEN-88-120345",
        "OtherPatientNames": "Kitai^Harumi=北井^晴美=きたい^はるみ",
        "PatientBirthName": "Kitai^Harumi=北井^晴美=きたい^はるみ",
        "PatientMotherBirthName": "Hoshino^Fumie=星野^文江=ほしの^ふみえ",
        "PatientBirthDate": "19681103",
        "PatientAddress": "札幌市中央区南九条西 12-3",
        "PatientTelephoneNumbers": "+81 11 555 0142",
        "Occupation": "小学校教諭",
        "CountryOfResidence": "日本国北海道",
        "ResponsiblePerson": "Yamada^Kenzou=山田^健三=やまだ^けんぞう",
        "PatientComments": "山田晴美様、日本橋の姉より電話 +81 11 555 0143",
        "AdmissionID": "NYUIN-2021-0931",
        "AdmittingDate": "20210208",
    },
    hospital={
        "InstitutionName": "札幌本郷病院",
        "InstitutionAddress": "札幌市白石区本郷通 7-1",
        "InstitutionalDepartmentName": "放射線科本館",
        "StationName": "HONGO-US-03",
        "DeviceSerialNumber": "JP-77120-X",
        "DeviceUID": f"{ROOT}.0.3",
        "ReferringPhysicianName": "Suzuki^Naoto=鈴木^直人=すずき^なおと",
        "ReferringPhysicianTelephoneNumbers": "+81 11 555 0150",
        "NameOfPhysiciansReadingStudy": "Nakajima^Rie=中島^理恵=なかじま^りえ",
        "PerformingPhysicianName": "Ogawa^Takumi=小川^拓海=おがわ^たくみ",
        "OperatorsName": "Yamamoto^Yumi=山本^由美=やまもと^ゆみ",
        "RequestingPhysician": "Fujita^Makoto=藤田^真琴=ふじた^まこと",
        "InstanceCreatorUID": f"{ROOT}.0.4",
    },
    request={
        "RequestedProcedureID": "RP-2021-0417",
        "ScheduledProcedureStepID": "SPS-2021-0418",
        "RequestedProcedureDescription": "腹部検査 山田様",
        "ScheduledProcedureStepDescription": "山田晴美様 午前",
        "ReasonForTheRequestedProcedure": "鈴木先生より紹介",
    },
    former={"PatientName": "Yamata^Harumi=山多^晴美=やまた^はるみ", "PatientID": "KARI-2021-0005"},
    latin="YAMADA",
    ae_title="HONGO_HOSP_AE7",
    note="山田晴美様の検査、担当は山本。",
)
