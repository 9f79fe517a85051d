"""Every frame is searched, in whatever frame the text is, and what is found is masked in all frames of its scene."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import codes, detector
from deid.pixels.search import scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deid.pixels.engine import TextMask
    from deid.pixels.search import Scene

NUMBER, ROWS, COLUMNS = 40, 240, 320
WORDS = ("QUILLFEATHER", "MARIGOLD UNA")


def cine(drawing: Any, moving: float = 0.02) -> NDArray[np.float64]:
    body = drawing.anatomy()
    return np.stack(
        [np.clip(np.roll(body, number % 3, axis=1) + moving * number / NUMBER, 0, 1) * 180 for number in range(NUMBER)]
    )


@pytest.mark.parametrize("where", [range(NUMBER), range(17, 18), range(3, 9)])
def test_text_in_all_frames_in_some_and_in_one(where: range, opened: Callable[..., Any], drawing: Any) -> None:
    frames = cine(drawing).astype(np.uint8)
    ink = drawing.ink()
    for number in where:
        frames[number][ink] = 250
    found = list(scenes(opened(drawing.dataset(frames)).frames, None))
    assert [(scene.first, scene.after) for scene in found] == [(0, NUMBER)]
    assert found[0].mask[ink].mean() > 0.98
    assert found[0].mask[60:].mean() < 0.02
    assert found[0].views >= 4


@pytest.mark.parametrize(("number", "level"), [(32, 0), (NUMBER - 1, 250)])
def test_text_that_no_bound_shows_is_seen_in_the_frame_itself(
    number: int, level: int, opened: Callable[..., Any], drawing: Any
) -> None:
    frames, ink = cine(drawing).astype(np.uint8), drawing.ink()
    frames[::2, :40], frames[1::2, :40] = 0, 250  # the extremes of every pixel here, text or not
    frames[number, :40] = level
    frames[number][ink] = 125
    (scene,) = scenes(opened(drawing.dataset(frames)).frames, None)
    assert scene.mask[ink].mean() > 0.98
    assert scene.mask[60:].mean() < 0.02


def test_a_code_that_no_bound_shows_is_seen_in_the_frame_itself(opened: Callable[..., Any], drawing: Any) -> None:
    code = cv2.QRCodeEncoder.create().encode("QUILLFEATHER 1971-02-03")
    code = cv2.resize(code, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    high, wide = code.shape
    place = np.s_[12 : 12 + high, 12 : 12 + wide]
    around = np.s_[: 24 + high, : 24 + wide]
    frames = cine(drawing).astype(np.uint8)
    for number, frame in enumerate(frames):
        frame[around] = {25: 0, NUMBER - 1: 250}.get(number, 125)
    frames[17][around] = 200
    frames[17][place] = np.where(code > 0, 200, 60)

    (scene,) = scenes(opened(drawing.dataset(frames)).frames, None, sees_no_text)
    assert scene.mask[place][10:-10, 10:-10].mean() > 0.95  # without the margin that belongs to a code


def sees_no_text(picture: NDArray[np.uint8], **_: bool) -> NDArray[np.bool_]:
    return np.zeros(picture.shape[:2], np.bool_)


def test_few_frames_are_in_memory_while_a_picture_is_looked_at(opened: Callable[..., Any], drawing: Any) -> None:
    frames = np.repeat(np.random.default_rng(1).integers(0, 99, (1, ROWS, COLUMNS, 3)).astype(np.uint8), NUMBER, axis=0)
    for number in range(0, NUMBER, 4):
        frames[number, 60:90, 40 + number : 200 : 4] = 150 + number
    stored = opened(drawing.dataset(frames, "RGB")).frames
    held = []

    def looks_at_memory(picture: NDArray[np.uint8], **_: bool) -> NDArray[np.bool_]:
        held.append(tracemalloc.get_traced_memory()[0])
        return sees_no_text(picture)

    tracemalloc.start()
    try:
        list(scenes(stored, None, looks_at_memory))
    finally:
        tracemalloc.stop()
    assert max(held) < 13 * frames[0].nbytes


def test_a_code_opens_the_gate(opened: Callable[..., Any], drawing: Any) -> None:
    slices = (drawing.anatomy() * 200).astype(np.uint8)[None]
    code = cv2.QRCodeEncoder.create().encode("QUILLFEATHER 1971-02-03")
    code = cv2.resize(code, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    (before,) = scenes(opened(drawing.dataset(slices)).frames, None, sees_no_text, gated=True)
    assert not before.views
    slices[0, 12 : 12 + len(code), 12 : 12 + len(code)] = code
    (scene,) = scenes(opened(drawing.dataset(slices)).frames, None, sees_no_text, gated=True)
    assert scene.mask[22 : 2 + len(code), 22 : 2 + len(code)].mean() > 0.95


def test_a_line_of_a_code_that_stays_at_the_edge_of_its_mask_is_masked(
    opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks like text there is the edge of the mask; a code can be read in one line."""
    slices = np.full((1, 240, 320), 120, np.uint8)
    slices[0, 100:103, 50:150] = 200
    slices[0, 60:100, 50:150] = 220

    def finds(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        grey = picture[:, :, 0]
        return np.asarray(grey == 220 if (grey == 220).any() else grey == 200, np.bool_)

    monkeypatch.setattr(codes, "code_mask", finds)
    (scene,) = scenes(opened(drawing.dataset(slices)).frames, None, sees_no_text)
    assert scene.mask[60:103, 50:150].all()
    assert scene.mask.sum() == 43 * 100


def test_what_stays_is_searched_in_two_pictures_and_single_frames_in_one_and_three_quick_ones(
    opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, ink, asked = cine(drawing).astype(np.uint8), drawing.ink(), []
    frames[:, ink] = 250
    find = detector.text_mask

    def looks(
        picture: NDArray[np.uint8], *, sure: bool = False, quick: bool = False, faint: bool = False
    ) -> NDArray[np.bool_]:
        asked.append((quick, bool(picture[ink].max() > 200)))
        return find(picture, sure=sure, quick=quick, faint=faint)

    monkeypatch.setattr(detector, "text_mask", looks)
    (scene,) = scenes(opened(drawing.dataset(frames)).frames, None)
    in_single = [(False, True)] + [(True, True)] * 3  # of what is in single ones the first picture; the last frame
    assert asked == [(False, True)] * 2 + in_single + [(True, False)] * 2  # the bounds again, as masked
    assert scene.views == len(asked)


def test_pages_are_searched_one_by_one(opened: Callable[..., Any], drawing: Any) -> None:
    pages = np.full((3, 240, 320), 255, np.uint8)
    inks = [drawing.ink(at=(12, 60 + 50 * number)) for number in range(3)]
    for page, ink in zip(pages, inks, strict=True):
        page[ink] = 0
    found = list(scenes(opened(drawing.dataset(pages)).frames, None))
    assert [(scene.first, scene.after) for scene in found] == [(0, 1), (1, 2), (2, 3)]
    for number, scene in enumerate(found):
        assert [bool(scene.mask[ink].mean() > 0.9) for ink in inks] == [number == other for other in range(3)]


def left(found: list[Scene], inks: dict[int, list[NDArray[np.bool_]]]) -> list[float]:
    """Of each string that stands in a frame, the part of its ink that is not masked there."""
    masks = {number: scene.mask for scene in found for number in range(scene.first, scene.after)}
    return [1 - float(masks[number][ink].mean()) for number, some in inks.items() for ink in some]


@pytest.mark.parametrize(("paper", "pen"), [(20, 220), (245, 30)])
def test_pages_of_any_number_hide_no_line_of_each_other(
    paper: int, pen: int, opened: Callable[..., Any], drawing: Any
) -> None:
    chance = np.random.default_rng(1)
    pages = np.full((24, 240, 320), paper, np.uint8)
    inks: dict[int, list[NDArray[np.bool_]]] = {}
    for number, page in enumerate(pages):
        rows = 30 + 40 * chance.choice(5, 2, replace=False) + chance.integers(0, 16, 2)
        at = [(int(chance.integers(4, 60)), int(row)) for row in rows]
        inks[number] = [
            drawing.ink(f"{word} {chance.integers(10**6)}", each) for word, each in zip(WORDS, at, strict=True)
        ]
        page[np.any(inks[number], axis=0)] = pen
    found = list(scenes(opened(drawing.dataset(pages)).frames, None))
    assert max(left(found, inks)) < 0.1


@pytest.mark.parametrize("every", [1, 3])
def test_names_that_stand_elsewhere_in_each_frame_are_all_found(
    every: int, opened: Callable[..., Any], drawing: Any
) -> None:
    chance = np.random.default_rng(3)
    frames = cine(drawing).astype(np.uint8)[:27]
    inks = {}
    for number in range(0, len(frames), every):
        at = int(chance.integers(4, 100)), int(chance.integers(80, 180))
        inks[number] = [drawing.ink(f"{WORDS[number % 2]} {chance.integers(10**6)}", at)]
        frames[number][inks[number][0]] = 240
    assert max(left(list(scenes(opened(drawing.dataset(frames)).frames, None)), inks)) < 0.1


def test_what_stays_on_pages_is_searched_in_all_of_them_together(opened: Callable[..., Any], drawing: Any) -> None:
    chance = np.random.default_rng(5)
    pages, stays = np.full((27, 240, 320), 20, np.uint8), drawing.ink(at=(12, 24))
    for page in pages:
        page[:40] = 250 * chance.integers(0, 2, (40, 320))
        page[stays] = 125
        page[
            drawing.ink(
                f"MARIGOLD {chance.integers(10**6)}", (int(chance.integers(4, 100)), int(chance.integers(80, 180)))
            )
        ] = 220
    found = list(scenes(opened(drawing.dataset(pages)).frames, None))
    assert len(found) == len(pages)
    assert all(scene.mask[stays].mean() > 0.95 for scene in found)


def test_where_more_was_seen_than_is_remembered_each_frame_is_searched(
    opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, ink = cine(drawing).astype(np.uint8)[:10], drawing.ink()
    frames[6][ink] = 250
    monkeypatch.setattr("deid.pixels.overflow._MOST", -1)
    found = list(scenes(opened(drawing.dataset(frames)).frames, None))
    assert [(scene.first, scene.after) for scene in found] == [(number, number + 1) for number in range(10)]
    assert found[6].mask[ink].mean() > 0.98


def test_a_cut_begins_a_new_scene(opened: Callable[..., Any], drawing: Any) -> None:
    frames = cine(drawing, 0).astype(np.uint8)
    frames[25:] = 255 - frames[25:]
    found = list(scenes(opened(drawing.dataset(frames)).frames, None))
    assert [(scene.first, scene.after) for scene in found] == [(0, 25), (25, NUMBER)]


@pytest.mark.parametrize("value", [0, 600, 4000])
def test_behind_the_gate_text_is_found_as_well(value: int, opened: Callable[..., Any], drawing: Any) -> None:
    frame = (drawing.anatomy() * 2000 + 1000).astype(np.uint16)
    (scene,) = scenes(opened(drawing.dataset(frame[None])).frames, None, gated=True)
    assert scene.views == 0
    assert not scene.mask.any()
    frame[drawing.ink()] = value
    (scene,) = scenes(opened(drawing.dataset(frame[None])).frames, None, gated=True)
    assert scene.views > 0
    assert scene.mask[drawing.ink()].mean() > 0.8


@pytest.mark.parametrize("find", [detector.text_mask, detector.in_haste])
def test_text_that_shows_only_when_brighter_text_is_masked_is_found(
    find: TextMask, opened: Callable[..., Any], drawing: Any
) -> None:
    bright, dim = drawing.ink(at=(12, 40)), drawing.ink(at=(12, 180))
    page = np.random.default_rng(3).integers(0, 7, dim.shape).astype(np.uint8)
    page[dim], page[bright] = 12, 255
    assert not detector.in_haste(np.repeat(page[:, :, None], 3, axis=2))[dim].any()  # the closer look sees it at once
    (scene,) = scenes(opened(drawing.dataset(page[None])).frames, None, find)
    assert scene.mask[dim].mean() > 0.95


def test_text_that_cannot_be_masked_away_is_a_reason_to_hold(
    opened: Callable[..., Any], drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter(range(100))

    def everywhere(picture: NDArray[np.uint8], *, faint: bool = False, **_: Any) -> NDArray[np.bool_]:
        if faint:
            return np.ones(picture.shape[:2], np.bool_)
        mask = np.zeros(picture.shape[:2], np.bool_)
        at = 20 * next(turns)
        mask[at : at + 5, :50] = True
        return mask

    monkeypatch.setattr(detector, "text_mask", everywhere)
    with pytest.raises(Rejected, match="still found"):
        list(scenes(opened(drawing.dataset(cine(drawing)[:1].astype(np.uint8))).frames, None))
