"""The profile chooses who looks, the record says who did, and nothing is published where nobody could."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from deid.attributes.keys import derive
from deid.errors import Rejected
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.pixels import craft, detector, tesseract
from deid.pixels.engine import engine_of
from deid.profile.document import parse
from deid.profile.pixel_policy import WORDS
from deid.profile.plan import compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from deid.model import Result

    Run = Callable[[str, Dataset], tuple[Result, Dataset]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """De-identifies a data set with an engine."""

    def call(engine: str, made: Dataset) -> tuple[Result, Dataset]:
        plan = compile_plan(parse(f"version: 1\noptions: [clean-pixel-data]\npixels: {{engine: {engine}}}", "own.yaml"))
        (tmp_path / "published").unlink(missing_ok=True)
        made.save_as(tmp_path / "source", enforce_file_format=True)
        result = Pipeline(plan, derive(b"k" * 32), Limits(), tmp_path).deidentify(
            tmp_path / "source", tmp_path / "published"
        )
        return result, pydicom.dcmread(io.BytesIO((tmp_path / "published").read_bytes()))

    return call


def written_on(drawing: Any, **more: Any) -> Dataset:
    grey = (drawing.anatomy() * 120).astype(np.uint8)
    grey[drawing.ink()] = 250
    made: Dataset = drawing.dataset(grey[None], **more)
    return made


@pytest.mark.parametrize("name", WORDS["engine"])
def test_each_word_of_the_profile_is_an_engine_of_that_name(name: str) -> None:
    assert engine_of(name).name.partition(" ")[0] == name


@pytest.mark.parametrize(("name", "module"), [("rapidocr", detector), ("easyocr", craft), ("tesseract", tesseract)])
def test_the_chosen_engine_looks_and_is_recorded(
    name: str, module: Any, run: Run, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def looks(picture: Any, *, sure: bool = False, quick: bool = False, **_: bool) -> Any:
        asked.append((sure, quick))
        return np.zeros(picture.shape[:2], np.bool_)

    monkeypatch.setattr(module, "text_mask", looks)
    made = drawing.dataset(
        (drawing.anatomy() * 120).astype(np.uint8)[None], sop_class="1.2.840.10008.5.1.4.1.1.2", InstanceNumber=2
    )
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    result, _ = run(name, made)
    assert set(asked) == {(False, True)}
    assert result.pixels is not None
    assert (result.pixels.searched, result.pixels.engine.partition(" ")[0]) == (False, name)
    made.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    result, _ = run(name, made)
    assert (False, False) in asked
    assert result.pixels is not None
    assert (result.pixels.searched, result.pixels.engine.partition(" ")[0]) == (True, name)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract")
def test_tesseract_masks_an_object(run: Run, drawing: Any) -> None:
    result, published = run("tesseract", written_on(drawing))
    left = published.pixel_array[drawing.ink()]
    assert (left < 250).mean() > 0.98
    assert result.pixels is not None
    assert result.pixels.engine.startswith("tesseract ")
    assert published.BurnedInAnnotation == "NO"


@pytest.mark.parametrize(("name", "reason"), [("easyocr", "--fetch-models"), ("tesseract", "apt-get install")])
def test_what_an_engine_that_is_missing_should_search_is_held(
    name: str, reason: str, run: Run, drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(craft.FOLDER, str(tmp_path))
    craft._network.cache_clear()
    tesseract.engine.cache_clear()
    with pytest.raises(Rejected, match=reason):
        run(name, written_on(drawing))
    assert not (tmp_path / "published").exists()
    tesseract.engine.cache_clear()


def test_what_nobody_needs_to_search_needs_no_engine(
    run: Run, drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = written_on(drawing, sop_class="1.2.840.10008.5.1.4.1.1.66.4")
    assert run("tesseract", made)[1].PixelData == made.PixelData


@pytest.mark.parametrize(
    "answer",
    [
        np.zeros((1, 1), np.bool_),
        np.zeros((1, 320), np.bool_),
        np.zeros((240, 1), np.bool_),
        np.bool_(False),
        np.zeros((320, 240), np.bool_),
        np.zeros((240, 320, 3), np.bool_),
        np.zeros((240, 320), np.uint8),
        None,
    ],
)
def test_an_answer_that_is_no_mask_of_the_picture_holds_the_object(
    answer: Any, run: Run, drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "text_mask", lambda *_, **__: answer)
    with pytest.raises(Rejected, match="no mask"):
        run("rapidocr", written_on(drawing))
    assert not (tmp_path / "published").exists()
