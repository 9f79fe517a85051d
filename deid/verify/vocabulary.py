"""Words that are no evidence in a code or a label: body parts, methods, projections, and those of DICOM's own names."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from deid.standard.dictionary import keywords

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
    "abdomenpelvis cervicalspine chestabdomen chestabdomenpelvis cspine cthoracicspine ctspine headneck hip jaw "
    "lsspine lspine lumbosacralspine neckchest neckchestabdomen neckchestabdomenpelvis pelvislowerextremity "
    "sspine thoracicspine thoracolumbarspine tlspine tmjoint tspine wholespine "
)
"""Body parts (PS3.16 Annex L), also as they are written in one word, and words of Image Type."""

_METHODS: Final = (
    "blade bravo ciss cube derived dess dixon epi fiesta fisp flair flash grase haste helix inphase lava localizer "
    "medic mosaic mprage norm outphase projection propeller resampled reformatted space stir tfl tirm trufi "
    "truefisp tse vascular vibe volume water "
)
"""Words of Image Type, and makers' names of pulse sequences."""

_PROJECTIONS: Final = "ant ap boost cranial caudal imrt inf lao lat lpo lps pa post rao rpo setup sup tang vmat "
"""How a beam runs, in the words that its name is made of."""


@cache
def dicom_words() -> frozenset[bytes]:
    """Lower-case words that are no evidence in coded values."""
    words = {word.lower() for keyword in keywords() for word in re.findall("[A-Z][a-z]+", keyword)}
    return frozenset(word.encode() for word in words | set((_BODY_PARTS + _METHODS + _PROJECTIONS).split()))
