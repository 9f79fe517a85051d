"""Frames that share bytes or words with each other: bits, and odd numbers of bytes in words of big endian."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.pixels.utils import pack_bits, pixel_array

from deid.errors import Rejected
from deid.pixels.image import Image
from deid.pixels.native import Cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from deid.model import Result

    Run = Callable[[Dataset], tuple[Result, Dataset]]

CHANCE = np.random.default_rng(11)


def cells(rows: int, columns: int, allocated: int, *, swapped: bool) -> Cells:
    image = Image(rows, columns, 1, "MONOCHROME2", planar=False, allocated=allocated, stored=allocated,
                  high_bit=allocated - 1, signed=False, frames=5)  # fmt: skip
    return Cells(image, big_endian=swapped, words=swapped)


def frames_of(number: int, rows: int, columns: int, allocated: int) -> NDArray[np.uint8]:
    return CHANCE.integers(0, 1 << allocated, (number, rows, columns), np.uint8)


def in_bytes(frames: NDArray[np.uint8], allocated: int, *, swapped: bool) -> bytes:
    """PS3.5 8.1.1, 7.3: the first pixel is the lowest bit, and in words of big endian the second byte."""
    content = frames.tobytes()
    if allocated == 1:
        bits = [*content, *[0] * (-len(content) % 8)]
        content = bytes(int("".join(map(str, bits[at : at + 8][::-1])), 2) for at in range(0, len(bits), 8))
    if swapped:
        content += b"\0" * (len(content) % 2)
        content = bytes(each for at in range(0, len(content), 2) for each in (content[at + 1], content[at]))
    return content


@pytest.mark.parametrize(("rows", "columns"), [(8, 16), (3, 3), (5, 7), (4, 2), (1, 1), (31, 33)])
@pytest.mark.parametrize(("allocated", "swapped"), list(product((1, 8), (False, True))))
def test_out_of_shared_bytes_and_back(rows: int, columns: int, allocated: int, swapped: bool) -> None:  # noqa: FBT001
    frames, described = frames_of(5, rows, columns, allocated), cells(rows, columns, allocated, swapped=swapped)
    content = in_bytes(frames, allocated, swapped=swapped)
    for number, frame in enumerate(frames):
        first, after = described.place_of(number)
        assert np.array_equal(described.unpack(content[first:after], number), frame)
    assert after == len(content)
    assert b"".join(described.packed(frames)) == content
    assert described.shared == (rows * columns * allocated % (16 if swapped else 8) > 0)


def test_too_few_bytes_are_refused() -> None:
    for allocated, swapped in product((1, 8), (False, True)):
        described = cells(3, 3, allocated, swapped=swapped)
        with pytest.raises(Rejected, match="shorter"):
            described.unpack(b"", 1)


def written_on(drawing: Any, number: int) -> NDArray[np.uint8]:
    """Pages of odd size, with ink where something stands."""
    pages = np.zeros((number, 241, 323), np.uint8)
    for page in range(number):
        pages[page] = drawing.ink(at=(12, 30 + 40 * page), rows=241, columns=323)
    return pages


def masks_of(result: Result, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    assert result.pixels is not None
    masks = np.zeros(shape, np.bool_)
    for masked in result.pixels.masked:
        for x, y, width, height in masked.boxes:
            masks[masked.first : masked.after, y : y + height, x : x + width] = True
    return masks


def judge(before: NDArray[Any], after: NDArray[Any], result: Result, written: NDArray[np.bool_]) -> None:
    masks = masks_of(result, before.shape)
    assert masks[written].mean() > 0.99
    assert masks.mean() < 0.2
    assert np.array_equal(before[~masks], after[~masks])
    assert len(np.unique(after[masks & written])) == 1


def test_bits(run: Run, drawing: Any) -> None:
    pages = written_on(drawing, 3)
    pages[1] = 0
    made = drawing.dataset(pages, sop_class="1.2.840.10008.5.1.4.1.1.7.1", BitsStored=1, BitsAllocated=1)
    made.PixelData = pack_bits(pages)
    result, published = run(made)
    assert [masked.first for masked in (result.pixels.masked if result.pixels else ())] == [0, 2]
    judge(pixel_array(made), pixel_array(published), result, pages > 0)
    assert published.BurnedInAnnotation == "NO"


def test_bits_that_nothing_is_written_in_keep_their_bytes(run: Run, drawing: Any) -> None:
    pages = np.zeros((2, 241, 323), np.uint8)
    pages[:, 100:200, 50:200] = 1
    made = drawing.dataset(pages, sop_class="1.2.840.10008.5.1.4.1.1.7.1", BitsStored=1, BitsAllocated=1)
    made.PixelData = pack_bits(pages)
    result, published = run(made)
    assert result.pixels is not None
    assert (result.pixels.searched, result.pixels.masked) == (True, ())
    assert published.PixelData == made.PixelData


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("vr", ["OW", "OB"])
def test_odd_frames_of_big_endian(vr: str, number: int, run: Run, drawing: Any) -> None:
    pages = written_on(drawing, number) * 200
    pages[-1] = pages[-1] if number == 1 else 0
    made = drawing.dataset(pages, big_endian=True)
    made.PixelData = in_bytes(pages, 8, swapped=vr == "OW") + b"\0" * (vr == "OB")
    made["PixelData"].VR = vr
    result, published = run(made)
    found = np.frombuffer(published.PixelData, np.uint8)
    plain = in_bytes(found, 8, swapped=True) if vr == "OW" else found.tobytes()
    after = np.frombuffer(plain[: pages.size], np.uint8).reshape(pages.shape)
    judge(pages, after, result, pages > 0)


def test_the_byte_that_makes_a_length_even_may_have_any_value(run: Run, drawing: Any) -> None:
    pages = written_on(drawing, 1) * 200
    made = drawing.dataset(pages)
    made.PixelData = pages.tobytes() + b" "
    result, published = run(made)
    assert result.pixels is not None
    assert result.pixels.masked
    assert published.PixelData[-1:] == b" "
