"""Images with text on them, in any form that PS3.3 C.7.6.3 allows, as files and as what the rooms work on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41, UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from deid.attributes.keys import derive
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.pipeline import Pipeline
from deid.pixels.frames import Frames, frames_of
from deid.pixels.image import image_of
from deid.profile.document import parse
from deid.profile.plan import compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.model import Result
    from deid.part10.outline import Outline
    from deid.part10.source import Source

TEXT = "QUILLFEATHER ZEB 1971"
ROWS, COLUMNS = 240, 320
SECONDARY_CAPTURE, CT = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.2"

MODALITIES = {
    CT: "CT",
    f"{CT}.1": "CT",
    "1.2.840.10008.5.1.4.1.1.481.2": "RTDOSE",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.8": "SEG",
    "1.2.840.10008.5.1.4.1.1.77.1.6": "SM",
}


def anatomy(seed: int = 0, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.float64]:
    """Something smooth with noise on it, from 0 to 1, and no text."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    body = np.exp(-(((x - columns / 2) / (columns / 3)) ** 2 + ((y - rows * 0.6) / (rows / 3)) ** 2))
    return np.asarray(np.clip(0.7 * body + 0.05 * chance.standard_normal((rows, columns)), 0, 1), np.float64)


def ink(
    text: str = TEXT, at: tuple[int, int] = (12, 24), rows: int = ROWS, columns: int = COLUMNS
) -> NDArray[np.bool_]:
    """Where the strokes of a text are."""
    drawn = np.zeros((rows, columns), np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_8)
    return drawn > 0


def dataset(frames: NDArray[Any], photometric: str = "MONOCHROME2", **more: Any) -> Dataset:
    """An uncompressed object around frames x rows x columns [x samples]."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    big = more.pop("big_endian", False)
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID(more.pop("sop_class", SECONDARY_CAPTURE))
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    made.Modality = MODALITIES.get(made.SOPClassUID, "OT")
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    made.PatientName, made.PatientID = "Marigold^Una", "UNA-33"
    made.Rows, made.Columns = frames.shape[1:3]
    made.SamplesPerPixel = frames.shape[3] if frames.ndim > 3 else 1
    made.PhotometricInterpretation = photometric
    if made.SamplesPerPixel > 1:
        made.PlanarConfiguration = 0
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    made.BitsAllocated = made.BitsStored = frames.dtype.itemsize * 8
    made.PixelRepresentation = int(frames.dtype.kind == "i")
    content = frames.astype(frames.dtype.newbyteorder(">" if big else "<")).tobytes()
    made.add_new(0x7FE00010, "OB" if frames.dtype.itemsize == 1 else "OW", content + b"\0" * (len(content) % 2))
    for keyword, value in more.items():
        setattr(made, keyword, value)
    made.HighBit = made.BitsStored - 1
    return made


def compressed(frames: NDArray[Any], parts: Sequence[bytes], photometric: str = "MONOCHROME2", **more: Any) -> Dataset:
    """An object that says of itself what it would with these frames, around other bytes of each."""
    made = dataset(frames, photometric, **more)
    made.PixelData = encapsulate(list(parts), has_bot=False)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


class Opened:
    """A file opened as the pipeline opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source: Source = open_source(path, Limits())
        self.layout: Outline = outline(self.source, Limits())

    @property
    def frames(self) -> Frames:
        return frames_of(self.source, self.layout, image_of(self.layout))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Dataset | Path], Opened]]:
    found: list[Opened] = []

    def call(what: Dataset | Path) -> Opened:
        if isinstance(what, Dataset):
            path = tmp_path / f"opened{len(found)}"
            what.save_as(path, enforce_file_format=True)
            what = path
        found.append(Opened(what))
        return found[-1]

    yield call
    for each in found:
        each.source.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Result, Dataset]]:
    """From door to door, by what a profile says of pixels: what was done, and what is published."""

    def call(made: Dataset, pixels: str = "{}", syntax: str = "", kept: str = "") -> tuple[Result, Dataset]:
        """With `syntax`, of 21 to 24 characters, of which pydicom need not have heard; an attribute may be `kept`."""
        rules = f'[{{attribute: "{kept}", action: K, reason: needed}}]' if kept else "[]"
        profile = f"version: 1\noptions: [clean-pixel-data]\npixels: {pixels}\nrules: {rules}"
        plan = compile_plan(parse(profile, "p.yaml"))
        known = JPEG2000Lossless if len(syntax) <= 22 else MPEG4HP41  # as long, with its padding
        if syntax:
            made.file_meta.TransferSyntaxUID = known
        made.save_as(tmp_path / "source", enforce_file_format=True)
        if syntax:
            content = (tmp_path / "source").read_bytes()
            (tmp_path / "source").write_bytes(
                content.replace(known.encode(), syntax.encode().ljust(len(known), b"\0"), 1)
            )
        (tmp_path / "published").unlink(missing_ok=True)
        pipeline = Pipeline(plan, derive(b"k" * 32), Limits(), tmp_path)
        result = pipeline.deidentify(tmp_path / "source", tmp_path / "published")
        return result, pydicom.dcmread(io.BytesIO((tmp_path / "published").read_bytes()))

    return call


class Drawing:
    """What the tests of this folder share."""

    text = TEXT
    anatomy = staticmethod(anatomy)
    ink = staticmethod(ink)
    dataset = staticmethod(dataset)
    compressed = staticmethod(compressed)


@pytest.fixture
def drawing() -> type[Drawing]:
    return Drawing
