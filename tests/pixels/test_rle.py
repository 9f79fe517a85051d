"""RLE frames without what no pixel needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import RLELossless

from deid.errors import Rejected
from deid.pixels.codecs import decode
from deid.pixels.image import Image
from deid.pixels.rle import without_tails

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

NAME = b"Quillfeather^Zebulon"
CHANCE = np.random.default_rng(3)
FORMS = [(1, 8), (1, 16), (3, 8), (3, 16)]


def frame(samples: int, bits: int) -> NDArray[Any]:
    made = CHANCE.integers(0, 1 << bits, (31, 47, samples), f"u{bits // 8}")
    made[10:20] = 7
    return made if samples > 1 else made[..., 0]


def image(samples: int, bits: int) -> Image:
    photometric = "RGB" if samples > 1 else "MONOCHROME2"
    return Image(31, 47, samples, photometric, planar=True, allocated=bits, stored=bits, high_bit=bits - 1,
                 signed=False, frames=1)  # fmt: skip


def encoded(samples: int, bits: int) -> bytes:
    made = get_encoder(RLELossless).encode(
        frame(samples, bits), rows=31, columns=47, number_of_frames=1, samples_per_pixel=samples, bits_stored=bits,
        photometric_interpretation="RGB" if samples > 1 else "MONOCHROME2", pixel_representation=0,
        bits_allocated=bits, planar_configuration=0,
    )  # fmt: skip
    return bytes(made)


@pytest.mark.parametrize(("samples", "bits"), FORMS)
def test_what_holds_nothing_else_is_the_same_object(samples: int, bits: int) -> None:
    content = encoded(samples, bits)
    assert without_tails(content, image(samples, bits)) is content


@pytest.mark.parametrize(("samples", "bits"), FORMS)
@pytest.mark.parametrize("tail", [NAME, NAME + b"\1", b"\0" * 3 + NAME])
def test_tails_go(tail: bytes, samples: int, bits: int) -> None:
    content, described = encoded(samples, bits), image(samples, bits)
    made = without_tails(content + tail, described)
    assert NAME not in made
    assert len(content) - 1 <= len(made) <= len(content)
    before, after = (decode(each, described, RLELossless) for each in (content, made))
    assert np.array_equal(before, after)


def test_what_stands_between_segments_goes() -> None:
    content, described = encoded(1, 16), image(1, 16)
    second = int.from_bytes(content[8:12], "little")
    header = content[:8] + (second + len(NAME)).to_bytes(4, "little") + content[12:64]
    made = without_tails(header + content[64:second] + NAME + content[second:], described)
    assert made == content


def test_what_stands_behind_the_places_in_the_header_goes() -> None:
    content = encoded(3, 8)
    made = without_tails(content[:20] + NAME + content[40:], image(3, 8))
    assert made == content


@pytest.mark.parametrize("runs", [b"", b"\x05ab", b"\x80" * 9, b"\x81\1" * 11 + b"\xff", b"\x81\1" * 12])
def test_a_damaged_frame_is_a_reason_to_hold(runs: bytes) -> None:
    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    with pytest.raises(Rejected, match="damaged"):
        without_tails(header + runs, image(1, 8))


@pytest.mark.parametrize("change", [(0, 3), (0, 0), (4, 65), (8, 9)])
def test_a_header_that_does_not_fit_the_image_is_a_reason_to_hold(change: tuple[int, int]) -> None:
    content = bytearray(encoded(1, 16))
    content[change[0]] = change[1]
    with pytest.raises(Rejected, match="damaged"):
        without_tails(bytes(content), image(1, 16))
