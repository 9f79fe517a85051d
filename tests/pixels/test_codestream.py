"""What is taken out of a compressed frame: all that decoders do not need, wherever it stands."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

from deid.errors import Rejected
from deid.pixels.codestream import without_comments

NAME = b"Quillfeather^Zebulon"
PICTURE = (np.add.outer(np.arange(64), np.arange(80)) * 2 % 251).astype(np.uint8)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()


def lossless(syntax: str) -> bytes:
    more: dict[str, Any] = {
        "rows": 64, "columns": 80, "number_of_frames": 1, "samples_per_pixel": 1, "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2", "bits_allocated": 8, "bits_stored": 8,
    }  # fmt: skip
    return get_encoder(UID(syntax)).encode(PICTURE, **more)


JPEG_LS, J2K = lossless("1.2.840.10008.1.2.4.80"), lossless("1.2.840.10008.1.2.4.90")


def bare(content: bytes) -> bytes:
    """Without the comment of its encoder."""
    return without_comments(content)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def behind(content: bytes, marker: bytes, more: bytes) -> bytes:
    at = content.index(marker)
    return content[:at] + more + content[at:]


@pytest.mark.parametrize("content", [JPEG, JPEG_LS, bare(J2K), b"\2\0\0\0", b""])
def test_what_holds_nothing_else_is_the_same_object(content: bytes) -> None:
    assert without_comments(content) is content
    assert without_comments(content + b"\0") == content + b"\0"


@pytest.mark.parametrize("content", [JPEG, JPEG_LS])
@pytest.mark.parametrize(
    "more",
    [
        segment(0xFE, NAME),
        segment(0xE1, b"Exif\0\0" + NAME),
        segment(0xE0, b"JFXX\0" + NAME),
        segment(0xE8, NAME),
        segment(0xEE, NAME),
        segment(0xED, b"Photoshop 3.0\0" + NAME),
        b"\xff\xff" + segment(0xFE, NAME)[1:],
    ],
)
def test_comments_and_application_data(content: bytes, more: bytes) -> None:
    made = without_comments(content[:2] + more + content[2:])
    assert made == content


@pytest.mark.parametrize(
    ("marker", "value", "left"),
    [
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\1" + NAME, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0" + NAME, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        (0xEE, b"Adobe\0\x64\0\0\0\0\1" + NAME, b"Adobe\0\x64\0\0\0\0\1"),
        (0xE8, b"mrfx\3" + NAME, b"mrfx\3"),
        (0xE8, b"SPIFF\0" + bytes(24) + NAME, b"SPIFF\0" + bytes(24)),
    ],
)
def test_what_decoders_need_stays_and_nothing_else_in_it(marker: int, value: bytes, left: bytes) -> None:
    content = JPEG[:2] + JPEG[20:]
    made = without_comments(content[:2] + segment(marker, value) + content[2:])
    assert made == content[:2] + segment(marker, left) + content[2:]


def test_comments_between_scans() -> None:
    scans = cv2.imencode(".jpg", PICTURE[..., None].repeat(3, 2), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    first = scans.index(b"\xff\xda")
    second = scans.index(b"\xff\xc4", first)
    made = without_comments(scans[:second] + segment(0xFE, NAME) + segment(0xE1, NAME) + scans[second:])
    assert scans.count(b"\xff\xda") > 2
    assert made == scans


@pytest.mark.parametrize("content", [JPEG, JPEG_LS, bare(J2K)])
@pytest.mark.parametrize("tail", [NAME, JPEG, b"\0" + NAME, segment(0xFE, NAME)])
def test_tails(content: bytes, tail: bytes) -> None:
    assert without_comments(content + tail) == content


@pytest.mark.parametrize("content", [JPEG, JPEG_LS])
def test_what_stands_instead_of_the_end(content: bytes) -> None:
    assert without_comments(content[:-2] + b"\xff\xd8" + NAME) == content
    assert without_comments(content[:-2]) == content[:-2]


def test_comments_of_jpeg_2000() -> None:
    content = bare(J2K)
    made = without_comments(behind(content, b"\xff\x52", segment(0x64, b"\0\1" + NAME)))
    assert made == content
    with pytest.raises(Rejected, match="a comment"):
        without_comments(behind(content, b"\xff\x93", segment(0x64, b"\0\1" + NAME)))


def test_a_tile_of_jpeg_2000_may_be_as_long_as_what_looks_like_an_end() -> None:
    content = bare(J2K)
    at = content.index(b"\xff\x90")
    head, header = content[:at], content[at : content.index(b"\xff\x93") + 2]
    header = header[:6] + (0xFFD9).to_bytes(4, "big") + header[10:]
    long = head + header + b"\1" * (0xFFD9 - len(header)) + b"\xff\xd9"
    assert without_comments(long) is long
    assert without_comments(long + NAME) == long
    unknown = content[: at + 6] + bytes(4) + content[at + 10 :]
    assert without_comments(unknown) is unknown
    assert without_comments(unknown + NAME) == unknown


def test_the_boxes_around_a_codestream_go() -> None:
    content = bare(J2K)
    assert without_comments(b"\0\0\0\x0cjP  \r\n\x87\n" + NAME + content) == content


@pytest.mark.parametrize("damage", [JPEG[:100], JPEG[:2] + b"\xff\x01" + JPEG[2:], JPEG[:2] + JPEG])
def test_a_frame_that_cannot_be_read_to_its_scan_is_a_reason_to_hold(damage: Any) -> None:
    with pytest.raises(Rejected, match="damaged"):
        without_comments(damage)
