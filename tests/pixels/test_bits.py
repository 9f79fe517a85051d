"""Which bits of a pixel cell are shown, and what the others say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deid.pixels.bits import stored_bits, unused_bits
from deid.pixels.image import Image


def image(allocated: int = 16, stored: int = 12, **more: Any) -> Image:
    described: dict[str, Any] = {"high_bit": stored - 1, "signed": False, "samples": 1, "frames": 1} | more
    return Image(rows=1, columns=4, photometric="MONOCHROME2", planar=False, allocated=allocated, stored=stored,
                 **described)  # fmt: skip


def values(*numbers: int, kind: str = "u2") -> Any:
    return np.array([numbers]).astype(kind)


@pytest.mark.parametrize(
    ("frame", "described", "shown", "others"),
    [
        (values(0, 4095, 7, 8), image(), [0, 4095, 7, 8], None),
        (values(0, 4096, 0xF007, 8), image(), [0, 0, 7, 8], [0, 1, 15, 0]),
        (values(-2048, 2047, -1, 8, kind="i2"), image(signed=True), [-2048, 2047, -1, 8], None),
        (values(2048, 4095, 1, 8, kind="i2"), image(signed=True), [-2048, -1, 1, 8], None),  # zeros above the sign
        (values(-2048, 4095, 1, 8, kind="i2"), image(signed=True), [-2048, -1, 1, 8], None),
        (values(0x1001, -4096, 1, -1, kind="i2"), image(signed=True), [1, 0, 1, -1], [1, 15, 0, 0]),
        (values(0, 65535, 4096, 8), image(stored=16), [0, 65535, 4096, 8], None),
        (values(0, 255, 64, 8, kind="u1"), image(8, 6), [0, 63, 0, 8], [0, 3, 1, 0]),
        (values(0, 255, 64, 8, kind="u1"), image(16, 8), [0, 255, 64, 8], None),  # a decoder's smaller cells
    ],
)
def test_bits(frame: Any, described: Image, shown: list[int], others: list[int] | None) -> None:
    before = frame.copy()
    assert stored_bits(frame, described).tolist() == [shown]
    assert stored_bits(frame, described).dtype == frame.dtype
    found = unused_bits(frame, described)
    assert (None if found is None else found.tolist()) == (None if others is None else [others])
    assert np.array_equal(frame, before)


def test_where_high_bit_is_wrong_all_bits_are_shown() -> None:
    frame = values(0, 4096, 65535, 8)
    described = image(high_bit=15)
    assert stored_bits(frame, described) is frame
    found = unused_bits(frame, described)
    assert found is not None
    assert found.tolist() == [[0, 0, 15, 8]]  # below the stored ones, if it is right


def test_what_any_colour_says_counts() -> None:
    frame = np.array([[[0, 0, 0], [256, 512, 0], [0, 0, 7], [0, 1, 0]]], np.uint16)
    found = unused_bits(frame, image(stored=8, samples=3))
    assert found is not None
    assert found.tolist() == [[0, 3, 0, 0]]
