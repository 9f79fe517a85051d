"""The program tesseract looks, or the object is held; no picture and no word is left anywhere."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.errors import Rejected
from deid.pixels import tesseract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

installed = pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract")
BLANK = np.zeros((50, 80, 3), np.uint8)
HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a program in the place of tesseract."""

    def put(script: str) -> None:
        path = tmp_path / "bin" / tesseract.PROGRAM
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    tesseract.engine.cache_clear()
    yield put
    tesseract.engine.cache_clear()


@installed
@pytest.mark.parametrize("ground", [20, 230])
def test_text_is_covered_and_no_more_than_its_lines(ground: int, drawing: Any) -> None:
    grey = np.full((240, 320), ground, np.uint8)
    ink = drawing.ink() | drawing.ink("HEIGHT 170 CM", at=(30, 200))
    grey[ink] = 250 - ground
    mask = tesseract.text_mask(np.repeat(grey[:, :, None], 3, axis=2))
    assert mask[ink].mean() > 0.98
    assert not mask[60:160].any()


@installed
def test_where_nothing_is_written_nothing_is_marked() -> None:
    assert not tesseract.text_mask(BLANK).any()
    assert not tesseract.text_mask(np.zeros((1, 1, 3), np.uint8)).any()


@installed
def test_it_is_named_with_its_version() -> None:
    tesseract.engine.cache_clear()
    name, number = tesseract.engine().split()
    assert name == "tesseract"
    assert number[0].isdigit()


def test_boxes_come_back_in_the_size_of_the_picture(program: Callable[[str], None]) -> None:
    rows = [
        "5\t1\t1\t1\t1\t1\t40\t20\t60\t20\t31.5\tQUILL\tFEATHER",
        "5\t1\t1\t1\t1\t2\t0\t0\t160\t100\t95\t ",
        "1\t1\t0\t0\t0\t0\t0\t0\t160\t100\t-1\t",
    ]
    program("cat >/dev/null; printf '%s\\n' '" + "' '".join([HEADER, *rows]) + "'")
    mask = tesseract.text_mask(BLANK)
    places = np.argwhere(mask)
    assert places.min(axis=0).tolist() == [5, 15]
    assert places.max(axis=0).tolist() == [24, 54]
    assert mask[5:25, 15:55].all()
    assert not tesseract.text_mask(BLANK, sure=True).any()


def test_the_program_is_given_one_thread_and_no_file(program: Callable[[str], None], tmp_path: Path) -> None:
    program(f'cat >/dev/null; echo "$OMP_THREAD_LIMIT $*" >{tmp_path}/said; echo "{HEADER}"')
    tesseract.text_mask(BLANK)
    assert (tmp_path / "said").read_text() == "1 stdin stdout --psm 12 tsv\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", r"failed \(exit code 3\)"),
        ("kill -9 $$", r"failed \(exit code -9\)"),
        ("cat >/dev/null", "no answer"),
        ("echo QUILLFEATHER", "no answer"),
    ],
)
def test_when_it_fails_the_object_is_held(script: str, reason: str, program: Callable[[str], None]) -> None:
    program(script)
    with pytest.raises(Rejected, match=reason) as said:
        tesseract.text_mask(BLANK)
    assert "QUILLFEATHER" not in str(said.value)


def test_when_it_hangs_it_is_killed(program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    program("exec sleep 60")
    monkeypatch.setattr(tesseract, "_SECONDS", 0.2)
    with pytest.raises(Rejected, match="longer than"):
        tesseract.text_mask(BLANK)


def test_when_it_is_missing_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tesseract.engine.cache_clear()
    assert tesseract.engine() == "tesseract"
    with pytest.raises(Rejected, match="apt-get install tesseract-ocr"):
        tesseract.text_mask(BLANK)


def test_what_cannot_be_started_is_no_detector(program: Callable[[str], None], tmp_path: Path) -> None:
    program("")
    (tmp_path / "bin" / tesseract.PROGRAM).write_text("\x7fELF no program")
    with pytest.raises(Rejected, match="cannot be run"):
        tesseract.text_mask(BLANK)
