"""Segments that decoders read, and that hold more than belongs into them."""

from __future__ import annotations

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
J2K = without_comments(
    get_encoder(UID("1.2.840.10008.1.2.4.90")).encode(
        PICTURE, rows=64, columns=80, number_of_frames=1, samples_per_pixel=1, pixel_representation=0,
        photometric_interpretation="MONOCHROME2", planar_configuration=0, bits_allocated=8, bits_stored=8,
    )
)  # fmt: skip
LENGTH = len(J2K) - 2 - J2K.index(b"\xff\x90")  # of its only tile-part
CODES = bytes([0x13, *[0] * 7, 8, *[0] * 8]) + NAME[:8]
STEPS = bytes([3, *[1] * 64])


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def behind(content: bytes, marker: bytes, more: bytes) -> bytes:
    at = content.index(marker)
    return content[:at] + more + content[at:]


@pytest.mark.parametrize(
    ("marker", "value", "more"),
    [
        (0xDC, b"\0\x40", NAME),
        (0xDD, b"\0\0", NAME),
        (0xC4, CODES, NAME[:8]),
        (0xDB, STEPS, NAME),
        (0xDB, bytes([0x13, *[0, 1] * 64]), NAME),
        (0xF8, b"\1" + bytes(10), NAME),
    ],
)
@pytest.mark.parametrize("place", [b"\xff\xda", b"\xff\xd9"])
def test_segments_of_jpeg_are_as_long_as_they_should_be(marker: int, value: bytes, more: bytes, place: bytes) -> None:
    right = behind(JPEG, place, segment(marker, value))
    assert without_comments(right) is right
    with pytest.raises(Rejected, match="not as long as it should be"):
        without_comments(behind(JPEG, place, segment(marker, value + more)))


@pytest.mark.parametrize("value", [b"\2\1\1" + NAME, b"\3\1\1" + NAME, b"\1" + NAME[:9], b""])
def test_mapping_tables_of_jpeg_ls_are_refused(value: bytes) -> None:
    with pytest.raises(Rejected, match="not as long as it should be"):
        without_comments(behind(JPEG, b"\xff\xda", segment(0xF8, value)))


def test_a_second_header_of_a_frame_is_refused() -> None:
    header = b"\0" * 5 + b"\6" + NAME[:18]
    with pytest.raises(Rejected, match="damaged"):
        without_comments(behind(JPEG, b"\xff\xc0", segment(0xC1, header)))


def test_conditions_of_arithmetic_coding_say_nothing_to_a_huffman_decoder() -> None:
    assert without_comments(behind(JPEG, b"\xff\xda", segment(0xCC, NAME))) == JPEG


@pytest.mark.parametrize(
    "index",
    [
        b"\0\x50\0" + LENGTH.to_bytes(4, "big"),
        b"\0\x60\0\0" + LENGTH.to_bytes(4, "big"),
        b"\0\x40" + LENGTH.to_bytes(4, "big"),
        b"\0\x00" + LENGTH.to_bytes(2, "big"),
    ],
)
def test_an_index_of_tile_parts_that_is_one_stays(index: bytes) -> None:
    content = behind(J2K, b"\xff\x90", segment(0x55, index))
    assert without_comments(content) is content
    for wrong in (index + NAME, index[:-1] + b"Q", index[:-1], index + index[2:], b"", b"\0"):
        assert without_comments(behind(J2K, b"\xff\x90", segment(0x55, wrong))) == J2K


def test_an_index_names_the_tile() -> None:
    assert without_comments(behind(J2K, b"\xff\x90", segment(0x55, b"\0\x50Q" + LENGTH.to_bytes(4, "big")))) == J2K


@pytest.mark.parametrize("marker", [0x57, 0x59])
def test_lengths_of_packets_and_profiles_that_no_decoder_needs_go(marker: int) -> None:
    assert without_comments(behind(J2K, b"\xff\x90", segment(marker, b"\0" + NAME))) == J2K
