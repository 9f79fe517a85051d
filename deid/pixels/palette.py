"""The colours of PALETTE COLOR images (PS3.3 C.7.6.3.1.5): to look at, and to find the darkest of them."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from deid.errors import Rejected
from deid.pixels.codecs import quiet
from deid.pixels.tables import refuse_uncounted_tables

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

_TABLES: Final = frozenset(
    {0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222, 0x00281223}
)
_LARGEST_TABLE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Palette:
    """What colour each stored value stands for."""

    tables: Dataset

    def colours(self, frame: Frame) -> NDArray[np.uint8]:
        """Rows x columns x 3. Raises Rejected where the tables cannot be applied."""
        with quiet() as pydicom:
            try:
                coloured = pydicom.pixels.apply_color_lut(frame, self.tables)[..., :3]
            except Exception as error:  # noqa: BLE001 - its text may quote values
                raise Rejected(f"the palette cannot be applied ({type(error).__name__})") from None
        if coloured.dtype != np.uint8:
            # PS3.3 C.7.6.3.1.6: entries of 16 bits may hold values of 8.
            coloured = (coloured >> max(0, int(coloured.max()).bit_length() - 8)).astype(np.uint8)
        return np.ascontiguousarray(coloured)

    def hides(self, frame: Frame) -> bool:
        """Whether values that differ are shown in one colour: something may be written in them all the same."""
        values = np.unique(frame)
        return len(np.unique(self.colours(values[None])[0], axis=0)) < len(values)

    def darkest(self, frame: Frame) -> int:
        """The stored value of the darkest pixel of a frame."""
        brightness = self.colours(frame).sum(axis=2)
        return int(frame.flat[int(brightness.argmin())])


def palette_of(source: Source, layout: Outline, image: Image) -> Palette | None:
    """The palette of an image that has one; the tables of supplemental palettes are no part of the picture.

    Raises Rejected where it is not what its descriptors say, or cannot be read.
    """
    if image.photometric != "PALETTE COLOR":
        return None
    refuse_uncounted_tables(replace(layout, places=[p for p in layout.places if p.tag in _TABLES]), source)
    encoding = layout.encoding
    elements = b""
    for place in layout.places:
        if place.tag in _TABLES:
            elements += layout.buffer[place.start : place.end]
            span = layout.spans.get(place.start)
            if span is not None:
                if span.length > _LARGEST_TABLE:
                    raise Rejected("the palette is larger than any that can be applied")
                elements += source.read(span.offset, span.length)
    with quiet() as pydicom:
        try:
            tables = pydicom.filereader.read_dataset(
                io.BytesIO(elements), not encoding.explicit, not encoding.big_endian
            )
        except Exception as error:  # noqa: BLE001 - its text may quote values
            raise Rejected(f"the palette cannot be read ({type(error).__name__})") from None
    return Palette(tables)
