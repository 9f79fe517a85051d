"""With `mask: phi`, a scale stays readable where it is surely one, and whatever else is written is masked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from deid.attributes.keys import derive
from deid.errors import Rejected
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.pixels import recogniser
from deid.pixels.recogniser import Line, read
from deid.pixels.search import scenes
from deid.pixels.spared import Spared, _is_sure
from deid.pixels.technical import identity_of
from deid.profile.document import parse
from deid.profile.plan import compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from deid.model import Pixels

    Masked = Callable[..., tuple[Pixels, NDArray[np.bool_]]]

SETTING, NAME = "TE: 15 ms", "MARIGOLD"
UPPER, LOWER = (20, 60), (20, 200)


@pytest.fixture
def masked(tmp_path: Path, drawing: Any) -> Masked:
    """What was done to frames, and where they were changed."""
    plan = compile_plan(parse("version: 1\noptions: [clean-pixel-data]\npixels: {mask: phi}", "own.yaml"))

    def call(frames: NDArray[np.uint8], **header: Any) -> tuple[Pixels, NDArray[np.bool_]]:
        made = drawing.dataset(frames, **header)
        made.save_as(tmp_path / "source", enforce_file_format=True)
        (tmp_path / "published").unlink(missing_ok=True)
        result = Pipeline(plan, derive(b"k" * 32), Limits(), tmp_path).deidentify(
            tmp_path / "source", tmp_path / "published"
        )
        published = pydicom.dcmread(io.BytesIO((tmp_path / "published").read_bytes()))
        assert result.pixels is not None
        return result.pixels, published.pixel_array.reshape(frames.shape) != frames

    return call


def page(
    drawing: Any, **written: tuple[str, tuple[int, int]]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
    """A frame with lines on it, and where their ink is."""
    inks = {name: drawing.ink(text, at=at) for name, (text, at) in written.items()}
    grey = (drawing.anatomy() * 60).astype(np.uint8)
    for ink in inks.values():
        grey[ink] = 250
    return grey, inks


def test_a_setting_stays_and_a_name_goes(masked: Masked, drawing: Any) -> None:
    grey, inks = page(drawing, setting=(SETTING, UPPER), name=(NAME, LOWER))
    pixels, changed = masked(grey[None])
    assert not changed[0][inks["setting"]].any()
    assert changed[0][inks["name"]].mean() > 0.98
    assert (pixels.kept, len(pixels.masked)) == (1, 1)
    assert not any(text in repr(pixels) for text in (SETTING, NAME))


def test_without_the_word_all_of_it_goes(drawing: Any, opened: Callable[..., Any]) -> None:
    grey, inks = page(drawing, setting=(SETTING, UPPER))
    (scene,) = scenes(opened(drawing.dataset(grey[None])).frames, None)
    assert scene.mask[inks["setting"]].mean() > 0.98
    assert scene.kept == 0


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("OB", {"PatientName": "OB^A"}),
        ("OB", {}),
        (SETTING, {"PatientName": "Engel^Thomas"}),
        ("TE: 15 ms LEE", {}),
        ("19 02 1971", {}),
        ("QU: 15 ms", {}),
    ],
)
def test_what_is_not_surely_technical_goes(text: str, header: dict[str, str], masked: Masked, drawing: Any) -> None:
    grey, inks = page(drawing, line=(text, UPPER))
    pixels, changed = masked(grey[None], **header)
    assert changed[0][inks["line"]].mean() > 0.98
    assert pixels.kept == 0


def test_a_name_beside_a_setting_takes_it_along(masked: Masked, drawing: Any) -> None:
    for at in ((150, 60), (20, 82)):  # behind it, and below
        grey, inks = page(drawing, setting=(SETTING, UPPER), name=(NAME, at))
        _, changed = masked(grey[None])
        assert changed[0][inks["name"]].mean() > 0.98


def test_what_changes_from_frame_to_frame_goes(masked: Masked, drawing: Any) -> None:
    first, inks = page(drawing, setting=(SETTING, UPPER))
    other, names = page(drawing, name=(NAME, UPPER))
    frames = np.stack([first] * 20)
    frames[13] = other
    pixels, changed = masked(frames)
    assert pixels.kept == 0
    assert changed[13][names["name"] & ~inks["setting"]].mean() > 0.98
    pixels, changed = masked(np.stack([first] * 20))
    assert pixels.kept == 1
    assert not changed[:, inks["setting"]].any()


@pytest.mark.parametrize(
    ("line", "height", "width", "sure"),
    [
        (Line("120 kV", 0.99, 0.1, 0.9), 25, 70, True),
        (Line("120 kV", 0.94, 0.1, 0.9), 25, 70, False),
        (Line("", 0.99, 0.1, 0.9), 25, 70, False),
        (Line("120 kV", 0.99, 0.1, 0.9), 50, 70, False),  # as high as two lines
        (Line("120 kV", 0.99, 0.1, 0.5), 25, 70, False),  # nobody knows what stands behind it
        (Line("120 kV", 0.99, 0.5, 0.9), 25, 70, False),
        (Line("L", 0.99, 0.4, 0.6), 24, 24, True),
        (Line("L", 0.99, 0.4, 0.6), 24, 60, False),
    ],
)
def test_only_a_box_that_was_read_as_a_whole_is_sure(
    line: Line,
    height: int,
    width: int,
    sure: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert _is_sure(line, height, width) == sure


def test_what_is_read_and_where(drawing: Any) -> None:
    grey, inks = page(drawing, setting=(SETTING, UPPER))
    rows, columns = (np.flatnonzero(inks["setting"].any(axis=axis)) for axis in (1, 0))
    crop = grey[rows[0] - 5 : rows[-1] + 6, columns[0] - 5 : columns[-1] + 6]
    line = read(np.repeat(crop[:, :, None], 3, axis=2))
    assert line.text == SETTING
    assert 0.5 < line.score <= 1
    assert line.first < 0.15
    assert line.last > 0.85
    assert read(np.zeros((20, 60, 3), np.uint8)).text == ""
    assert read(np.zeros((4, 900, 3), np.uint8)) == recogniser.NOTHING


def test_a_recogniser_that_fails_holds_the_object(
    masked: Masked, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def run(self, *_: object) -> None:
            raise RuntimeError(NAME)

    monkeypatch.setattr(recogniser, "_network", lambda: (Failing(), []))
    grey, _ = page(drawing, setting=(SETTING, UPPER))
    with pytest.raises(Rejected) as said:
        masked(grey[None])
    assert NAME not in str(said.value)


def test_what_is_masked_anyway_is_not_counted(drawing: Any, opened: Callable[..., Any]) -> None:
    grey, _ = page(drawing, setting=(SETTING, UPPER))
    found = opened(drawing.dataset(grey[None]))
    masked: NDArray[np.bool_] = np.zeros(grey.shape, np.bool_)
    kept = []
    for _ in range(2):
        (scene,) = scenes(found.frames, None, None, Spared(identity_of(found.layout), masked.copy()))
        kept.append(scene.kept)
        masked[:70] = True
    assert kept == [1, 0]
