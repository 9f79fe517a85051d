from __future__ import annotations

import io
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.fileset import FileSet

from deid import samples
from deid.errors import BadState, Deferred
from deid.forward.folder import UNPUBLISHED, Folder
from deid.forward.media import MEDIA, check, write_file_set
from deid.part10.target import IMPLEMENTATION_CLASS_UID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def make(target: Path, released: Iterable[Path]) -> None:
    with closing(Folder(target)) as folder:
        write_file_set(folder, released)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A report without what directory records must have, under the names of a released object."""
    samples.make(tmp_path / "samples")
    dataset = pydicom.dcmread(tmp_path / "samples/SR/SR000001")
    for keyword in ("StudyDate", "StudyTime", "StudyID", "SeriesNumber", "PatientID", "PatientName"):
        setattr(dataset, keyword, "")
    path = tmp_path / "out/without-patient-id/1.2/1.2.3/1.2.3.4.dcm"
    path.parent.mkdir(parents=True)
    dataset.save_as(path)
    return path


def records(target: Path) -> dict[str, pydicom.Dataset]:
    directory = pydicom.dcmread(target / MEDIA / "DICOMDIR")
    return {record.DirectoryRecordType: record for record in directory.DirectoryRecordSequence}


def test_keys_that_the_object_lacks_are_in_the_records_and_not_in_the_copy(released: Path, tmp_path: Path) -> None:
    make(tmp_path / "out", [released])
    found = records(tmp_path / "out")
    assert found["PATIENT"].PatientID == "without-patient-id"
    assert (found["STUDY"].StudyDate, found["STUDY"].StudyTime) == ("19000101", "000000")
    copy = tmp_path.joinpath("out", MEDIA, *found["SR DOCUMENT"].ReferencedFileID)
    assert copy.read_bytes() == released.read_bytes()
    assert all(len(component) <= 8 for component in found["SR DOCUMENT"].ReferencedFileID)


def test_the_record_of_a_report_holds_no_text_of_it(released: Path, tmp_path: Path) -> None:
    make(tmp_path / "out", [released])
    record = records(tmp_path / "out")["SR DOCUMENT"]
    assert "ContentSequence" not in record
    assert record.VerificationDateTime == "20190515113000.250000"


def test_an_object_that_no_record_can_name_is_said_without_its_values(released: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(released)
    del dataset.SeriesInstanceUID
    dataset.save_as(released)
    with pytest.raises(Deferred, match=r"the output is released, but no DICOMDIR can be made of it \(KeyError\)"):
        make(tmp_path / "out", [released])
    assert not (tmp_path / "out" / MEDIA).exists()


def test_nothing_released_gives_no_file_set(tmp_path: Path) -> None:
    make(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_file_set_of_nothing_takes_the_earlier_one_away(released: Path, tmp_path: Path) -> None:
    make(tmp_path / "out", [released])
    check(tmp_path / "out")
    make(tmp_path / "out", [])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["without-patient-id"]


@pytest.mark.parametrize("kind", ["notes", "media", "beside", "link", "file"])
def test_what_is_of_somebody_else_is_refused(released: Path, tmp_path: Path, kind: str) -> None:
    media = tmp_path / "out" / MEDIA
    if kind in ("beside", "link"):
        make(tmp_path / "out", [released])
    match kind:
        case "notes":
            media.mkdir()
            (media / "notes").touch()
        case "media":
            media.mkdir()
            shutil.copy(tmp_path / "samples/DICOMDIR", media)
        case "beside":
            (media / "notes").touch()
        case "link":
            media.rename(tmp_path / "elsewhere")
            media.symlink_to(tmp_path / "elsewhere")
        case "file":
            media.touch()
    with pytest.raises(BadState, match="not overwritten"):
        check(tmp_path / "out")


def test_hidden_folders_of_somebody_else_stay(released: Path, tmp_path: Path) -> None:
    (tmp_path / "out/.MEDIA").mkdir()
    (tmp_path / "out/.MEDIA/notes").touch()
    make(tmp_path / "out", [released])
    assert (tmp_path / "out/.MEDIA/notes").exists()
    assert not (tmp_path / "out" / UNPUBLISHED).exists()


def test_pydicom_reads_every_object_of_the_directory(tmp_path: Path) -> None:
    samples.make(tmp_path / "samples")
    objects = [path for path in (tmp_path / "samples").rglob("*") if path.is_file() and path.name != "DICOMDIR"]
    make(tmp_path / "out", objects)
    file_set = FileSet(tmp_path / "out" / MEDIA / "DICOMDIR")  # reads all records by their offsets
    headers = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, objects)}
    assert sorted(instance.SOPInstanceUID for instance in file_set) == sorted(headers)
    for instance in file_set:
        header = headers[instance.SOPInstanceUID]
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"):
            assert instance[keyword].value == header[keyword].value
        assert instance.load() == header
    file_set._stage["t"].cleanup()
    written = io.BytesIO()
    expected = pydicom.dcmread(tmp_path / "out" / MEDIA / "DICOMDIR")
    assert expected.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    expected.save_as(written)
    assert written.getvalue()[132:] == (tmp_path / "out" / MEDIA / "DICOMDIR").read_bytes()[132:]


def test_an_object_is_compared_with_no_other(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileSet, "__iter__", lambda _: pytest.fail("each object costs a look at all before it"))
    make(tmp_path / "out", [released])
