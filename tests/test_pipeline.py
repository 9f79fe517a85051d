"""One object: what is left in the end is verified and complete, or there is nothing and a reason."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

from deid import pipeline as room
from deid import samples
from deid.attributes.keys import derive
from deid.errors import Rejected, Unreadable
from deid.part10 import target
from deid.part10.source import Limits
from deid.pipeline import MediaDirectory, Pipeline, Survived
from deid.profile.plan import load_plan

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
PLACE = "WindowCenterWidthExplanation"  # LO, kept by every profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return folder


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(load_plan(), derive(KEY), Limits(), tmp_path)


@pytest.fixture
def leaking(folder: Path, tmp_path: Path) -> Path:
    dataset = pydicom.dcmread(io.BytesIO((folder / "CT/IM000001").read_bytes()))
    setattr(dataset, PLACE, "for Grünwald")
    dataset.save_as(tmp_path / "leaking")
    return tmp_path / "leaking"


def test_the_path_is_made_of_the_new_identity(pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    result = pipeline.deidentify(folder / "CT/IM000001", tmp_path / "part")
    made = pydicom.dcmread(tmp_path / "part")
    identity = (made.PatientID, made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
    assert result.path == "/".join(identity) + ".dcm"
    assert result.original_instance == pydicom.dcmread(folder / "CT/IM000001").SOPInstanceUID
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID


def test_the_same_key_gives_the_same_bytes_and_another_key_others(
    pipeline: Pipeline, folder: Path, tmp_path: Path
) -> None:
    other = Pipeline(pipeline.plan, derive(KEY[::-1]), pipeline.limits, tmp_path)
    for name, by in (("one", pipeline), ("two", pipeline), ("three", other)):
        by.deidentify(folder / "MR/IM000001", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() != (tmp_path / "three").read_bytes()


def test_the_source_is_not_changed(pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    before = (folder / "US/IM000001").read_bytes()
    pipeline.deidentify(folder / "US/IM000001", tmp_path / "part")
    assert (folder / "US/IM000001").read_bytes() == before


def test_a_survivor_is_named_by_its_place_and_leaves_no_file(pipeline: Pipeline, leaking: Path, tmp_path: Path) -> None:
    with pytest.raises(Survived) as said:
        pipeline.deidentify(leaking, tmp_path / "part")
    assert {(finding.attribute, finding.of) for finding in said.value.findings} == {(PLACE, "PatientName")}
    assert PLACE in str(said.value)
    assert "rünwald" not in repr(said.value)
    assert not (tmp_path / "part").exists()


def test_what_a_person_accepted_passes_there_and_nowhere_else(
    pipeline: Pipeline, leaking: Path, tmp_path: Path
) -> None:
    pipeline.deidentify(leaking, tmp_path / "part", frozenset({PLACE}))
    assert pydicom.dcmread(tmp_path / "part")[PLACE].value == "for Grünwald"
    with pytest.raises(Survived):
        pipeline.deidentify(leaking, tmp_path / "other", frozenset({"ImageComments"}))


def test_a_media_directory_is_not_copied(pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaDirectory):
        pipeline.deidentify(folder / "DICOMDIR", tmp_path / "part")
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("damage", [lambda pieces: pieces[:-1], lambda pieces: (*pieces, b"\0\0"), lambda _: ()])
def test_bytes_that_went_wrong_on_their_way_are_found(
    pipeline: Pipeline, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[..., Any]
) -> None:
    write = target.write
    monkeypatch.setattr(
        room, "write", lambda path, source, meta, pieces: write(path, source, meta, damage(tuple(pieces)))
    )
    with pytest.raises(Rejected):
        pipeline.deidentify(folder / "CT/IM000001", tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_an_interrupt_leaves_no_file(
    pipeline: Pipeline, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pipeline.deidentify(folder / "CT/IM000001", tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_a_file_that_somebody_writes_to_meanwhile_is_held(
    pipeline: Pipeline, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes((folder / "CT/IM000001").read_bytes())
    write = target.write

    def meanwhile(path: Path, *rest: Any) -> None:
        write(path, *rest)
        with source.open("r+b") as file:
            file.seek(-2, 2)
            file.write(b"\1\2")

    monkeypatch.setattr(room, "write", meanwhile)
    with pytest.raises(Unreadable, match="changed while it was read"):
        pipeline.deidentify(source, tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_an_object_that_is_called_a_media_directory_is_held_and_counted(
    pipeline: Pipeline, folder: Path, tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(folder / "CT/IM000001")
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    pydicom.dcmwrite(tmp_path / "called", dataset)
    with pytest.raises(Rejected, match="which it is not"):
        pipeline.deidentify(tmp_path / "called", tmp_path / "part")


@pytest.mark.parametrize("kind", [1, 2])
def test_sound_is_held_for_it_may_be_a_voice(kind: int, pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(folder / "CT/IM000001")
    dataset.SOPClassUID = pydicom.uid.UID(f"1.2.840.10008.5.1.4.1.1.9.4.{kind}")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    pydicom.dcmwrite(tmp_path / "sound", dataset)
    with pytest.raises(Rejected, match="a voice"):
        pipeline.deidentify(tmp_path / "sound", tmp_path / "part")


def test_the_source_is_not_overwritten_by_its_own_result(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes((folder / "CT/IM000001").read_bytes())
    with pytest.raises(Rejected, match="never overwritten"):
        room.deidentify_file(source, source, load_plan(), KEY)
    assert source.read_bytes() == (folder / "CT/IM000001").read_bytes()


def test_a_name_in_a_large_binary_value_is_found(pipeline: Pipeline, folder: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO((folder / "CT/IM000001").read_bytes()))
    name = str(dataset.PatientName).encode("latin-1", "replace").split(b"^")[1]
    dataset.RedPaletteColorLookupTableData = (
        b"\1\2\3\4" * 8000 + b" " + name + b" " + str(dataset.PatientID).encode() + b"\0" * 8000
    )
    dataset.save_as(tmp_path / "large")
    with pytest.raises(Survived, match="RedPaletteColorLookupTableData"):
        pipeline.deidentify(tmp_path / "large", tmp_path / "part")


@pytest.mark.parametrize("nested", [False, True])
def test_an_icc_profile_says_nothing_and_stays(
    nested: bool,  # noqa: FBT001 - a parameter of the test
    pipeline: Pipeline,
    folder: Path,
    tmp_path: Path,
) -> None:
    owner = b"Una's own screen"
    dataset, profile = pydicom.dcmread(folder / "CT/IM000001"), bytearray(40_000)  # large enough to stay on disk
    profile[:4], profile[36:40], profile[128:132] = (40_000).to_bytes(4, "big"), b"acsp", b"\0\0\0\1"
    profile[132:144] = b"desc" + (144).to_bytes(4, "big") + (30_000).to_bytes(4, "big")
    profile[200:216] = owner
    item: pydicom.Dataset = dataset
    if nested:
        item = pydicom.Dataset()
        dataset.OpticalPathSequence = [item]
    item.ICCProfile = bytes(profile)
    dataset.save_as(tmp_path / "coloured")
    pipeline.deidentify(tmp_path / "coloured", tmp_path / "part")
    content = (tmp_path / "part").read_bytes()
    published = pydicom.dcmread(io.BytesIO(content))
    found = (published.OpticalPathSequence[0] if nested else published).ICCProfile
    assert owner not in content
    assert found[36:40] == b"acsp"
    assert len(found) == int.from_bytes(found[:4], "big")
