"""Search all frames of an object for text, and find for each frame what has to be masked.

Frames that show one scene are searched together: text that stays is in the smallest or in the largest value of each
pixel over time, clearer than in any single frame, and text of a single frame is in one of the two as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from deid.errors import Rejected
from deid.pixels import codes, detector
from deid.pixels.areas import apart, areas, beside
from deid.pixels.flashes import Flashes
from deid.pixels.mask import boxes_of, filled, in_cells
from deid.pixels.remembered import mask_of
from deid.pixels.views import pictures, seen, unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.detector import Mask, Picture
    from deid.pixels.engine import TextMask
    from deid.pixels.frames import Frame, Frames
    from deid.pixels.palette import Palette

_FEW: Final = 8  # frames: each of them is searched, for these are pages rather than time
_MOST_SCENES: Final = 1000
_NEW_SCENE: Final = 0.25  # of the blocks differ from the frame before
_DIFFERS: Final = 1 / 8  # of the range of values
_STILL: Final = 1 / 32  # of the range of values, by which compression lets a pixel vary
_ROUNDS: Final = 5  # until one of them finds nothing
_FAINT: Final = 0.3  # of an area: the network marks text shrunk
_BLOCK: Final = 8  # pixels


class Spare(Protocol):
    """What of a mask need not be masked."""

    def __call__(self, marked: Mask, doubtful: Mask, pictures: Sequence[Picture], /) -> Mask:
        """Whole connected areas of `marked` that touch nothing doubtful and say nothing in any of the pictures."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames `first` to `after` (exclusive), and what is masked in every one of them."""

    first: int
    after: int
    mask: Mask
    views: int  # pictures that were searched
    kept: int = 0  # lines of technical text that were found and stay


@dataclass(frozen=True, slots=True)
class _How:
    """How the scenes of one object are searched."""

    find: TextMask
    spare: Spare | None
    cell: tuple[int, int]  # columns and rows that can only be masked together
    gated: bool
    shown: Callable[[int], Frame]  # each frame by its number


@dataclass(slots=True)
class _Seen:
    """What is remembered of the frames of one scene while they pass."""

    first: int
    darkest: Frame
    brightest: Frame
    last: Frame
    flashes: Flashes
    unused: list[Frame] = field(default_factory=list)  # bits that are not shown: of one frame, and of all together

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


@dataclass(slots=True)
class _Found:
    """What has been found in one scene so far."""

    how: _How
    mask: Mask
    kept: Mask
    codes: Mask
    pictures: int = 0  # that were searched

    def look(
        self,
        views: Sequence[Frame],
        *,
        masked: bool = True,
        sure: bool = False,
        quick: bool = False,
    ) -> Mask:
        """What is found in these views, as they are or as they are masked: beside the mask, but of codes any part."""
        found: Mask = np.zeros_like(self.mask)
        for view in views:
            renderings = pictures(filled(view, self.mask, _black(view)) if masked else view)
            for picture in renderings:
                found |= self.how.find(picture, sure=sure, quick=quick)
            self.codes |= mask_of(codes.code_mask, renderings[0])
            self.pictures += len(renderings)
        found = apart(found | self.codes, self.mask | self.kept) if masked else found
        return found | (self.codes & ~self.mask)  # a few lines of a code that stay open can be read

    def shown(self, new: Mask, views: Sequence[Frame], *, quick: bool) -> Mask:
        """Whole areas of what is new in masked views, if they are codes, or look like text beside the text as well.

        Once it is gone, organs are taken for text.
        """
        shades = [each for view in views for each in (view, _stretched(view, self.mask))]
        faint = reduce(
            np.logical_or,
            [self.how.find(each, quick=quick, faint=True) for shade in shades for each in pictures(shade)],
        )
        return areas(new, faint, _FAINT) | (new & self.codes)

    def glance(self, view: Frame) -> Mask:
        """What a quick look at a view as it is shows, and the mask does not cover."""
        renderings = pictures(view)
        self.pictures += len(renderings)
        found = mask_of(codes.code_mask, renderings[0])
        for picture in renderings:
            found |= self.how.find(picture, quick=True)
        return beside(found, self.mask | self.kept)

    def add(self, new: Mask) -> None:
        self.mask = in_cells(self.mask | new, self.how.cell)


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

    def shown(number: int) -> Frame:
        return seen(frames.stored(number), frames.image, palette)

    how = _How(text_mask or detector.text_mask, spare, frames.cell, gated, shown)
    current: _Seen | None = None
    begun = 0
    coarse = before = np.zeros(0)
    for number in range(frames.image.frames):
        stored = frames.stored(number)
        frame, unused = seen(stored, frames.image, palette), unseen(stored, frames.image, palette)
        before, coarse = coarse, _coarse(frame)
        if current is not None and (frames.image.frames <= _FEW or _changed(before, coarse)):
            yield _searched(current, number, how)
            current = None
        if current is None:
            begun += 1
            if begun > _MOST_SCENES:
                raise Rejected(f"the frames show more than {_MOST_SCENES} scenes, too many to search each of them")
            current = _Seen(number, frame, frame, frame, Flashes(number, frame))
            current.add_unused(unused)
            continue
        current.add_unused(unused)
        current.darkest = np.minimum(current.darkest, frame)
        current.brightest = np.maximum(current.brightest, frame)
        current.last = frame
        current.flashes.add(number, frame)
    if current is not None:
        yield _searched(current, frames.image.frames, how)


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
    renderings = pictures(frame)
    if any(find(picture, quick=True).any() for picture in renderings):
        return True
    return bool(mask_of(codes.code_mask, renderings[0]).any())


def _searched(scene: _Seen, after: int, how: _How) -> Scene:
    bounds, singles = scene.bounds(), scene.singles()
    nothing: Mask = np.zeros(scene.last.shape[:2], np.bool_)
    if how.gated and not any(_glance(view, how.find) for view in (*bounds, *singles)):
        return Scene(scene.first, after, nothing, 0)
    found = _Found(how, nothing, nothing, nothing.copy())
    new = found.look(bounds)
    if how.spare:
        shown = [picture for view in (*bounds, *singles) for picture in pictures(view)]
        found.kept = how.spare(new, found.codes | _moving(scene), shown)
    found.add(new & ~found.kept)
    alone = _alone(scene, found)
    found.add(found.look(alone, masked=False) & ~found.kept)
    if not found.mask.any():
        return _scene(scene, after, found)
    return _proven(scene, after, found, [*bounds, *alone], quick=bool(singles))


def _alone(scene: _Seen, found: _Found) -> list[Frame]:
    """Frames in which something stands that was seen in the bounds in part, or not at all."""
    if not scene.singles():
        return []
    alone = [scene.last] if found.glance(scene.last).any() else []
    numbers: set[int] = set()
    for flash in scene.flashes.found:
        numbers |= flash.frames(found.glance(flash.picture))
    return _different(alone + [found.how.shown(number) for number in sorted(numbers)])


def _proven(scene: _Seen, after: int, found: _Found, views: Sequence[Frame], *, quick: bool) -> Scene:
    """Search again what was masked, until nothing is found any more. Raises Rejected where there is no end."""
    for _ in range(_ROUNDS):
        found.codes = np.zeros_like(found.mask)
        new = found.look(views, sure=True, quick=quick)
        new = found.shown(new, views, quick=quick) if new.any() else new
        if not new.any():
            return _scene(scene, after, found)
        found.add(new)
    raise Rejected("text is still found after it was masked")


def _scene(scene: _Seen, after: int, found: _Found) -> Scene:
    return Scene(scene.first, after, found.mask, found.pictures, len(boxes_of(found.kept)))


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


def _stretched(view: Frame, mask: Mask) -> Frame:
    """A view in which what is masked is no brighter or darker than the rest: beside it faint text was hardly seen."""
    rest = view[~mask]
    return view if view.ndim > 2 or not rest.size else np.clip(view, rest.min(), rest.max())


def _black(view: Frame) -> NDArray[Any]:
    """What a mask will look like in a view."""
    return np.zeros(3, np.uint8) if view.ndim > 2 else np.array(view.min())
