"""Uncompressed pixel data (PS3.5 8.1.1, 8.2): frames out of bytes, and back, whatever bytes they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.pixels.frames import Frame
    from deid.pixels.image import Image


@dataclass(frozen=True, slots=True)
class Cells:
    """How pixel cells stand in a value. Frames follow each other without a gap, even within a byte or word."""

    image: Image
    big_endian: bool
    words: bool  # VR OW

    @property
    def swapped(self) -> bool:
        """Whether bytes stand in words of the other byte order (PS3.5 7.3)."""
        return self.big_endian and self.words and self.image.allocated <= 8

    @property
    def shared(self) -> bool:
        """Whether frames share a byte, or a word whose bytes are swapped."""
        return self.image.frame_bits % (16 if self.swapped else 8) > 0

    def place_of(self, number: int) -> tuple[int, int]:
        """Where the bytes that hold a frame begin and end in the value; whole words where bytes are swapped."""
        first, after = self._bytes_of(number)
        return (first & ~1, after + (after & 1)) if self.swapped else (first, after)

    def _bytes_of(self, number: int) -> tuple[int, int]:
        size = self.image.frame_bits
        return number * size // 8, -(-(number + 1) * size // 8)

    def unpack(self, content: bytes, number: int) -> Frame:
        """The stored values of a frame, from the bytes at its place. Raises Rejected where these are too few."""
        image, (first, after) = self.image, self._bytes_of(number)
        if self.swapped:
            content = _swapped(content)[first % 2 :]
        content = content[: after - first]
        if len(content) != after - first:
            raise Rejected("the pixel data are shorter than their description")
        if image.allocated == 1:
            bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
            return bits[number * image.frame_bits % 8 :][: image.frame_bits].reshape(image.shape)
        kind = f"{self._order}{'i' if image.signed else 'u'}{image.allocated // 8}"
        values = np.frombuffer(content, kind).astype(kind[1:])
        if image.photometric == "YBR_FULL_422":
            groups = values.reshape(-1, 4)
            return groups[:, (0, 2, 3, 1, 2, 3)].reshape(image.shape)
        if image.planar and image.samples > 1:
            return np.ascontiguousarray(values.reshape(image.samples, image.rows, image.columns).transpose(1, 2, 0))
        return values.reshape(image.shape)

    def packed(self, frames: Iterable[Frame]) -> Iterator[bytes]:
        """The bytes of consecutive frames, of which the first shares none with a frame before it."""
        parts = self._bits_of(frames) if self.image.allocated == 1 else map(self._pack, frames)
        if not self.swapped:
            yield from parts
            return
        rest = b""
        for part in parts:
            content = rest + part
            even = len(content) & ~1
            yield _swapped(content[:even])
            rest = content[even:]
        yield _swapped(rest + b"\0" * len(rest))

    @property
    def _order(self) -> Literal["<", ">"]:
        return ">" if self.big_endian else "<"

    def _pack(self, frame: Frame) -> bytes:
        image = self.image
        if image.photometric == "YBR_FULL_422":
            pairs = frame.reshape(-1, 2, 3)
            packed = np.stack((pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]), axis=1)
        else:
            packed = frame.transpose(2, 0, 1) if image.planar and image.samples > 1 else frame
        return packed.astype(frame.dtype.newbyteorder(self._order)).tobytes()

    @staticmethod
    def _bits_of(frames: Iterable[Frame]) -> Iterator[bytes]:
        rest = np.zeros(0, np.uint8)
        for frame in frames:
            bits = np.concatenate((rest, frame.ravel()))
            whole = len(bits) & ~7
            yield np.packbits(bits[:whole], bitorder="little").tobytes()
            rest = bits[whole:]
        yield np.packbits(rest, bitorder="little").tobytes()


def _swapped(content: bytes) -> bytes:
    """Pairs of bytes the other way round."""
    return np.frombuffer(content, "u2").byteswap().tobytes()
