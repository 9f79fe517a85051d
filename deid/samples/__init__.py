"""Small synthetic studies, the same bytes every time, with an identifier planted wherever real files have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.samples import planted
from deid.samples.documents import encapsulated_pdf, rt_structure_set
from deid.samples.images import ct, mr, us
from deid.samples.media import directory, encode
from deid.samples.patients import GRUENWALD
from deid.samples.planted import PLANTED
from deid.samples.reports import basic_text_sr, comprehensive_sr

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

__all__ = ["PLANTED", "make"]

_CONTENTS = (
    (planted.CT, ct),
    (planted.RT, rt_structure_set),
    (planted.REPORT, basic_text_sr),
    (planted.MR, mr),
    (planted.PDF, encapsulated_pdf),
    (planted.US, us),
    (planted.FINDINGS, comprehensive_sr),
    (planted.KNEE_MR, mr),
)


def make(folder: Path) -> list[Path]:
    """Write every sample and the DICOMDIR over them below this folder; return the files written."""
    objects: list[tuple[str, Dataset]] = []
    encoded: dict[str, bytes] = {}
    for series, build in _CONTENTS:
        for number, file in enumerate(series.files, 1):
            dataset = build(series, number)
            encoded[file] = encode(dataset, series.syntax, series.study.patient)
            if "." not in file:  # PS3.10 8.2: a File ID has no full stop, so a directory cannot name this file
                objects.append((file, dataset))
    encoded["DICOMDIR"] = directory(objects, GRUENWALD)
    for file, content in encoded.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return [folder / file for file in encoded]
