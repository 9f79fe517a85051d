"""Clean Pixel Data (PS3.15 E.3.1) for one object: look, find text, mask it in every frame, and prove it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from deid.attributes.rewrite import Instead
from deid.errors import Rejected
from deid.model import Masked, Pixels
from deid.pixels import codecs
from deid.pixels.bits import stored_bits
from deid.pixels.codestream import lossy_method
from deid.pixels.detector import SMALLEST_IMAGE
from deid.pixels.devices import matching
from deid.pixels.elsewhere import refuse_pictures_elsewhere
from deid.pixels.engine import engine_of
from deid.pixels.frames import as_coded, frames_of
from deid.pixels.image import PHOTOMETRIC, PIXEL_DATA, PLANAR, image_of
from deid.pixels.mask import boxes_of, fill_of
from deid.pixels.masking import Masking
from deid.pixels.palette import palette_of
from deid.pixels.regions import known_of, nothing
from deid.pixels.scope import BURNED_IN, LOSSY, Look, look_at
from deid.pixels.search import Scene, scenes, unsearched, whole
from deid.pixels.spared import Spared
from deid.pixels.technical import identity_of
from deid.pixels.video import HELD, Video, is_video, video_of

if TYPE_CHECKING:
    from deid.part10.outline import Outline
    from deid.part10.source import Source
    from deid.pixels.engine import TextMask
    from deid.pixels.frames import Frame, Frames
    from deid.pixels.image import Image
    from deid.pixels.palette import Palette
    from deid.pixels.regions import Known
    from deid.profile.pixel_policy import PixelPolicy

_PADDING: Final = 0x00280120
_RATIO, _METHOD = 0x00282112, 0x00282114
_OFFSET_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002})
"""Extended ones: nobody needs them (PS3.5 A.4), and anything may stand in them."""
_NOT_BURNED_IN: Final = {BURNED_IN: ("CS", b"NO")}
_SOUND: Final = 0x003A0300
"""Multiplexed Audio Channels Description Code Sequence: of what was in the stream beside the frames."""
_PROVIDED: Final = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (94, 95, 204, 205))
_GLANCED: Final = ", and a glance shows no text"
_SMALL: Final = f", and fewer than {SMALLEST_IMAGE} pixels a side show no word"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What becomes of the pixels of one object: nothing, or new bytes in place of Pixel Data."""

    pixels: Pixels
    transfer_syntax: str  # of the published object
    instead: Instead = field(default_factory=Instead)
    masking: Masking | None = None  # None where the pixel data stay as they are

    def verify(self, written: Source, published: Outline) -> None:
        """Decode the written bytes: every frame must be the original, masked. Raises Rejected if one is not."""
        refuse_pictures_elsewhere(published, written)
        if self.masking is not None:
            self.masking.verify(frames_of(written, published, image_of(published)))


def clean(source: Source, layout: Outline, policy: PixelPolicy) -> Cleaned:
    """Look at an object as its kind demands. Raises Rejected where it has to be looked at and cannot be."""
    rules = matching(layout, policy.devices)
    _refuse_syntax(source.transfer_syntax, held=policy.video != "mask" or not rules)
    look, because = _look(source, layout, policy, ruled=bool(rules))
    if look is Look.NEVER:
        return _without_comments(source, layout, Pixels(searched=False, because=because))
    image = image_of(layout)
    palette = palette_of(source, layout, image)
    video = is_video(source.transfer_syntax)
    frames = video_of(source, layout, image) if video else as_coded(frames_of(source, layout, image))
    known = nothing(frames) if look is Look.NUMBERS else known_of(layout, frames, policy, rules)
    if video and not known.by_rule:
        raise Rejected(HELD)
    if look is Look.GATED and known.mask.any():
        look = Look.ALWAYS
    engine = engine_of(policy.engine, policy.search)
    reads = policy.mask == "phi" and look is not Look.NUMBERS
    spare = Spared(identity_of(layout), known.mask) if reads else None
    found = tuple(
        replace(scene, mask=scene.mask | known.mask)
        for scene in _search(look, frames, palette, engine.text_mask, spare)
    )
    if look is Look.NUMBERS and any(scene.mask.any() for scene in found):
        raise Rejected("something like text was found among computed numbers, which are never masked")
    small = max(image.rows, image.columns) < SMALLEST_IMAGE
    searched = look is Look.WHOLE or (all(scene.views for scene in found) and not small)
    because = "; ".join(filter(None, (because, known.because))) + ("" if searched else _SMALL if small else _GLANCED)
    pixels = _record(found, known, because, "" if small else engine.name, searched=searched)
    claimed = _NOT_BURNED_IN if searched else {}
    fill = fill_of(_first_masked(frames, found), frames.image, palette, _padding(layout, image))
    masking = Masking(frames, found, fill, source.transfer_syntax)
    if masking.leaves_all():
        return Cleaned(pixels, source.transfer_syntax, Instead(claimed, _OFFSET_TABLES, pixels_cleaned=searched))
    if not frames.encapsulated:
        native = masking.native(_header(layout))
        instead = Instead(claimed, _OFFSET_TABLES, native, pixels_cleaned=searched)
        return Cleaned(pixels, source.transfer_syntax, instead, masking)
    if frames.coding or not any(map(masking.touches, found)):  # what is not masked loses comments at most
        instead = Instead(claimed, _OFFSET_TABLES, masking.encapsulated(image), pixels_cleaned=searched)
        return Cleaned(pixels, source.transfer_syntax, instead, masking)
    syntax = codecs.syntax_after(source.transfer_syntax)
    after = codecs.image_after(frames.image, syntax)
    masking = replace(masking, transfer_syntax=syntax)
    elements = claimed | {PHOTOMETRIC: ("CS", after.photometric.encode())}
    if syntax != source.transfer_syntax:
        elements |= _loss(layout, frames)
    if image.samples > 1:
        elements[PLANAR] = ("US", int(after.planar).to_bytes(2, "little"))  # encapsulated data are little endian
    dropped = _OFFSET_TABLES | {_SOUND} if video else _OFFSET_TABLES
    instead = Instead(elements, dropped, masking.encapsulated(after), pixels_cleaned=searched)
    return Cleaned(pixels, syntax, instead, masking)


def _refuse_syntax(transfer_syntax: str, *, held: bool) -> None:
    if transfer_syntax in _PROVIDED:
        raise Rejected("a provider keeps the pixel data elsewhere (JPIP), so they cannot be searched")
    if is_video(transfer_syntax) and held:
        raise Rejected(HELD)


def _look(source: Source, layout: Outline, policy: PixelPolicy, *, ruled: bool) -> tuple[Look, str]:
    """Whether an object is searched, and why; bits beside the stored ones are a reason in any."""
    look, because = look_at(layout, policy, ruled=ruled)
    if look is not Look.NEVER or not any(place.tag == PIXEL_DATA for place in layout.places):
        return look, because
    hides = frames_of(source, layout, image_of(layout)).hide()
    return look_at(layout, policy, hidden=True) if hides else (look, because)


def _without_comments(source: Source, layout: Outline, pixels: Pixels) -> Cleaned:
    """What nobody looks at: what stands in its compressed frames beside the pixels goes; frames too many hold it."""
    as_it_was = Cleaned(pixels, source.transfer_syntax, Instead({}, _OFFSET_TABLES))
    if not any(place.tag == PIXEL_DATA for place in layout.places):
        return as_it_was
    frames = replace(frames_of(source, layout, image_of(layout)), overlaid=False)  # no overlay stands in its bits
    if not frames.encapsulated:
        return as_it_was
    masking = Masking(frames, (unsearched(frames),), np.zeros(1), source.transfer_syntax)
    if masking.leaves_all():
        return as_it_was
    instead = Instead({}, _OFFSET_TABLES, masking.encapsulated(frames.image))
    return replace(as_it_was, instead=instead, masking=masking)


def _search(
    look: Look, frames: Frames, palette: Palette | None, text_mask: TextMask, spare: Spared | None
) -> tuple[Scene, ...]:
    if look is Look.WHOLE:
        return (whole(frames),)
    found = tuple(scenes(frames, palette, text_mask, spare, gated=look is Look.GATED))
    if any(scene.views for scene in found) and not all(scene.views for scene in found):
        # Where something is drawn on one scene, the others are searched as well.
        found = tuple(scenes(frames, palette, text_mask, spare))
    return found


def _record(found: tuple[Scene, ...], known: Known, because: str, engine: str, *, searched: bool) -> Pixels:
    boxes = known.boxes()
    masked = tuple(
        Masked(scene.first, scene.after, (*boxes, *boxes_of(scene.mask & ~known.mask)))
        for scene in found
        if scene.mask.any()
    )
    share = sum(float(scene.mask.mean()) * (scene.after - scene.first) for scene in found) / found[-1].after
    views = sum(scene.views for scene in found) if searched else 0
    return Pixels(
        searched=searched,
        because=because,
        engine=engine if views or not searched else "",
        views=views,
        masked=masked,
        share=round(share, 5),
        kept=sum(scene.kept for scene in found),
    )


def _first_masked(frames: Frames, found: tuple[Scene, ...]) -> Frame:
    first = next((scene.first for scene in found if scene.mask.any()), 0)
    return stored_bits(frames.stored(first), frames.image)


def _loss(layout: Outline, frames: Frames) -> dict[int, tuple[str, bytes]]:
    """That frames were compressed with loss, which from now on nothing else tells (PS3.3 C.7.6.1.1.5)."""
    method = frames.method if isinstance(frames, Video) else lossy_method(frames.encoded(0))
    if not method:
        return {}
    image = frames.image
    size = image.rows * image.columns * image.samples * image.frames * image.allocated // 8
    ratio = size / sum(length for parts in frames.fragments for _, length in parts)
    said = {_RATIO: ("DS", f"{ratio:.6g}".encode()), _METHOD: ("CS", method.encode())}
    return {LOSSY: ("CS", b"01")} | {tag: value for tag, value in said.items() if not layout.value(tag)}


def _header(layout: Outline) -> bytes:
    """Of the element Pixel Data."""
    place = next(place for place in layout.places if place.tag == PIXEL_DATA)
    return bytes(layout.buffer[place.start : place.value])


def _padding(layout: Outline, image: Image) -> int | None:
    value = layout.value(_PADDING)
    if not value or len(value) != 2:
        return None
    return int.from_bytes(value, "big" if layout.encoding.big_endian else "little", signed=image.signed)
