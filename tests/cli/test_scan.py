from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from deid import samples
from deid.report import inventory
from deid.samples import planted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASIC = ("--profile", "basic", "--jobs", "1")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two slices of a CT."""
    samples.make(tmp_path / "samples")
    (tmp_path / "in").mkdir()
    for number, file in enumerate(planted.CT.files[:2]):
        (tmp_path / "samples" / file).rename(tmp_path / "in" / f"{number}.dcm")
    return tmp_path / "in"


def test_all_is_well(deid: Callable[..., Any], source: Path) -> None:
    said = deid("scan", source, *BASIC)
    assert said.code == 0
    rows = dict(line.rsplit(maxsplit=1) for line in said.out.splitlines() if line.strip())
    assert (rows["files"], rows["  would be released"], rows["CT Image"]) == ("2", "2", "2")
    assert (rows["patients"], rows["series"]) == ("1", "1")
    assert rows["the profile does not ask for it"] == "2"
    assert "because" not in said.out
    assert planted.CT.uid not in said.out


def test_some_would_be_held(deid: Callable[..., Any], source: Path) -> None:
    (source / "cut\x1b[2J").write_bytes((source / "0.dcm").read_bytes()[:900])
    (source / "note").touch()
    said = deid("scan", source, *BASIC)
    assert said.code == 3
    assert "this is not a DICOM file" in said.out
    assert "cut\\x1b[2J" in said.out


def test_as_json(deid: Callable[..., Any], source: Path) -> None:
    said = deid("scan", source, "--json", *BASIC)
    assert said.out.count("\n") == 1
    assert json.loads(said.out)["would_be"] == {"released": 2, "held": 0, "duplicate": 0, "unreadable": 0}


def test_with_a_page(deid: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    said = deid("scan", source, "--html", tmp_path / "page.html", *BASIC)
    assert said.code == 0
    assert "It shows the originals" in said.out
    assert "ORIGINALS" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("in/page.html", "in the input folder"),
        ("in/new/../page.html", "in the input folder"),
        ("nowhere/page.html", "no page can be written"),
        (".", "no page can be written"),
    ],
)
def test_a_page_that_may_not_be_there(
    deid: Callable[..., Any], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, error: str
) -> None:
    monkeypatch.setattr(inventory, "take_stock", lambda *_: pytest.fail("it was looked at"))
    said = deid("scan", source, "--html", tmp_path / page, *BASIC)
    assert said.code == 2
    assert error in said.err
    assert len(list(source.iterdir())) == 2


@pytest.mark.parametrize("words", [("missing",), (".", "--profile", "basik"), (".", "--option", "clean-graphics")])
def test_nothing_starts(deid: Callable[..., Any], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "take_stock", lambda *_: pytest.fail("it was looked at"))
    assert deid("scan", *words).code == 2


def test_a_bar_is_drawn_when_somebody_watches(
    deid: Callable[..., Any], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert "2/2" in deid("scan", source, *BASIC).err
