"""The report of what was released: complete, readable, and free of everything that identifies."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom import dcmread

from deid import samples
from deid.errors import BadState
from deid.report import output
from deid.samples import planted
from deid.samples.patients import GRUENWALD, ROOT
from deid.samples.planted import PLANTED
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert(1)</script>"
KEEPS = """\
version: 1
base: basic
rules:
  - {attribute: SeriesDescription, action: K, reason: "%s"}
  - {attribute: PatientID, action: K, reason: linkage, allow_identifiers: true}
  - {attribute: Manufacturer, action: Z, reason: "no trade names"}
"""


@pytest.fixture(scope="module")
def page(batch_of_samples: Any) -> Any:
    return batch_of_samples.report()


@pytest.fixture(scope="module")
def data(batch_of_samples: Any, page: Any) -> Any:
    assert page
    return json.loads((batch_of_samples.state / output.DATA).read_text())


def test_no_identifying_value_of_the_originals(batch_of_samples: Any, page: Any) -> None:
    told = page.without_pictures + (batch_of_samples.state / output.DATA).read_text()
    assert [value for value in PLANTED if value in told] == []
    assert [value for value in PLANTED for jpeg in page.jpegs if value.encode() in jpeg] == []
    for path in (batch_of_samples.folder, *(batch_of_samples.folder / "in").rglob("*")):
        assert str(path) not in told


def test_the_balance(page: Any, data: Any) -> None:
    (found,) = data["batches"]
    balance = found["balance"]
    assert balance["received"] == sum(balance.values()) - balance["received"] == len(samples_of_objects())
    assert f"received {balance['received']} = released {balance['released']} + held 0" in page.text
    assert "Nothing is held back" in page.text


def samples_of_objects() -> list[str]:
    return [file for series in planted.SERIES for file in series.files]


def test_what_was_chosen_and_what_it_means(page: Any, data: Any) -> None:
    profile = {"profile": "default", "options": ["clean-pixel-data"], "rules": 0, "claims": True}
    assert data["batches"][0]["profile"] == profile
    assert "Profile: default , with the options clean-pixel-data" in page.text
    assert "Text in the images is searched for" in page.text


def test_actions_are_counted_in_objects(page: Any, data: Any) -> None:
    actions = {(each["attribute"], each["action"]): each["objects"] for each in data["batches"][0]["actions"]}
    assert actions["SOPInstanceUID", "U"] == data["batches"][0]["balance"]["released"]
    assert ("PatientName", "pseudonym") in actions
    assert "replaced by a pseudonym" in page.text


def test_series_have_their_pictures_and_their_new_names(batch_of_samples: Any, page: Any, data: Any) -> None:
    series = data["batches"][0]["series"]
    folders = {path.parent.relative_to(batch_of_samples.target) for path in batch_of_samples.target.rglob("*.dcm")}
    assert {f"{each['patient']}/{each['study']}/{each['series']}" for each in series} == set(map(str, folders))
    assert sum(each["objects"] for each in series) == data["batches"][0]["balance"]["released"]
    kinds = {each["sop_class"]: each for each in series}
    assert len(kinds["CT Image"]["shown"]) == 3
    assert kinds["Basic Text SR"]["shown"] == []
    (shown,) = kinds["Ultrasound Image"]["shown"]
    assert shown["boxes"]
    assert kinds["Ultrasound Image"]["masked"] == 1
    assert len(page.jpegs) == sum(len(each["shown"]) for each in series)
    assert len([1 for tag, _ in page.elements if tag == "rect"]) == sum(
        len(shown["boxes"]) for each in series for shown in each["shown"]
    )
    assert f"ID {shown['ticket']}" in page.text


def test_what_was_released_without_the_claim_and_why(page: Any, data: Any) -> None:
    unclaimed = data["batches"][0]["pixels"]["unclaimed"]
    assert unclaimed["original CT image, and a glance shows no text"] > 0
    for because in unclaimed:
        assert because in page.text


def test_the_page_loads_nothing_and_runs_nothing(page: Any) -> None:
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "form", "base"})
    for _, attributes in page.elements:
        assert {"href", "onclick", "onload", "srcset"}.isdisjoint(attributes)
        assert (attributes.get("src") or "data:").startswith("data:image/jpeg;base64,") or "src" not in attributes
    assert "url(" not in page.source
    assert "@import" not in page.source
    policies = [each["content"] for tag, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_what_cannot_be_seen_is_said(page: Any) -> None:
    alternatives = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert alternatives
    assert all(text and text.startswith("ID ") for text in alternatives)
    assert any("1 area masked" in text for text in alternatives)
    headers = [attributes for tag, attributes in page.elements if tag == "th"]
    assert headers
    assert all(attributes["scope"] == "col" for attributes in headers)
    assert [attributes["lang"] for tag, attributes in page.elements if tag == "html"] == ["en"]
    assert next(tag for tag, _ in page.elements if tag in ("h1", "h2", "h3")) == "h1"


def test_only_their_owner_reads_them(batch_of_samples: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    for _ in range(2):  # the second takes the place of the first
        batch_of_samples.report(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_not_among_what_goes_out(batch_of_samples: Any) -> None:
    for folder in (batch_of_samples.target, batch_of_samples.target / "report", batch_of_samples.folder / "in"):
        with pytest.raises(BadState, match="name a folder apart"):
            batch_of_samples.report(folder)


def test_a_folder_that_cannot_be_written(batch_of_samples: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadState, match="no report can be written"):
        batch_of_samples.report(tmp_path / "file")


def test_a_ledger_without_a_batch(new_batch: Any) -> None:
    Vault.open(new_batch.state).close()
    assert "Nothing was de-identified yet" in new_batch.report().text


def test_what_is_kept_on_purpose_or_hostile_does_not_get_in(new_batch: Any) -> None:
    samples.make(new_batch.folder / "in")
    (ct, *_), kept = planted.CT.files, "Villain " + HOSTILE
    dataset = dcmread(new_batch.folder / "in" / ct)
    dataset.SeriesDescription = kept
    dataset.save_as(new_batch.folder / "in" / ct)
    profile = new_batch.folder / "mueller.yaml"
    profile.write_text(KEEPS % HOSTILE)
    assert new_batch.run(str(profile)).held == 0
    assert any(kept.encode() in path.read_bytes() for path in new_batch.target.rglob("*.dcm"))
    page = new_batch.report()
    told = page.without_pictures + (new_batch.state / output.DATA).read_text()
    assert "Villain" not in told
    assert "line 6 of the profile: no trade names" in page.text
    assert "mueller" not in told
    assert not [path for path in new_batch.state.rglob("*") if path.is_file() and b"mueller.yaml" in path.read_bytes()]
    assert GRUENWALD.person["PatientID"] not in told
    assert "script" not in {tag for tag, _ in page.elements}
    assert "a profile file of your own" in page.text
    assert "keeps identifiers on purpose" in page.text
    assert "nobody looks for text in the pixels" in page.text
    assert not [1 for each in json.loads((new_batch.state / output.DATA).read_text())["batches"][0]["series"]
                if each["patient"]]  # fmt: skip


def test_lines_that_stay_readable_are_counted(new_batch: Any) -> None:
    picture = np.zeros((240, 320), np.uint8)
    cv2.putText(picture, "TE: 15 ms", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 250, 1, cv2.LINE_8)
    cv2.putText(picture, "GRUENWALD", (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 250, 1, cv2.LINE_8)
    samples.make(new_batch.folder / "made")
    dataset = dcmread(new_batch.folder / "made" / planted.US.files[0])
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *picture.shape, 1
    dataset.PhotometricInterpretation, dataset.PixelData = "MONOCHROME2", picture.tobytes()
    del dataset.PlanarConfiguration
    dataset.save_as(new_batch.folder / "in" / "us")
    profile = new_batch.folder / "phi.yaml"
    profile.write_text("version: 1\nbase: default\npixels: {mask: phi}\n")
    assert new_batch.run(str(profile)).released == 1
    assert "Technical text stays readable: 1 line, in 1 object" in new_batch.report().text
    found = json.loads((new_batch.state / output.DATA).read_text())["batches"][0]["pixels"]
    assert (found["lines"], found["kept"], found["boxes"]) == (1, 1, 1)


def test_original_uids_that_are_kept_are_not_told(new_batch: Any) -> None:
    samples.make(new_batch.folder / "in")
    new_batch.run("basic", "retain-uids")
    page = new_batch.report()
    assert planted.CT.uid in "".join(map(str, new_batch.target.rglob("*.dcm")))
    assert ROOT not in page.without_pictures + (new_batch.state / output.DATA).read_text()
    assert "The original UIDs stay" in page.text


def test_files_that_were_damaged_or_deleted_later(new_batch: Any) -> None:
    samples.make(new_batch.folder / "in")
    new_batch.run("basic")
    first, second, *_ = sorted(
        path for path in new_batch.target.rglob("*.dcm") if dcmread(path, stop_before_pixels=True).Modality == "CT"
    )
    first.unlink()
    second.write_bytes(second.read_bytes()[:1000])
    page = new_batch.report()
    assert "1 released object is not in the output folder any more." in page.text
    assert "No picture: the file cannot be opened (No such file or directory)." in page.text
    assert "runs past the end of the file." in page.text
    assert page.jpegs
    assert json.loads((new_batch.state / output.DATA).read_text())["batches"][0]["missing"] == 1


def test_what_is_held_and_what_to_do_about_it(new_batch: Any) -> None:
    samples.make(new_batch.folder / "in")
    (new_batch.folder / "in" / "note.txt").write_text("not DICOM")
    (new_batch.folder / "in" / "cut").write_bytes((new_batch.folder / "in" / planted.CT.files[0]).read_bytes()[:900])
    summary = new_batch.run("basic")
    assert (summary.held, summary.unreadable) == (1, 1)
    with Vault.open(new_batch.state) as vault:
        held, unreadable = sorted(
            Queue(vault.connection, vault.keys).kept_back(), key=lambda ticket: ticket.state.value
        )
    page = new_batch.report()
    assert "2 objects are not released" in page.text
    assert "Cannot be cleaned or checked: 1 object" in page.text
    assert f"{held.reason} 1 {held.number}" in page.text
    assert "Unreadable: 1 object" in page.text
    assert f"{unreadable.reason} 1 {unreadable.number}" in page.text
    assert page.text.index("deid queue retry ID") < page.text.index("Unreadable: ")


def test_every_batch_of_the_ledger_is_told_newest_first(new_batch: Any) -> None:
    samples.make(new_batch.folder / "in")
    new_batch.run("basic")
    new_batch.run("teleradiology")
    page = new_batch.report()
    assert page.text.index("Batch 2:") < page.text.index("Batch 1:")
    numbers = [each["batch"] for each in json.loads((new_batch.state / output.DATA).read_text())["batches"]]
    assert numbers == [2, 1]
