"""Whether a match says that a value survives, or is what the attribute would say of anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from deid.profile.identifying import PLACE, kind_of
from deid.standard.dictionary import keywords, tag_of, vr_of
from deid.verify.values import ACCESSION_NUMBER, PATIENT_GROUP
from deid.verify.vocabulary import dicom_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.verify.spellings import Words


def _tags(names: Iterable[str]) -> frozenset[int]:
    return frozenset(tag for tag in map(tag_of, names) if tag is not None)


MAKERS_WORDS: Final = _tags(
    (
        "SoftwareVersions LUTExplanation ApplicationName ApplicationVersion ApplicationManufacturer "
        "CodeValue LongCodeValue CodeMeaning CodingSchemeDesignator CodingSchemeVersion CodingSchemeName "
        "MappingResourceName AlgorithmName AlgorithmVersion AlgorithmSource SegmentAlgorithmName "
        "AttenuationCorrectionMethod ScatterCorrectionMethod ReconstructionMethod ConvolutionKernel FilterType "
        "Radiopharmaceutical ReceiveCoilName TransmitCoilName TransducerData ProcessingFunction "
        "DimensionDescriptionLabel"
    ).split()
) | _tags(keyword for keyword in keywords() if "Manufacturer" in keyword)
"""Attributes in which a single word is no evidence, nor the name of a place: a patient called Philips may lie in a
Philips scanner. The patient's whole name, long identifiers of the patient, dates and UIDs are evidence everywhere."""

_LABELS: Final = _tags("SegmentLabel SequenceName PulseSequenceName BeamName".split())
"""Names of body parts, projections and methods, but by a person who may add another name."""

_TYPED: Final = _tags(["ContentLabel", "GraphicLayer"])
"""Coded by their VR alone: a person types them."""

_SAID: Final = _tags("CodeValue CodeMeaning LUTExplanation Radiopharmaceutical".split())
"""Of the above, those that a department makes up, and where the whole name of anybody is no maker's."""

_CODED: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "TM"})  # mostly words of DICOM's own, or no words
TEMPORAL: Final = frozenset({"DA", "DT", "TM"})
_ISSUER: Final = 0x00100021  # Issuer of Patient ID: an institution, not the patient
_SHORTEST_IN_CODES: Final = 4
_SHORTEST_OF_MAKERS: Final = 6  # of an identifier: shorter ones are numbers of models and versions


class Match(NamedTuple):
    """Words of an original attribute that stand in a published one."""

    tag: int
    vr: str
    source: int
    words: Words
    is_doubtful: bool = False  # a number of a few digits, as times, codes and versions have them too

    @property
    def _is_whole(self) -> bool:
        """Several words, or an identifier as far as a digit tells it."""
        return len(self.words) > 1 or any(48 <= byte <= 57 for byte in self.words[0])

    def is_evidence(self, kept: frozenset[int]) -> bool:
        """Whether a value survives here; `kept` are attributes whose own values stay on purpose."""
        tag, vr, source, words, is_doubtful = self
        if is_doubtful and (tag in kept or tag in MAKERS_WORDS or vr in _CODED):
            return False
        if tag in kept:
            return self._is_whole and is_of_patient(source) and vr not in TEMPORAL
        if tag in MAKERS_WORDS or _is_creator(tag):
            long = vr_of(source) == "PN" or sum(map(len, words)) >= _SHORTEST_OF_MAKERS
            named = vr_of(source) == "PN" and len(words) > 1 and (tag in _SAID or _is_creator(tag))
            return named or (self._is_whole and is_of_patient(source) and long)
        if self._is_whole or tag in _TYPED:
            return True
        if tag in _LABELS:
            return words[0] not in dicom_words()
        telling = len(words[0]) >= _SHORTEST_IN_CODES and words[0] not in dicom_words() and kind_of(source) != PLACE
        return vr not in _CODED or telling


def is_of_patient(source: int) -> bool:
    """Whether an attribute of the original names the patient, by whatever name or number."""
    return source == ACCESSION_NUMBER or (source >> 16 == PATIENT_GROUP and source != _ISSUER)


def _is_creator(tag: int) -> bool:
    return bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF
