"""What is taken out of a compressed frame: all that decoders do not need, wherever it stands."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

from deid.errors import Rejected
from deid.pixels.codestream import form_of, lossy_method, without_comments

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = b"Quillfeather^Zebulon"
PICTURE = (np.add.outer(np.arange(64), np.arange(80)) * 2 % 251).astype(np.uint8)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()


def lossless(syntax: str, samples: int = 1) -> bytes:
    more: dict[str, Any] = {
        "rows": 64, "columns": 80, "number_of_frames": 1, "samples_per_pixel": samples, "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2" if samples == 1 else "RGB", "planar_configuration": 0,
        "bits_allocated": 8, "bits_stored": 8,
    }  # fmt: skip
    picture = PICTURE if samples == 1 else PICTURE[..., None].repeat(samples, 2)
    return get_encoder(UID(syntax)).encode(picture, **more)


JPEG_LS, J2K = lossless("1.2.840.10008.1.2.4.80"), lossless("1.2.840.10008.1.2.4.90")


def bare(content: bytes) -> bytes:
    """Without the comment of its encoder."""
    return without_comments(content)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def behind(content: bytes, marker: bytes, more: bytes) -> bytes:
    at = content.index(marker)
    return content[:at] + more + content[at:]


@pytest.mark.parametrize("content", [JPEG, JPEG_LS, bare(J2K)])
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
        segment(0xF3, NAME),
        segment(0x02, NAME),
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


@pytest.mark.parametrize("marker", [0x64, 0x6F, 0x7F])
def test_comments_of_jpeg_2000(marker: int) -> None:
    content = bare(J2K)
    made = without_comments(behind(content, b"\xff\x52", segment(marker, b"\0\1" + NAME)))
    assert made == content
    with pytest.raises(Rejected, match="a comment"):
        without_comments(behind(content, b"\xff\x93", segment(marker, b"\0\1" + NAME)))


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


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


JP2 = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")


@pytest.mark.parametrize(
    "around",
    [
        lambda content: box(b"jp2c", content),
        lambda content: b"\0\0\0\0jp2c" + content,
        lambda content: b"\0\0\0\1jp2c" + (len(content) + 16).to_bytes(8, "big") + content,
        lambda content: box(b"xml ", NAME) + box(b"jp2c", content) + box(b"uuid", NAME),
        lambda content: box(b"uuid", lossless("1.2.840.10008.1.2.4.90", 3)) + box(b"jp2c", content),
        lambda content: box(b"jp2c", content) + box(b"jp2c", lossless("1.2.840.10008.1.2.4.90", 3)),
    ],
)
def test_the_boxes_around_a_codestream_go(around: Callable[[bytes], bytes]) -> None:
    content = bare(J2K)
    assert without_comments(JP2 + around(content)) == content
    assert form_of(JP2 + around(content)) == (64, 80, 1, 8)


@pytest.mark.parametrize("kind", [b"pclr", b"cmap", b"cdef"])
def test_colours_in_boxes_are_refused(kind: bytes) -> None:
    with pytest.raises(Rejected, match="colours of its own"):
        form_of(JP2 + box(b"jp2h", box(kind, bytes(20))) + box(b"jp2c", J2K))


@pytest.mark.parametrize(("content", "bits"), [(JPEG, 8), (JPEG_LS, 8), (J2K, 8)])
def test_what_a_frame_says_of_its_form(content: bytes, bits: int) -> None:
    assert form_of(content) == (64, 80, 1, bits)


def test_the_image_of_jpeg_2000_may_begin_beside_its_grid() -> None:
    at = J2K.index(b"\xff\x51")
    moved = J2K[: at + 6] + struct.pack(">4I", 83, 69, 3, 5) + J2K[at + 22 :]
    assert form_of(moved) == (64, 80, 1, 8)


def test_components_that_are_not_alike_are_refused() -> None:
    made = lossless("1.2.840.10008.1.2.4.90", 3)
    at = made.index(b"\xff\x51") + 40
    assert form_of(made)[2] == 3
    for place, value in ((at + 3, 15), (at + 5, 2), (at + 8, 2)):
        with pytest.raises(Rejected, match="not alike"):
            form_of(made[:place] + bytes([value]) + made[place + 1 :])


def test_a_frame_that_has_two_forms_is_refused() -> None:
    start = JPEG.index(b"\xff\xc0")
    first = JPEG[start : start + 2 + int.from_bytes(JPEG[start + 2 : start + 4], "big")]
    with pytest.raises(Rejected, match="damaged"):
        form_of(JPEG[:start] + first + JPEG[start:])
    with pytest.raises(Rejected, match="made of several"):
        without_comments(JPEG[:-2] + first + JPEG[JPEG.index(b"\xff\xda") :])


def predicted(shift: int) -> bytes:
    """A frame that calls itself lossless, with a point transform in its scan."""
    made = JPEG.replace(b"\xff\xc0", b"\xff\xc3", 1)
    scan = made.index(b"\xff\xda")
    at = scan + 1 + made[scan + 3]
    return made[:at] + bytes([shift]) + made[at + 1 :]


@pytest.mark.parametrize("shift", [1, 2, 15])
def test_values_that_are_shifted_are_refused_for_decoders_differ_in_them(shift: int) -> None:
    assert form_of(predicted(0)) == (64, 80, 1, 8)
    with pytest.raises(Rejected, match="point transform"):
        form_of(predicted(shift))


def test_a_component_of_which_there_are_two_is_refused() -> None:
    other = cv2.imencode(".jpg", 255 - PICTURE)[1].tobytes()
    with pytest.raises(Rejected, match="one component twice"):
        form_of(JPEG[:-2] + other[other.index(b"\xff\xda") :])
    for scans in ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]):
        assert form_of(cv2.imencode(".jpg", PICTURE[..., None].repeat(3, 2), scans)[1].tobytes())[2] == 3


def irreversible(content: bytes) -> bytes:
    """The first style of coding with the other wavelet."""
    at = content.index(b"\xff\x52") + 13
    return content[:at] + b"\0" + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "method"),
    [
        (JPEG, "ISO_10918_1"),
        (predicted(0), ""),
        (JPEG_LS, ""),
        (JPEG_LS[: JPEG_LS.index(b"\xff\xda") + 7] + b"\2" + JPEG_LS[JPEG_LS.index(b"\xff\xda") + 8 :], "ISO_14495_1"),
        (J2K, ""),
        (irreversible(J2K), "ISO_15444_1"),
        (irreversible(behind(J2K, b"\xff\x52", segment(0x50, bytes(6)))), "ISO_15444_15"),
    ],
)
def test_what_a_frame_says_of_loss(content: bytes, method: str) -> None:
    assert lossy_method(content) == method


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\2\0\0\0",
        NAME,
        JP2,
        JP2[:12] + NAME,
        b"\0\0\0\x0cjP  \0\0\0\1jp2c\0\0\0\0\0\0\0\1",
        JPEG[:100],
        JPEG[:2] + b"\xff\x01" + JPEG[2:],
        JPEG[:2] + JPEG,
    ],
)
def test_a_frame_that_cannot_be_read_to_its_scan_is_a_reason_to_hold(damage: Any) -> None:
    with pytest.raises(Rejected, match="damaged"):
        without_comments(damage)
