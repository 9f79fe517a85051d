"""Stored values out of any encoding, and the same bytes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CHANCE = np.random.default_rng(7)


def values(kind: str, *shape: int) -> NDArray[Any]:
    limits = np.iinfo(kind)
    return CHANCE.integers(limits.min, limits.max, shape, kind, endpoint=True)


def packed(found: Any, *frames: NDArray[Any]) -> bytes:
    return b"".join(found.cells.packed(frames))


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4"])
@pytest.mark.parametrize("samples", [1, 3])
def test_values_come_out_as_they_are_stored_and_go_back_as_they_were(
    kind: str,
    samples: int,
    order: str,
    opened: Callable[..., Any],
    drawing: Any,
) -> None:
    frames = values(kind, 2, 66, 101, *([3] if samples > 1 else []))
    made = drawing.dataset(frames, "RGB" if samples > 1 else "MONOCHROME2", big_endian=order == "big")
    found = opened(made).frames
    for number, frame in enumerate(frames):
        assert np.array_equal(found.stored(number), frame)
        assert packed(found, found.stored(number)) == found.encoded(number)


def test_planes_that_are_apart(opened: Callable[..., Any], drawing: Any) -> None:
    frame = values("u1", 80, 90, 3)
    made = drawing.dataset(frame[None], "RGB", PlanarConfiguration=1, PixelData=frame.transpose(2, 0, 1).tobytes())
    found = opened(made).frames
    assert np.array_equal(found.stored(0), frame)
    assert packed(found, frame) == found.encoded(0)


def test_two_pixels_that_share_their_colour(opened: Callable[..., Any], drawing: Any) -> None:
    encoded = values("u1", 80 * 90 * 2).tobytes()
    made = drawing.dataset(values("u1", 1, 80, 90, 3), "YBR_FULL_422", PixelData=encoded)
    found = opened(made).frames
    frame = found.stored(0)
    assert frame[0, 0].tolist() == [encoded[0], encoded[2], encoded[3]]
    assert frame[0, 1].tolist() == [encoded[1], encoded[2], encoded[3]]
    assert packed(found, frame) == encoded


@pytest.mark.parametrize("vr", ["OW", "OB"])
def test_bytes_in_words_of_big_endian(
    vr: str,
    opened: Callable[..., Any],
    drawing: Any,
) -> None:
    frame = values("u1", 1, 130, 131)
    made = drawing.dataset(frame, big_endian=True)
    padded = frame.tobytes()
    made[0x7FE00010].VR = vr
    found = opened(made).frames
    expected = np.frombuffer(padded, "u2").byteswap().tobytes() if vr == "OW" else padded
    assert found.stored(0).tobytes() == expected
    assert packed(found, found.stored(0)) == padded


def test_an_image_so_small_that_it_is_read_with_the_header(opened: Callable[..., Any], drawing: Any) -> None:
    frames = values("u2", 3, 8, 9)
    found = opened(drawing.dataset(frames)).frames
    assert [found.stored(number).tolist() for number in range(3)] == frames.tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"Rows": 900},
        {"NumberOfFrames": 3},
        {"NumberOfFrames": 0},
        {"Rows": 100},
        {"NumberOfFrames": 2_000_000},
        {"Rows": 65535, "NumberOfFrames": 10**6},
        {"BitsStored": 12, "BitsAllocated": 8},
        {"BitsAllocated": 1, "BitsStored": 2},
        {"BitsAllocated": 4, "BitsStored": 4},
        {"SamplesPerPixel": 2},
        {"Columns": 0},
    ],
)
def test_a_description_that_cannot_be_relied_on_is_refused(
    change: dict[str, Any], opened: Callable[..., Any], drawing: Any
) -> None:
    made = drawing.dataset(values("u1", 1, 200, 200))
    for keyword, value in change.items():
        setattr(made, keyword, value)
    with pytest.raises(Rejected):
        _ = opened(made).frames


def test_zeros_behind_the_last_frame_are_no_frame(opened: Callable[..., Any], drawing: Any) -> None:
    frame = values("u1", 1, 200, 200)
    made = drawing.dataset(frame, PixelData=frame.tobytes() + b"\0" * 500)
    assert np.array_equal(opened(made).frames.stored(0), frame[0])
    made.PixelData = frame.tobytes() + b"\0" * 499 + b"\1"
    with pytest.raises(Rejected, match="more pixel data"):
        _ = opened(made).frames


def test_pixel_data_that_should_be_encapsulated_are_refused(opened: Callable[..., Any], drawing: Any) -> None:
    made = drawing.dataset(values("u1", 1, 200, 200))
    path = opened(made).path
    content = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    path.write_bytes(content)
    with pytest.raises(Rejected, match="not encapsulated"):
        _ = opened(path).frames
