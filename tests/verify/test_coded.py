"""Text in compressed pixel data where decoders pass over it: nobody sees it, and everybody can read it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless, VLWholeSlideMicroscopyImageStorage

from deid.pipeline import Survived, deidentify_file
from deid.profile.plan import load_plan
from deid.verify import coded

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = (np.add.outer(np.arange(64), np.arange(64)) * 2 % 251).astype(np.uint8)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
STEPS = b"\xff\xdb\0\x43\3"  # a table of 64 numbers that no component asks for


def slide(frame: bytes, name: str = "Quillfeather^Zebulon", table: bytes = b"") -> Dataset:
    """What nobody decodes: a tile of a specimen."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5.6.78901")
    made.SpecificCharacterSet = "ISO_IR 192"
    made.ImageType, made.Modality = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "SM"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4.5.6.7890", "1.2.3.4.5.6.78902"
    made.PatientName, made.PatientID, made.PatientBirthDate = name, "UNA-337741", "19480307"
    made.Rows = made.Columns = 64
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    content = encapsulate([frame], has_bot=False)
    made.PixelData = content[:4] + struct.pack("<I", len(table)) + table + content[8:]
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


def found_in(made: Dataset, folder: Path, profile: str = "default") -> set[str]:
    made.save_as(folder / "source", enforce_file_format=True)
    (folder / "target").unlink(missing_ok=True)
    try:
        deidentify_file(folder / "source", folder / "target", load_plan(profile), b"k" * 32)
    except Survived as survived:
        return {finding.attribute for finding in survived.findings}
    return set()


@pytest.mark.parametrize(
    "text",
    [
        b"QUILLFEATHER",
        b"for Zebulon Quillfeather",
        b"id UNA-337741",
        b"UNA337741",
        b"1.2.3.4.5.6.7890",
        b"* 1948-03-07",
        b"* 19480307",
        "Quillfeather".encode("utf-16-le"),
        "Quillfeather".encode("utf-16-be"),
    ],
)
def test_what_stands_behind_coded_data_and_in_tables(text: bytes, tmp_path: Path) -> None:
    behind = JPEG[:-2] + text + JPEG[-2:]
    unused = JPEG[:2] + STEPS + text.ljust(64, b"\1") + JPEG[2:]
    assert found_in(slide(behind), tmp_path) == {"PixelData"}
    assert found_in(slide(unused), tmp_path) == {"PixelData"}


def test_a_name_in_other_letters(tmp_path: Path) -> None:
    made = slide(JPEG[:-2] + "山田太郎".encode() + JPEG[-2:], "Yamada^Tarou=山田^太郎")
    assert found_in(made, tmp_path) == {"PixelData"}


def test_what_chance_may_have_written(tmp_path: Path) -> None:
    for text in (b"** Una **", b"xy Zeb 48", b"%$QUILL&FEA/", b"QU\x80ILLFEATHER"):
        assert not found_in(slide(JPEG[:-2] + text + JPEG[-2:], "Quill^Zeb"), tmp_path)


@pytest.mark.parametrize("picture", [PICTURE, np.dstack([PICTURE, PICTURE.T, PICTURE[::-1]])])
def test_what_tables_of_the_standard_say(picture: np.ndarray, tmp_path: Path) -> None:
    frame = cv2.imencode(".jpg", picture)[1].tobytes()
    assert b"456789:CDEFGHIJSTUVWXYZcdefghijstuvwxyz" in frame
    for number in ("456789", "56789", "CDEFGHIJ", "UVWXYZ"):
        made = slide(frame)
        made.PatientID = number
        assert not found_in(made, tmp_path)


def test_what_ends_one_part_and_begins_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "_CHUNK", 64)
    monkeypatch.setattr(coded, "_OVERLAP", 32)
    for more in range(64):
        text = b"\1" * more + b"QUILLFEATHER"
        assert found_in(slide(JPEG[:-2] + text + JPEG[-2:]), tmp_path) == {"PixelData"}


@pytest.mark.parametrize("profile", ["default", "basic"])
def test_the_offset_table(profile: str, tmp_path: Path) -> None:
    there = found_in(slide(JPEG, table=b"Quillfeather^Zeb"), tmp_path, profile)
    assert there == ({"PixelData"} if profile == "basic" else set())  # the other writes a table of its own
    assert not found_in(slide(JPEG, table=b"\0\0\0\0"), tmp_path, profile)


def test_frames_that_the_profile_leaves_alone(tmp_path: Path) -> None:
    assert not found_in(slide(JPEG[:-2] + b"QUILLFEATHER" + JPEG[-2:]), tmp_path, "basic")


def test_smooth_pixels_that_count_up(tmp_path: Path) -> None:
    ramp = np.arange(0x30, 0x70, dtype=np.uint8)[None].repeat(64, 0)
    frame = get_encoder(RLELossless).encode(
        ramp, rows=64, columns=64, number_of_frames=1, samples_per_pixel=1, pixel_representation=0,
        photometric_interpretation="MONOCHROME2", planar_configuration=0, bits_allocated=8, bits_stored=8,
    )  # fmt: skip
    assert b"0123456789" in frame
    made = slide(frame)
    made.file_meta.TransferSyntaxUID, made.PatientID = RLELossless, "123456789"
    assert not found_in(made, tmp_path)
