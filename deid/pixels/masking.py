"""Pixel Data of a published object: made frame by frame while they are written, and recognised when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from deid.errors import Rejected
from deid.part10.place import Fresh, Span
from deid.pixels import codecs, jpeg
from deid.pixels.fragments import encapsulated
from deid.pixels.mask import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from deid.part10.target import Piece
    from deid.pixels.detector import Mask
    from deid.pixels.frames import Frame, Frames
    from deid.pixels.image import Image
    from deid.pixels.search import Scene


@dataclass(frozen=True, slots=True)
class Masking:
    """The frames of the original and what is masked in them; makes the published ones, and recognises them."""

    frames: Frames
    scenes: tuple[Scene, ...]
    fill: NDArray[np.generic]
    transfer_syntax: str  # of the published object

    def touches(self, scene: Scene) -> bool:
        """Whether the frames of a scene are published otherwise than they are."""
        return self.frames.overlaid or bool(scene.mask.any())

    def leaves_all(self) -> bool:
        """Whether Pixel Data can stay as they are: nothing is masked, and no frame carries comments."""
        if any(map(self.touches, self.scenes)):
            return False
        if not self.frames.encapsulated:
            return True
        if not self.frames.sound_table:
            return False
        encoded = map(self.frames.encoded, range(self.frames.image.frames))
        return all(self.frames.bare(content) is content for content in encoded)

    def frame(self, number: int, scene: Scene) -> Frame:
        """A frame as it is published."""
        return filled(self.frames.stored(number), scene.mask, self.fill)

    def native(self, header: bytes) -> list[Piece]:
        """Pixel Data that are not compressed: masked frames are made anew, the others stay in the file."""
        cells, done = self.frames.cells, 0
        pieces: list[Piece] = [header]
        for group in [self.scenes] if cells.shared else [(scene,) for scene in self.scenes]:
            _, after = cells.place_of(group[-1].after - 1)
            if any(map(self.touches, group)):
                pieces.append(Fresh(partial(self._packed, group), after - done))
            else:
                pieces.append(self._as_it_was(done, after))
            done = after
        return [*pieces, self._as_it_was(done, self.frames.length)]

    def _as_it_was(self, first: int, after: int) -> Piece:
        if self.frames.value:
            return self.frames.value[first:after]
        return Span(self.frames.offset + first, after - first)

    def _packed(self, group: Sequence[Scene]) -> Iterator[bytes]:
        return self.frames.cells.packed(
            self.frame(number, scene) for scene in group for number in range(scene.first, scene.after)
        )

    def encapsulated(self, after: Image) -> list[Piece]:
        """Pixel Data that are compressed, frame by frame."""
        return encapsulated(partial(self._encoded, after))

    def _encoded(self, after: Image) -> Iterator[bytes]:
        for scene in self.scenes:
            blocks = self._blocks(scene)
            for number in range(scene.first, scene.after):
                yield self._content(number, scene, blocks, after)

    def _blocks(self, scene: Scene) -> list[Mask]:
        """What is masked of each component, in blocks, where frames are masked as they are coded."""
        return self.frames.coding.touched(scene.mask) if self.frames.coding else []

    def _content(self, number: int, scene: Scene, blocks: list[Mask], after: Image) -> bytes:
        """The bytes of a compressed frame as it is published."""
        if self.frames.coding and self.touches(scene):
            return jpeg.masked(self.frames.encoded(number), self.frames.coding, blocks, self.fill)
        if self.touches(scene) or self.transfer_syntax != self.frames.transfer_syntax:
            return codecs.encode(self.frame(number, scene), after, self.transfer_syntax)
        return self.frames.bare(self.frames.encoded(number))

    def verify(self, written: Frames) -> None:
        """Raises Rejected unless each written frame is what it should be, bit for bit."""
        if written.image.frames != self.frames.image.frames or written.image.shape != self.frames.image.shape:
            raise Rejected("the written pixel data are not those that should be written")
        for scene in self.scenes:
            blocks = self._blocks(scene)
            for number in range(scene.first, scene.after):
                if not self._is_right(written, number, scene, blocks):
                    raise Rejected("a written frame is not what it should be")

    def _is_right(self, written: Frames, number: int, scene: Scene, blocks: list[Mask]) -> bool:
        before, after = self.frames.encoded(number), written.encoded(number)
        if after == before + b"\0" * (len(before) % 2) and not self.touches(scene):
            return True
        if self.frames.coding:
            return jpeg.is_masked(after, before, self.frames.coding, blocks, self.fill)
        return np.array_equal(written.stored(number), self.frame(number, scene))
