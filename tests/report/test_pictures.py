"""However many series there are, and whatever their files do to a decoder, the contact sheets get done."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid import samples
from deid.model import Pixels
from deid.part10.source import Limits
from deid.report import pictures
from deid.report.pictures import Card, Member, _Draw, cards
from deid.report.series import Series
from deid.samples import planted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deid.model import Masked
    from deid.pixels.sheet import Sheet

PIXELS = Pixels(searched=False, because="")


class Files:
    """Series of files, and where their numbers lead."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def series(self, *paths: Path) -> Series:
        made = Series("P", "S", "E")
        for path in paths:
            made.add(len(self.paths), PIXELS)
            self.paths.append(path)
        return made

    def member(self, number: int) -> Member:
        return Member(number, self.paths[number], PIXELS, f"ID {number}")


def drawn(*of_series: tuple[Path, ...], progress: Callable[[int, int], None] | None = None) -> list[Card]:
    files = Files()
    return cards([files.series(*paths) for paths in of_series], files.member, 1, progress or told)


def told(*_: int) -> None:
    """Of progress."""


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return folder / planted.CT.files[0]


def test_no_series_no_cards() -> None:
    assert drawn() == []


def test_more_series_than_pictures(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_MOST", 2)
    made = drawn(*[(ct, ct, ct)] * 3)
    assert [len(card.figures) for card in made] == [1, 1, 0]
    assert made[2].because == "left out, for the report would become too large"


def test_more_bytes_than_a_page_should_have(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = drawn((ct,))
    assert whole.figures[0].picture
    monkeypatch.setattr(pictures, "_MOST_BYTES", len(whole.figures[0].picture.jpeg))
    first, second = drawn((ct,), (ct,))
    assert first.figures[0].picture
    assert second.figures[0].picture is None
    assert "too large" in second.figures[0].because


class Dies(_Draw):
    def __call__(self, item: tuple[Path, Sequence[Masked], int]) -> Sheet:
        if item[0].name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if item[0].name == "breaks":
            raise MemoryError
        return super().__call__(item)


def test_a_file_that_kills_its_decoder_is_a_missing_picture(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_Draw", Dies)
    (card,) = drawn((ct, Path("dies"), ct))
    assert [bool(figure.picture) for figure in card.figures] == [True, False, True]
    assert "its decoder crashed" in card.figures[1].because


def test_a_defect_is_told_by_its_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a value of a patient")

    monkeypatch.setattr(pictures, "sheet_of", fail)
    assert _Draw(Limits())((Path("any"), (), 1)).because.startswith("defect: ValueError at deid/report")


def test_progress_ends_with_all_of_them(ct: Path) -> None:
    seen: list[tuple[int, int]] = []
    drawn((ct, ct), (ct,), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
