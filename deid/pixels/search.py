"""Search all frames of an object for text, and find for each frame what has to be masked.

Frames that show one scene are searched together: text that stays is in the smallest or in the largest value of each
pixel over time, clearer than in any single frame, and text of a single frame is in one of the two as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels import detector
from deid.pixels.flashes import Flashes, named
from deid.pixels.found import Found, How, Views, quickly
from deid.pixels.mask import boxes_of, in_cells
from deid.pixels.views import pictures, seen, unseen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.pixels.detector import Mask
    from deid.pixels.engine import TextMask
    from deid.pixels.found import Spare
    from deid.pixels.frames import Frame, Frames
    from deid.pixels.palette import Palette

_FEW: Final = 8  # frames: each of them is searched, for these are pages rather than time
_MOST_SCENES: Final = 1000
_PAGES: Final = 1 / 4  # of the frames: where text stands in more of them alone, these are pages as well
_NEW_SCENE: Final = 0.25  # of the blocks differ from the frame before
_DIFFERS: Final = 1 / 8  # of the range of values
_STILL: Final = 1 / 32  # of the range of values, by which compression lets a pixel vary
_ROUNDS: Final = 5  # until one of them finds nothing
_BLOCK: Final = 8  # pixels


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames `first` to `after` (exclusive), and what is masked in every one of them."""

    first: int
    after: int
    mask: Mask
    views: int  # pictures that were searched
    kept: int = 0  # lines of technical text that were found and stay


@dataclass(slots=True)
class _Seen:
    """What is remembered of the frames of one scene while they pass."""

    first: int
    darkest: Frame
    brightest: Frame
    last: Frame
    flashes: Flashes
    unused: list[Frame] = field(default_factory=list)  # bits that are not shown: of one frame, and of all together

    def add(self, number: int, frame: Frame, unused: Frame | None) -> None:
        """The next frame."""
        self.add_unused(unused)
        self.darkest = np.minimum(self.darkest, frame)
        self.brightest = np.maximum(self.brightest, frame)
        self.last = frame
        self.flashes.add(number, frame)

    def add_unused(self, bits: Frame | None) -> None:
        """Remember what a frame says in bits that are not shown, where text may stand as well."""
        if bits is not None:
            self.unused = [self.unused[0], self.unused[1] | bits] if self.unused else [bits, bits]

    def bounds(self) -> list[Frame]:
        """Between these every frame lies, pixel by pixel; and the bits that are not shown."""
        return _different([self.darkest, self.brightest, *self.unused])

    def singles(self) -> list[Frame]:
        """What is shown in single frames, where the scene has more of them than one."""
        if np.array_equal(self.darkest, self.brightest):
            return []
        return [self.last, *(flash.picture for flash in self.flashes.found)]


def scenes(
    frames: Frames,
    palette: Palette | None,
    text_mask: TextMask | None = None,
    spare: Spare | None = None,
    *,
    gated: bool = False,
) -> Iterator[Scene]:
    """All scenes of an object in their order. Raises Rejected where a frame cannot be decoded or text stays.

    With `gated`, only scenes are searched in which a glance shows something like text, or a code. `text_mask` is the
    engine's; `spare` says what of a mask need not be masked.
    """

    def shown(number: int) -> tuple[Frame, Frame | None]:
        stored = frames.stored(number)
        return seen(stored, frames.image, palette), unseen(stored, frames.image, palette)

    how = How(text_mask or detector.text_mask, spare, frames.cell, gated, shown)
    current: _Seen | None = None
    begun = 0
    coarse = before = np.zeros(0)
    for number in range(frames.image.frames):
        frame, unused = shown(number)
        before, coarse = coarse, _coarse(frame)
        if current is not None and (frames.image.frames <= _FEW or _changed(before, coarse)):
            yield from _searched(current, number, how)
            current = None
        if current is not None:
            current.add(number, frame, unused)
            continue
        begun += 1
        if begun > _MOST_SCENES:
            raise Rejected(f"the frames show more than {_MOST_SCENES} scenes, too many to search each of them")
        current = _begun(how, number, frame, unused)
    if current is not None:
        yield from _searched(current, frames.image.frames, how)


def whole(frames: Frames) -> Scene:
    """All of every frame, without a search."""
    return Scene(0, frames.image.frames, np.ones(frames.image.shape[:2], np.bool_), 0)


def unsearched(frames: Frames) -> Scene:
    """All frames, with nothing masked in any of them."""
    return Scene(0, frames.image.frames, np.zeros(frames.image.shape[:2], np.bool_), 0)


def _changed(one: Frame, other: Frame) -> bool:
    """Whether two coarse frames show different things."""
    reach = max(1.0, float(max(one.max(), other.max()) - min(one.min(), other.min())))
    return bool((np.abs(one - other) > reach * _DIFFERS).mean() > _NEW_SCENE)


def _coarse(frame: Frame) -> Frame:
    """The frame in blocks: noise changes from frame to frame without being another scene."""
    rows, columns = frame.shape[:2]
    size = max(1, columns // _BLOCK), max(1, rows // _BLOCK)
    fine = frame if frame.dtype == np.uint8 else frame.astype(np.float32)
    return np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), np.float32)


def _glance(frame: Frame, find: TextMask) -> bool:
    """Whether a small picture shows something like text, or there is a code."""
    return bool(quickly(frame, find).any())


def _begun(how: How, number: int, frame: Frame, unused: Frame | None) -> _Seen:
    """A scene that begins with a frame."""
    scene = _Seen(number, frame, frame, frame, Flashes(number, frame, partial(quickly, find=how.find)))
    scene.add_unused(unused)
    return scene


def _searched(scene: _Seen, after: int, how: How) -> Iterator[Scene]:
    """What is found in a scene: one for all of its frames, or one for each where they turn out to be pages."""
    overflow = scene.flashes.overflow
    scene.flashes.end()
    bounds, singles = scene.bounds(), scene.singles()
    nothing: Mask = np.zeros(scene.last.shape[:2], np.bool_)
    if how.gated and not overflow.glimpses and not any(_glance(view, how.find) for view in (*bounds, *singles)):
        yield Scene(scene.first, after, nothing, 0)
        return
    found = Found(how, nothing, nothing, nothing.copy(), overflow.looks)
    new = found.look(bounds)
    if how.spare:
        shown = [picture for view in (*bounds, *singles) for picture in pictures(view)]
        found.kept = how.spare(new, found.codes | _moving(scene), shown)
        del shown
    found.add(new & ~found.kept)
    if singles:
        found.close()
    numbers = _alone(scene, after, found) if singles else []
    moves = bool(singles)
    singles.clear()  # their frames are known by number now, and these pictures take much memory
    scene.flashes.found.clear()
    count = after - scene.first
    if len(numbers) > max(_FEW, _PAGES * count) and count <= _MOST_SCENES:
        darkest, brightest = (found.look([bound], masked=False) for bound in (scene.darkest, scene.brightest))
        stays = in_cells(darkest & brightest & ~found.kept, how.cell)  # and may be too faint in a single frame
        for number in range(scene.first, after):
            page = _begun(how, number, *how.shown(number))
            for each in _searched(page, number + 1, replace(how, gated=False)):
                yield replace(each, mask=each.mask | stays)
        return
    found.add(found.look(Views([], numbers, how.shown), masked=False) & ~found.kept)
    if found.mask.any():
        _prove(found, Views(bounds, numbers, how.shown), quick=moves)
    yield Scene(scene.first, after, found.mask, found.pictures, len(boxes_of(found.kept)))


def _alone(scene: _Seen, after: int, found: Found) -> list[int]:
    """Frames in which something stands that was seen in the bounds in part, or not at all.

    Text of one frame is in the first picture of single ones, unless something stands there in several of them. So that
    one is searched as the bounds are, and the others where a quick look shows anything.
    """
    overflow = scene.flashes.overflow
    if overflow.endless:
        return list(range(scene.first, after))
    first, *others = scene.flashes.found
    numbers = first.frames(found.uncovered(first.picture))
    if found.promises(scene.last) and found.uncovered(scene.last).any():
        numbers.add(after - 1)
    for flash in others:
        if found.promises(flash.picture):
            numbers |= flash.frames(found.uncovered(flash.picture))
    for glimpse in overflow.glimpses:
        numbers |= named(glimpse.numbers, found.open(glimpse.mask))
    return sorted(numbers)


def _prove(found: Found, views: Views, *, quick: bool) -> None:
    """Search again what was masked, until nothing is found any more. Raises Rejected where there is no end."""
    for _ in range(_ROUNDS):
        found.codes = np.zeros_like(found.mask)
        new = found.look(views, sure=True, quick=quick)
        new = found.shown(new, views, quick=quick) if new.any() else new
        if not new.any():
            return
        found.add(new)
    raise Rejected("text is still found after it was masked")


def _different(frames: Sequence[Frame]) -> list[Frame]:
    found: list[Frame] = []
    for frame in frames:
        if not any(np.array_equal(frame, other) for other in found):
            found.append(frame)
    return found


def _moving(scene: _Seen) -> Mask:
    """Where the frames of a scene differ: what is written there need not be the same in all of them."""
    darkest, brightest = (frame.astype(np.float32) for frame in (scene.darkest, scene.brightest))
    moves = brightest - darkest > (float(brightest.max()) - float(darkest.min())) * _STILL
    return np.asarray(moves.any(axis=2) if moves.ndim > 2 else moves, np.bool_)
