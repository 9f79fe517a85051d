"""What the stored values of an object's pixel data mean, and how large they are (PS3.3 C.7.6.3, Image Pixel Module)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected

if TYPE_CHECKING:
    from deid.part10.outline import Outline

PIXEL_DATA: Final = 0x7FE00010
SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, HIGH_BIT, SIGNED = (
    0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
)  # fmt: skip
LARGEST_FRAME: Final = 512 << 20
"""Bytes of one decoded frame; more is held, because several of them stand in memory at a time."""
MOST_FRAMES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Image:
    """The Image Pixel Module of one object, checked: all numbers are positive and fit together."""

    rows: int
    columns: int
    samples: int  # per pixel: 1 or 3
    photometric: str
    planar: bool  # all of red, then all of green, then all of blue
    allocated: int  # bits: 1, 8, 16 or 32
    stored: int
    high_bit: int
    signed: bool
    frames: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one decoded frame: (rows, columns), or (rows, columns, 3)."""
        return (self.rows, self.columns, self.samples)[: 2 + (self.samples > 1)]

    @property
    def frame_bits(self) -> int:
        """Of one frame that is not compressed; 4:2:2 has two values for each pixel (PS3.3 C.7.6.3.1.2)."""
        per_pixel = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * per_pixel * self.allocated


def image_of(layout: Outline) -> Image:
    """The image that an object describes. Raises Rejected where the description cannot be relied on."""

    def number(tag: int, default: int | None = None) -> int:
        value = layout.value(tag)
        if not value and default is not None:
            return default
        if not value or len(value) != 2:
            raise Rejected("the pixel data are not described completely, so nobody can look at them")
        return int.from_bytes(value, "big" if layout.encoding.big_endian else "little")

    frames = layout.text(FRAMES) or "1"
    if not frames.isdigit() or not 0 < int(frames) <= MOST_FRAMES:
        raise Rejected("the number of frames is not one that can be looked at")
    allocated = number(ALLOCATED)
    found = Image(
        rows=number(ROWS),
        columns=number(COLUMNS),
        samples=number(SAMPLES, 1),
        photometric=layout.text(PHOTOMETRIC),
        planar=number(PLANAR, 0) == 1,
        allocated=allocated,
        stored=number(STORED, allocated),
        high_bit=number(HIGH_BIT, number(STORED, allocated) - 1),
        signed=number(SIGNED, 0) == 1,
        frames=int(frames),
    )
    if not (found.rows and found.columns and found.samples in (1, 3) and found.allocated in (1, 8, 16, 32)):
        raise Rejected("the pixel data have a form that cannot be looked at")
    if found.allocated == 1 and found.samples > 1:
        raise Rejected("pixels of three bits have a form that cannot be looked at")
    if not 0 < found.stored <= found.allocated:
        raise Rejected("the pixel data say that more bits are stored than allocated")
    if found.rows * found.columns * found.samples * max(1, found.allocated // 8) > LARGEST_FRAME:
        raise Rejected(f"a frame takes more than {LARGEST_FRAME >> 20} MB")
    return found
