"""Files of pictures and documents are found in any value; numbers that look a little like one are none."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.model import Result

    Run = Callable[[Dataset], tuple[Result, Dataset]]

ECG, SPECTROSCOPY, SURFACE, PDF = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("9.1.1", "4.2", "66.5", "104.1"))
LARGE = 1 << 20
"""Bytes after which a value on disk is read on."""


def _encoded(extension: str) -> bytes:
    drawn = np.zeros((40, 200, 3), np.uint8)
    cv2.putText(drawn, "QUILLFEATHER", (5, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255))
    return cv2.imencode(extension, drawn)[1].tobytes()


def _archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("word/document.xml", "<name>")
    return content.getvalue()


def _big_tiff() -> bytes:
    entries = struct.pack("<HHQQ", 256, 4, 1, 40) + struct.pack("<HHQQ", 257, 4, 1, 40)
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + struct.pack("<Q", 2) + entries


def _gif() -> bytes:
    return b"GIF89a\x10\0\x10\0\x80\0\0" + bytes(6) + b"\x2c" + bytes(20)


FILES = {
    **{extension: _encoded(extension) for extension in (".png", ".jpg", ".jp2", ".bmp", ".tiff", ".webp")},
    "codestream": _encoded(".jp2").partition(b"jp2c")[2],
    "JPEG with fill": b"\xff\xd8\xff\xff" + _encoded(".jpg")[3:],
    "JPEG-LS": bytes.fromhex("ffd8 fff7 000b 08 0010 0010 01 011100"),
    "BigTIFF": _big_tiff(),
    "TIFF of a Mac": b"MM\0*\0\0\0\x08\0\x01\x01\0\0\3\0\0\0\1\0\1\0\0",
    "GIF": _gif(),
    "BMP of OS/2": b"BM" + struct.pack("<IHHI", 99, 0, 0, 26) + struct.pack("<IHHHH", 12, 16, 16, 1, 24),
    "HEIF": b"\0\0\0\x18ftypheic" + bytes(8),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "ZIP": _archive(),
    "Compound File": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16),
    "DICOM": bytes(128) + b"DICM\2\0\0\0UL\4\0\xc0\0\0\0",
}


def _ecg(drawing: Any, content: bytes) -> Dataset:
    item = Dataset()
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples, item.WaveformBitsAllocated = 1, len(content) // 2, 16
    item.add_new(0x54001010, "OW", content)
    return _bare(drawing, ECG, WaveformSequence=[item])


def _spectroscopy(drawing: Any, content: bytes) -> Dataset:
    made = _bare(drawing, SPECTROSCOPY)
    made.add_new(0x56000020, "OF", content)
    return made


def _surface(drawing: Any, content: bytes) -> Dataset:
    points, surface = Dataset(), Dataset()
    points.add_new(0x00660016, "OF", content)
    surface.SurfacePointsSequence = [points]
    return _bare(drawing, SURFACE, SurfaceSequence=[surface])


def _bare(drawing: Any, sop_class: str, **more: Any) -> Dataset:
    made: Dataset = drawing.dataset(np.zeros((1, 2, 2), np.uint8), sop_class=sop_class, **more)
    del made.PixelData
    return made


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("before", [0, 6, LARGE - 2], ids=["begins", "contains", "far behind"])
def test_a_file_among_numbers_holds_the_object(kind: str, before: int, run: Run, drawing: Any) -> None:
    noise = np.random.default_rng(7).bytes(LARGE)
    content = noise[:before] + FILES[kind] + noise[: 100 + len(FILES[kind]) % 2]
    content += bytes(-len(content) % 4)
    for made in (_spectroscopy(drawing, content), _ecg(drawing, content)):
        with pytest.raises(Rejected, match=r"(SpectroscopyData|WaveformSequence) holds what begins like a file"):
            run(made)


def test_a_file_deep_among_items_or_in_a_short_list_of_numbers(run: Run, drawing: Any) -> None:
    with pytest.raises(Rejected, match=r"SurfaceSequence holds what begins like a file \(PNG\)"):
        run(_surface(drawing, FILES[".png"] + bytes(-len(FILES[".png"]) % 4)))
    made = drawing.dataset(np.zeros((1, 2, 2), np.uint8))
    made.PixelSpacingCalibrationDescription = "scan, see GIF89a and %PDF-1.4"
    made.add_new(0x00281101, "US", list(struct.unpack("<30H", FILES["GIF"].ljust(60, b"\0"))))
    with pytest.raises(Rejected, match=r"RedPaletteColorLookupTableDescriptor holds .* \(GIF\)"):
        run(made)


@pytest.mark.parametrize(
    "like",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(50),  # marker segments that lead nowhere
        b"\xff\xd8\xff\xc0\0\x0c\x08\0\x10\0\x10\x01",  # a frame header of another length than it has
        b"II*\0\x08\0\0\0\x02\0\x0f\x01\2\0" + bytes(50),  # a directory that is no picture's
        b"MM\0*" + bytes(50),
        b"BM" + bytes(50),
        b"GIF89a" + bytes(50),
        b"GIF89a and other formats",
        b"%PDF-1.7 is a version",
        b"%PDF-1.7" + b" " * 99 + b"\n",
        b"\x89PNG\r\n\x1a ",
        b"PK\3\4" + bytes(2),
    ],
)
def test_a_few_bytes_of_a_beginning_are_numbers(like: bytes, run: Run, drawing: Any) -> None:
    noise = np.random.default_rng(11).bytes(1 << 22)
    for content in (like + noise, noise + like):
        run(_spectroscopy(drawing, content + bytes(-len(content) % 4)))
        run(_ecg(drawing, content))


@pytest.mark.parametrize("size", [LARGE // 4, 2 * LARGE], ids=["in memory", "on disk"])
def test_beginnings_that_lead_into_one_another_hold_the_object(size: int, run: Run, drawing: Any) -> None:
    content = b"\xff\xe0\0\x04\xff\xd8" * (size // 12 * 2)
    with pytest.raises(Rejected, match="too many to tell"):
        run(_spectroscopy(drawing, content))
    run(_spectroscopy(drawing, content[:1200]))
    run(_spectroscopy(drawing, b"\xff\xd8" * (size // 8)))


def test_text_may_name_formats(run: Run, drawing: Any) -> None:
    made = drawing.dataset(np.zeros((1, 2, 2), np.uint8))
    made.WindowCenterWidthExplanation = "from GIF89a, BMP or %PDF-1.4"
    _, published = run(made)
    assert "GIF89a" in published.WindowCenterWidthExplanation


def test_pixels_and_documents_have_rules_of_their_own(run: Run, drawing: Any) -> None:
    made = drawing.dataset(np.frombuffer(FILES[".bmp"][:24000], np.uint8).reshape(1, 100, 240))
    run(made)
    small = drawing.dataset(np.frombuffer(FILES[".bmp"][:240], np.uint8).reshape(1, 10, 24))
    run(small)
    document = _bare(drawing, PDF, MIMETypeOfEncapsulatedDocument="application/pdf")
    document.add_new(0x00420011, "OB", FILES["PDF"] + b"\0")
    _, published = run(document)
    assert published.EncapsulatedDocument.startswith(b"%PDF-")
    document.add_new(0x00420011, "OB", FILES["PDF"] + bytes(LARGE))
    run(document)
    item = Dataset()
    item.MIMETypeOfEncapsulatedDocument = "application/pdf"
    item.add_new(0x00420011, "OB", FILES["PDF"] + b"\0")
    small.SharedFunctionalGroupsSequence = [item]
    run(small)
