"""A name in an attribute that no rule touches is found before anything is published, and a person decides."""

from __future__ import annotations

import csv
import io
import os
import re
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import UID

from deid import samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLACE = "WindowCenterWidthExplanation"  # LO, kept by every profile
PATIENT = "SGB-570312-07"


@pytest.fixture
def leaking(source: Path, ct: Callable[..., bytes]) -> Path:
    dataset = pydicom.dcmread(io.BytesIO(ct(1)))
    setattr(dataset, PLACE, "for Grünwald")
    dataset.save_as(source / "leaking")
    (source / "sound").write_bytes(ct(2))
    return source


@pytest.fixture
def found(leaking: Path, target: Path, deid: Callable[..., Any]) -> str:
    """The number of the ticket in which verification has found the name."""
    said = deid("run", leaking, target, "--json", code=4)
    assert said.counts == {"released": 1, "held": 1, "leaks": 1}
    assert said.summary["reasons"] == [[f"an identifying value survives in {PLACE}", 1]]
    assert len(list(target.rglob("*.dcm"))) == 1
    (number,) = re.findall(r"^(\d+) .*survives", deid("queue", "list").out, re.MULTILINE)
    return str(number)


def test_what_is_shown_names_the_place_and_not_the_value(found: str, deid: Callable[..., Any]) -> None:
    said = deid("queue", "show", found)
    assert re.search(rf"{PLACE} +PatientName\n", said.out)
    assert "Grünwald" not in said.out


def test_release_publishes_it_with_the_next_run(
    found: str, leaking: Path, target: Path, deid: Callable[..., Any]
) -> None:
    deid("queue", "release", found, "--reason", "the name of a preset")
    assert len(list(target.rglob("*.dcm"))) == 1
    assert deid("run", leaking, target, "--json").counts == {"released": 2}
    assert sorted(pydicom.dcmread(path).get(PLACE, "") for path in target.rglob("*.dcm")) == ["", "for Grünwald"]
    deid("audit", "verify")


def test_release_does_not_hold_for_another_content_with_the_same_size_and_time(
    found: str, leaking: Path, target: Path, deid: Callable[..., Any]
) -> None:
    deid("queue", "release", found, "--reason", "the name of a preset")
    before = (leaking / "leaking").stat()
    content = (leaking / "leaking").read_bytes()
    (leaking / "leaking").write_bytes(content.replace("for Grünwald".encode(), "von Grünwald".encode()))
    os.utime(leaking / "leaking", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (leaking / "leaking").stat().st_size == before.st_size
    assert deid("run", leaking, target, "--json", code=4).counts == {"released": 1, "held": 1, "leaks": 1}


@pytest.mark.parametrize("decision", [("retry",), ("release", "--reason", "the name of a preset")])
def test_a_decision_is_not_forgotten_with_its_source(
    found: str, leaking: Path, target: Path, deid: Callable[..., Any], decision: tuple[str, ...]
) -> None:
    deid("queue", *decision, found)
    (leaking / "leaking").unlink()
    said = deid("run", leaking, target, "--json", code=3)
    assert said.counts == {"released": 1, "unreadable": 1}
    assert said.summary["reasons"] == [["the source is gone", 1]]
    assert f"{found}   unreadable" in deid("queue", "list").out
    deid("queue", "discard", found, "--reason", "deleted by the ward")
    assert deid("run", leaking, target, "--json").counts == {"released": 1, "discarded": 1}


def test_retry_finds_it_again(found: str, leaking: Path, target: Path, deid: Callable[..., Any]) -> None:
    deid("queue", "retry", found)
    assert deid("run", leaking, target, "--json", code=4).counts == {"released": 1, "held": 1, "leaks": 1}


def test_discard_ends_it(found: str, leaking: Path, target: Path, deid: Callable[..., Any]) -> None:
    deid("queue", "discard", found, "--reason", "not needed")
    assert deid("run", leaking, target, "--json").counts == {"released": 1, "discarded": 1}
    assert len(list(target.rglob("*.dcm"))) == 1


def test_the_crosswalk_leads_from_every_sample_to_its_output(
    source: Path, target: Path, tmp_path: Path, deid: Callable[..., Any]
) -> None:
    originals = [pydicom.dcmread(path) for path in samples.make(source) if path.name != "DICOMDIR"]
    assert deid("run", source, target, "--json").counts == {"released": len(originals), "dicomdir": 1}
    deid("crosswalk", "export", tmp_path / "crosswalk")
    rows = {}
    for name in ("uid_mapping.csv", "patid_mapping.csv"):
        with (tmp_path / "crosswalk" / name).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows[name] = {row["id_old"]: row["id_new"] for row in reader}
            assert reader.fieldnames == ["id_old", "id_new"]
    uids, patients = rows["uid_mapping.csv"], rows["patid_mapping.csv"]
    expected = {
        (
            patients[original.PatientID],
            *(uids[original[keyword].value] for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")),
        )
        for original in originals
    }
    assert {path.relative_to(target).with_suffix("").parts for path in target.rglob("*.dcm")} == expected
    assert (
        f"{originals[0].SOPInstanceUID} "
        in deid("crosswalk", "lookup", uids[originals[0].SOPInstanceUID], "--reason", "a test").out
    )
    assert PATIENT in patients


def test_a_dicomdir_leads_to_the_very_bytes_that_were_released(
    source: Path, target: Path, tree: Callable[[Path], Any], deid: Callable[..., Any]
) -> None:
    samples.make(source)
    for _ in range(2):  # the second replaces the first
        deid("run", source, target, "--dicomdir")
        released = sorted(digest for name, digest in tree(target).items() if name.endswith(".dcm"))
        media = {name: digest for name, digest in tree(target / "MEDIA").items() if name != "DICOMDIR"}
        assert sorted(media.values()) == released
        directory = pydicom.dcmread(target / "MEDIA/DICOMDIR")
        named = {
            UID(record.ReferencedSOPInstanceUIDInFile): target.joinpath("MEDIA", *record.ReferencedFileID)
            for record in directory.DirectoryRecordSequence
            if "ReferencedFileID" in record
        }
        assert len(named) == len(released)
        assert all(pydicom.dcmread(path).SOPInstanceUID == uid for uid, path in named.items())
        assert not [planted for planted in samples.PLANTED if planted in str(directory)]


def test_media_of_somebody_else_are_not_overwritten(
    source: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any]
) -> None:
    (source / "object").write_bytes(ct(1))
    (target / "MEDIA").mkdir(parents=True)
    (target / "MEDIA/notes").write_bytes(b"mine")
    assert "is not overwritten" in deid("run", source, target, "--dicomdir", code=2).err
    assert (target / "MEDIA/notes").read_bytes() == b"mine"
    assert list(target.rglob("*.dcm")) == []  # nothing has started
