"""Bits of pixel cells that are no part of the stored values (PS3.5 8.1.1): overlays stood there once, or noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image


def stored_bits(frame: Frame, image: Image) -> Frame:
    """Only the stored bits of each cell, with their sign, as viewers show them.

    All bits where it is not certain which are stored: many objects state a wrong High Bit.
    """
    unused = frame.dtype.itemsize * 8 - image.stored
    if unused <= 0 or image.high_bit != image.stored - 1:
        return frame
    return np.asarray((frame << unused) >> unused, frame.dtype)


def unused_bits(frame: Frame, image: Image) -> Frame | None:
    """The other bits, rows x columns; None where they are 0, or continue the sign as they should, in all pixels."""
    parts = [bits for bits in (_above(frame, image), _below(frame, image)) if bits is not None]
    if not parts:
        return None
    said = np.bitwise_or.reduce(parts)
    found = np.bitwise_or.reduce(said, axis=2) if said.ndim > 2 else said
    return found if found.any() else None


def _above(frame: Frame, image: Image) -> Frame | None:
    if image.stored >= frame.dtype.itemsize * 8:
        return None
    lowest = -(1 << (image.stored - 1)) if image.signed else 0
    if int(frame.max()) < 1 << image.stored and int(frame.min()) >= lowest:
        return None
    bits = frame ^ stored_bits(frame, image)
    bits[frame == frame & ((1 << image.stored) - 1)] = 0
    return np.asarray(bits.view(f"u{frame.dtype.itemsize}") >> image.stored)


def _below(frame: Frame, image: Image) -> Frame | None:
    """Stored values that end at a high High Bit leave room below them."""
    unused = min(image.high_bit, frame.dtype.itemsize * 8 - 1) + 1 - image.stored
    return frame.view(f"u{frame.dtype.itemsize}") & ((1 << unused) - 1) if unused > 0 else None
