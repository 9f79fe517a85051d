from __future__ import annotations

import json
from pathlib import Path

import pytest

from deid.standard import data_files, table

DATA = Path(data_files.__file__).parent / "data"


@pytest.mark.parametrize("file", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_every_file_opens_with_its_edition_and_the_notice(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    if file.suffix == ".json":
        first = " ".join(json.loads(file.read_text(encoding="utf-8"))[key] for key in ("edition", "notice"))
    else:
        assert first.startswith("# ")
    assert "© NEMA" in first
    assert "DICOM PS3." in first
    assert any(year in first for year in ("2024c", "2026b", table.EDITION))


@pytest.mark.parametrize("name", ["e1_1.csv", "supplement.csv", "dictionary.csv"])
def test_one_row_a_line_sorted_by_tag(name: str) -> None:
    tags = [row["tag"] for row in data_files.rows(name)]
    assert tags == sorted(tags, key=lambda tag: (tag == "odd", tag))
    assert len(tags) == len(set(tags)) == len(data_files.text(name).splitlines()) - 2


def test_our_own_rules_say_that_they_are_not_the_standards() -> None:
    assert "not of the standard" in data_files.text("supplement.csv").splitlines()[0]
