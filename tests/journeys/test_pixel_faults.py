"""Whatever breaks while the text in an object is searched for and masked: it is held, and the run goes on."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import compress
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless, SecondaryCaptureImageStorage

from deid.store.queue import Queue
from deid.store.vault import Vault

from .conftest import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

ROWS, COLUMNS, FRAMES = 120, 200, 2
TEXT = "QUILLFEATHER"
FAULTS = {  # what happens to objects of so many rows, and what is said of it
    130: ("the engine raises", "RuntimeError"),
    131: ("the engine exits", "the process that worked on this object died"),
    132: ("the engine crashes", "the process that worked on this object died"),
    133: ("the engine hangs", "took too long"),
    134: ("the search for codes raises", "RuntimeError"),
    135: ("the encoder raises", "RuntimeError"),
    136: ("the decoder raises", "RuntimeError"),
    137: ("the decoder gives another frame", "not the size"),
    138: ("a frame is damaged", "cannot be decoded"),
    139: ("a JPEG-LS frame breaks off", "cannot be decoded"),
}

# Python runs a module of this name when it starts, in the processes of the pool as well.
INJECTED = """
import ctypes, os, signal
from deid import scale
from deid.pixels import codecs, codes, detector, frames

scale._SECONDS = 10

def fails(*_, **__):
    raise RuntimeError("QUILLFEATHER")

def instead(room, name, rows_of, faults):
    before = getattr(room, name)
    def call(*given, **more):
        return faults.get(rows_of(*given), before)(*given, **more)
    setattr(room, name, call)

def rows(frame, *_):
    return frame.shape[0]

instead(detector, "text_mask", rows, {
    130: fails,
    131: lambda *_, **__: os._exit(0),
    132: lambda *_, **__: os.kill(os.getpid(), signal.SIGSEGV),
    133: lambda *_, **__: ctypes.PyDLL(None).sleep(600),  # in native code, and no other thread runs meanwhile
})
instead(codes, "code_mask", rows, {134: fails})
instead(codecs, "encode", rows, {135: fails})
decode = frames.decode
instead(frames, "decode", lambda _, image, __: image.rows, {136: fails, 137: lambda *given: decode(*given)[:50]})
"""


def ink(rows: int) -> NDArray[np.bool_]:
    drawn = np.zeros((rows, COLUMNS), np.uint8)
    cv2.putText(drawn, TEXT, (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1, cv2.LINE_8)
    return drawn > 0


def compressed(number: int, rows: int = ROWS, syntax: str = RLELossless) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"1.2.3.4.{number}")
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    made.PatientName, made.PatientID = "Marigold^Una", "UNA-33"
    made.Rows, made.Columns, made.NumberOfFrames = rows, COLUMNS, FRAMES
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    frames = np.full((FRAMES, rows, COLUMNS), 60, np.uint8)
    frames[:, ink(rows)] = 230
    made.add_new(0x7FE00010, "OB", frames.tobytes())
    compress(made, syntax, generate_instance_uid=False)
    return made


def test_nothing_is_published_with_its_text(
    source: Path, target: Path, tmp_path: Path, tree: Callable[[Path], Any]
) -> None:
    objects = {"a": compressed(1)} | {what: compressed(rows, rows) for rows, (what, _) in FAULTS.items()}
    objects["a JPEG-LS frame breaks off"] = compressed(139, 139, JPEGLSLossless)
    for what in ("a frame is damaged", "a JPEG-LS frame breaks off"):
        first, second = pydicom.encaps.generate_frames(objects[what].PixelData, number_of_frames=FRAMES)
        objects[what].PixelData = pydicom.encaps.encapsulate([first, second[: len(second) // 2]])
    for name, made in (objects | {"z": compressed(2)}).items():
        made.save_as(source / name, enforce_file_format=True)
    (tmp_path / "injected").mkdir()
    (tmp_path / "injected/sitecustomize.py").write_text(INJECTED)
    line = [*PROGRAM, "run", str(source), str(target), "--state", str(tmp_path / "state"), "--jobs", "1", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "injected")}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["released"], summary["held"], summary["waiting"]) == (2, len(FAULTS), 0)

    with Vault.open(tmp_path / "state") as vault:
        held = {ticket.source.name: ticket.reason for ticket in Queue(vault.connection, vault.keys).kept_back()}
    assert held.keys() == {what for what, _ in FAULTS.values()}
    assert {what: held[what] for what, reason in FAULTS.values() if reason not in held[what]} == {}
    assert TEXT not in done.stdout + done.stderr + "".join(held.values())

    published = [target / name for name in tree(target)]
    assert len(published) == 2
    for path in published:
        frames = pydicom.dcmread(path).pixel_array
        assert frames.shape == (FRAMES, ROWS, COLUMNS)
        assert (frames[:, ink(ROWS)] == 60).mean() > 0.99
