"""Words that are no evidence: those of makers, methods, codes and body parts, and those of DICOM's own names."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from deid.standard.dictionary import keywords, tag_of

MAKERS_WORDS: Final = frozenset(
    tag
    for tag in map(
        tag_of,
        (
            "Manufacturer ManufacturerModelName SoftwareVersions SequenceName PulseSequenceName LUTExplanation "
            "CodeValue LongCodeValue CodeMeaning CodingSchemeDesignator CodingSchemeVersion CodingSchemeName "
            "MappingResourceName AlgorithmName AlgorithmVersion AlgorithmSource SegmentAlgorithmName "
            "AttenuationCorrectionMethod ScatterCorrectionMethod ReconstructionMethod ConvolutionKernel FilterType "
            "Radiopharmaceutical ReceiveCoilName TransmitCoilName TransducerData ProcessingFunction SegmentLabel"
        ).split(),
    )
    if tag is not None
)
"""Attributes in which a single word is no evidence, nor the name of a place: a patient called Philips may lie in a
Philips scanner. Whole names, identifiers of the patient, dates and UIDs are evidence everywhere."""

_BODY_PARTS: Final = (
    "abdomen adrenal ankle anus aorta appendix arm artery axilla back bladder bone brain breast bronchus "
    "buttock calcaneus calf carotid cerebellum cervix cheek chest clavicle coccyx colon cornea coronary "
    "duodenum elbow esophagus extremity femur fetus fibula finger foot forearm gallbladder hand head heart "
    "hepatic humerus ileum ilium jejunum joint kidney knee larynx liver lumbar lung mandible maxilla "
    "mediastinum mouth muscle neck nose orbit ovary pancreas parotid patella pelvis penis pharynx placenta "
    "prostate rectum renal sacrum scalp scapula scrotum shoulder sinus skull spine spleen sternum stomach "
    "testis thigh thorax thumb thymus thyroid tibia tongue trachea ureter urethra uterus vagina vein vulva "
    "wholebody wrist arterial attenuation axial coronal diffusion dynamic flow fluid fused localizer original "
    "oblique perfusion primary sagittal screen secondary subtraction "
)
"""Body parts (PS3.16 Annex L) and words of Image Type."""


@cache
def dicom_words() -> frozenset[bytes]:
    """Lower-case words that are no evidence in coded values."""
    words = {word.lower() for keyword in keywords() for word in re.findall("[A-Z][a-z]+", keyword)}
    return frozenset(word.encode() for word in words | set(_BODY_PARTS.split()))
