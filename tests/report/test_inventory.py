"""A scan says what a run would do, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid import samples
from deid.model import State
from deid.profile.plan import load_plan
from deid.report import inventory, originals
from deid.report.inventory import Inventory, take_stock
from deid.report.survey import Look
from deid.samples import planted
from deid.samples.planted import PLANTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.report.survey import Survey

HOSTILE = "<img src=x onerror=alert(1)>.dcm"


def told(*_: int) -> None:
    """Of progress."""


def snapshot(folder: Path) -> dict[Path, tuple[int, ...]]:
    status = {path: path.stat() for path in folder.rglob("*")}
    return {path: (found.st_size, found.st_mtime_ns, found.st_ino) for path, found in status.items()}


@pytest.fixture(scope="module")
def of_samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inventory]:
    folder = tmp_path_factory.mktemp("originals")
    samples.make(folder)
    return folder, take_stock(folder, load_plan("default"), 1, told)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_there(of_samples: tuple[Path, Inventory]) -> None:
    _, found = of_samples
    objects = sum(len(series.files) for series in planted.SERIES)
    assert (found.files, found.dicomdir) == (objects + 1, 1)
    assert (len(found.patients), len(found.studies), len(found.series)) == (2, 4, len(planted.SERIES))
    assert found.modalities == {"CT": 3, "MR": 4, "SR": 2, "RTSTRUCT": 1, "DOC": 1, "US": 1}
    assert found.sop_classes["CT Image"] == 3
    assert found.transfer_syntaxes["Explicit VR Big Endian"] == 2
    assert found.creators["SIEMENS CSA HEADER"] == 4


def test_what_would_be_done(of_samples: tuple[Path, Inventory]) -> None:
    _, found = of_samples
    assert found.states[State.RELEASED] == found.files - found.dicomdir
    assert (found.images.masked, found.images.without_pixels) == (1, 4)
    (masked,) = [series for series in found.series.values() if series.masked]
    assert masked.uid == planted.US.uid


def test_the_same_fates_as_in_a_run(new_batch: Any, temporary: Path) -> None:
    source = new_batch.folder / "in"
    samples.make(source)
    first = (source / planted.CT.files[0]).read_bytes()
    (source / "note.txt").write_text("not DICOM")
    (source / "cut").write_bytes(first[:900])
    (source / "same").write_bytes(first)
    (source / "other").write_bytes(first[:-2] + b"\xff\xff")
    before = snapshot(source)
    found = take_stock(source, load_plan("basic"), 1, told)
    assert snapshot(source) == before
    assert list(temporary.iterdir()) == []
    assert sorted(new_batch.folder.iterdir()) == [source, temporary]
    summary = new_batch.run("basic")
    states = {state.value: found.states[state] for state in State if found.states[state]}
    assert states == {"released": summary.released, "held": 2, "duplicate": 1, "unreadable": 1, "dicomdir": 1}
    assert (summary.held, summary.duplicate, summary.unreadable) == (2, 1, 1)
    reasons = {group.reason: group for group in found.groups()}
    assert {reason for reason, _ in summary.reasons} - reasons.keys() == {
        "another object with the same SOP Instance UID and different content was released before"
    }
    assert reasons[inventory._ANOTHER].examples == ["other"]
    assert [group.state for group in found.groups()] == [State.HELD, State.HELD, State.UNREADABLE]


class Dies(Look):
    def __call__(self, item: tuple[int, Path]) -> Survey:
        if item[1].name == "dies":
            (self._folder / "left").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(item)


def test_what_kills_its_process_would_be_held_and_leaves_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "dies", "z"):
        (tmp_path / "in" / name).touch()
    monkeypatch.setattr(inventory, "Look", Dies)
    found = take_stock(tmp_path / "in", load_plan("basic"), 2, told)
    assert (found.states[State.HELD], found.states[State.UNREADABLE]) == (1, 2)
    assert next(iter(found.groups())).examples == ["dies"]
    assert list(temporary.iterdir()) == []


def test_a_single_file(of_samples: tuple[Path, Inventory]) -> None:
    folder, _ = of_samples
    file = folder / planted.CT.files[0]
    found = take_stock(file, load_plan("basic"), 1, told)
    assert (found.files, found.states[State.RELEASED]) == (1, 1)
    (series,) = found.series.values()
    assert found.member(*series.shown(1)).label == file.name


def test_the_data_name_nobody(of_samples: tuple[Path, Inventory]) -> None:
    folder, found = of_samples
    data = json.dumps(originals.data(found), ensure_ascii=False)
    assert [value for value in PLANTED if value in data] == []
    assert str(folder) not in data
    assert originals.data(found)["would_be"]["released"] == found.files - 1


def test_names_of_one_kind_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_MOST_NAMES", 2)
    found = Inventory(Path(), [])
    for name in ("a", "b", "c", "d", "a"):
        inventory._count(found.creators, name)
    assert found.creators == {"a": 2, "b": 1, "others": 2}


def test_the_page_warns_and_shows_what_would_be_masked(
    of_samples: tuple[Path, Inventory], tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    _, found = of_samples
    originals.write_page(tmp_path / "page.html", found, load_plan("default").chosen, 1, told)
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    page = read(tmp_path / "page.html")
    assert page.text.index("This page shows ORIGINALS") < page.text.index("What would become of every file")
    assert len(page.jpegs) == 3 + 2 + 2 + 1
    assert "US/IM000001" in page.text
    assert "rect" in {tag for tag, _ in page.elements}
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "form", "base"})
    assert not [series.description for series in planted.SERIES if series.description in page.without_pictures]


def test_a_name_of_a_file_is_nothing_but_text(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "in").mkdir()
    samples.make(tmp_path / "samples")
    original = (tmp_path / "samples" / planted.CT.files[0]).read_bytes()
    (tmp_path / "in" / HOSTILE).write_bytes(original)
    (tmp_path / "in" / ("unreadable" + HOSTILE)).touch()
    (tmp_path / "in" / "\udcff").touch()  # no UTF-8
    plan = load_plan("basic")
    found = take_stock(tmp_path / "in", plan, 1, told)
    originals.write_page(tmp_path / "page.html", found, plan.chosen, 1, told)
    page = read(tmp_path / "page.html")
    assert HOSTILE in page.text
    assert "unreadable" + HOSTILE in page.text
    assert [attributes["src"][:5] for tag, attributes in page.elements if tag == "img"] == ["data:"]


def test_an_empty_folder(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    plan = load_plan("default")
    (tmp_path / "in").mkdir()
    found = take_stock(tmp_path / "in", plan, 1, told)
    originals.write_page(tmp_path / "page.html", found, plan.chosen, 1, told)
    assert "There are no files." in read(tmp_path / "page.html").text
