"""A mask changes nothing outside itself, whatever the transfer syntax; pydicom sees it, with no code of ours."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

from deid.attributes.keys import derive
from deid.errors import DeidError
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.pixels import codes, detector, turbojpeg
from deid.profile.plan import load_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TOP, LEFT, BOTTOM, RIGHT = 3, 5, 11, 26
LARGEST = 40 << 20
SYNTAXES = {
    "1.2", "1.2.1", "1.2.1.99", "1.2.2", "1.2.5", "1.2.4.50", "1.2.4.51", "1.2.4.57", "1.2.4.70",
    "1.2.4.80", "1.2.4.81", "1.2.4.90", "1.2.4.91", "1.2.4.201", "1.2.4.203",
}  # fmt: skip
"""Of which the corpus has files that can be masked; below 1.2.840.10008."""


ALWAYS_WITH_LOSS = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
WITH_LOSS = ALWAYS_WITH_LOSS | {f"1.2.840.10008.1.2.4.{number}" for number in (81, 91, 203)}

MAY_LIE = frozenset({"1.2.840.10008.1.2.4.70"})


@pytest.fixture
def _rectangle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is found in one rectangle, once, in all objects."""

    def rectangle(picture: NDArray[np.uint8], *, sure: bool = False, **_: bool) -> NDArray[np.bool_]:
        mask = np.zeros(picture.shape[:2], np.bool_)
        mask[TOP:BOTTOM, LEFT:RIGHT] = not sure
        return mask

    monkeypatch.setattr(detector, "text_mask", rectangle)
    monkeypatch.setattr(codes, "code_mask", lambda picture: np.zeros(picture.shape[:2], np.bool_))


def decoded(path: Path) -> tuple[NDArray[Any], pydicom.Dataset] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(path.read_bytes()))
            frames = pixel_array(dataset, raw=True)
    except Exception:  # noqa: BLE001 - what pydicom cannot decode cannot be compared with it
        return None
    return frames.reshape(-1, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel), dataset


def faults_of(old: Any, source: pydicom.Dataset, new: Any, published: pydicom.Dataset, outside: Any) -> Iterator[str]:
    if old.shape != new.shape or not np.array_equal(old[:, outside], new[:, outside]):
        yield "changed outside the mask"
    if len(np.unique(new[:, TOP:BOTTOM, LEFT:RIGHT].reshape(-1, new.shape[3]), axis=0)) != 1:
        yield "the mask shows something"
    said, now = (each.get("LossyImageCompression") for each in (source, published))
    before, after = (each.file_meta.TransferSyntaxUID for each in (source, published))
    # PS3.3 C.7.6.1.1.5: once with loss is with loss for ever, also where the syntax tells no more.
    # One file calls itself lossless, and its frame begins as one of JPEG Baseline.
    with_loss = before in WITH_LOSS or (before in MAY_LIE and b"\xff\xc0\0\x0b" in source.PixelData[:400])
    if now != said and not (now == "01" and before != after and with_loss):
        yield "its history of compression is another one"
    if before != after and before in ALWAYS_WITH_LOSS and now != "01":
        yield "it does not tell any more that it was compressed with loss"
    syntaxes = [each.file_meta.TransferSyntaxUID for each in (source, published)]
    if syntaxes[0] == pydicom.uid.JPEGBaseline8Bit != syntaxes[1] and turbojpeg.installed():
        yield "it was coded again"


@pytest.mark.usefixtures("_rectangle")
def test_every_transfer_syntax(corpus: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(load_plan("default"), derive(b"k" * 32), Limits(), tmp_path)
    target, seen, faults, reasons = tmp_path / "published", set(), [], Counter[str]()
    for path in sorted(path for path in corpus.rglob("*") if path.is_file() and path.stat().st_size < LARGEST):
        try:
            result = pipeline.deidentify(path, target)
        except DeidError as reason:
            reasons[str(reason)] += 1
            continue
        before, after = decoded(path), decoded(target)
        target.unlink()
        if result.pixels is None or not result.pixels.masked or before is None:
            continue
        if after is None:
            faults.append((path.name, "nobody else can decode it"))
            continue
        outside = np.ones(before[0].shape[1:3], np.bool_)
        # In a frame that is masked as it is coded, the colours of pixels beside the mask are interpolated.
        rim = int(after[1].file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit)
        for x, y, width, height in (box for masked in result.pixels.masked for box in masked.boxes):
            outside[max(0, y - rim) : y + height + rim, max(0, x - rim) : x + width + rim] = False
        faults += [(path.name, fault) for fault in faults_of(*before, *after, outside)]
        seen.add(str(before[1].file_meta.TransferSyntaxUID).removeprefix("1.2.840.10008."))
    assert not faults
    assert seen >= SYNTAXES, (SYNTAXES - seen, reasons)
    assert not [reason for reason in reasons if re.search("defect|not what it should be|still found", reason)], reasons
