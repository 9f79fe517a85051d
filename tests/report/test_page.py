"""How numbers are said, how the page is bounded, and how a file takes its place."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import UndefinedError

from deid.report.page import _count, _percent, _template, page, write
from deid.report.pictures import Card
from deid.report.series import Series

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0.0 %"), (0.0004, "less than 0.1 %"), (0.112, "11.2 %"), (0.9999, "99.9 %"), (1.0, "100.0 %")],
)
def test_never_nothing_for_something_and_never_all_for_less(share: float, said: str) -> None:
    assert _percent(share) == said


def test_counts() -> None:
    assert [_count(1204), _count(1, "object"), _count(2, "object"), _count(2, "study", "studies")] == [
        "1,204", "1 object", "2 objects", "2 studies",
    ]  # fmt: skip


def test_what_a_template_needs_must_be_there() -> None:
    with pytest.raises(UndefinedError):
        page("report.html.j2", batches=())


def test_series_without_pictures_are_a_table_of_bounded_length() -> None:
    cards = [Card(Series(f"P{number}", "", ""), because="no pixel data") for number in range(620)]
    macros: Any = _template("sheet.html.j2").module
    found = macros.sheets(cards)
    assert "620 series without pictures" in found
    assert found.count("<tr><td>") == 500
    assert "And 120 more." in found


def test_a_file_takes_its_place_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("earlier")
    path.chmod(0o644)
    (tmp_path / ".page.html.part").write_text("of a call that was killed")
    write(path, "new \udcff")
    assert path.read_text() == "new \\udcff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "page.html"
    path.write_text("earlier")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, "new")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]
