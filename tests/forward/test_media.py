from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
import pytest

from deid import samples
from deid.errors import BadState, Deferred
from deid.forward.media import MEDIA, write_file_set

if TYPE_CHECKING:
    from pathlib import Path


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
    write_file_set(tmp_path / "out", [released])
    found = records(tmp_path / "out")
    assert found["PATIENT"].PatientID == "without-patient-id"
    assert (found["STUDY"].StudyDate, found["STUDY"].StudyTime) == ("19000101", "000000")
    copy = tmp_path.joinpath("out", MEDIA, *found["SR DOCUMENT"].ReferencedFileID)
    assert copy.read_bytes() == released.read_bytes()
    assert all(len(component) <= 8 for component in found["SR DOCUMENT"].ReferencedFileID)


def test_the_record_of_a_report_holds_no_text_of_it(released: Path, tmp_path: Path) -> None:
    write_file_set(tmp_path / "out", [released])
    record = records(tmp_path / "out")["SR DOCUMENT"]
    assert "ContentSequence" not in record
    assert record.VerificationDateTime == "20190515113000.250000"


def test_an_object_that_no_record_can_name_is_said_without_its_values(released: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(released)
    del dataset.SeriesInstanceUID
    dataset.save_as(released)
    with pytest.raises(Deferred, match=r"the output is released, but no DICOMDIR can be made of it \(ValueError\)"):
        write_file_set(tmp_path / "out", [released])
    assert not (tmp_path / "out" / MEDIA).exists()


def test_nothing_released_gives_no_file_set(tmp_path: Path) -> None:
    write_file_set(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_stays(released: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / MEDIA).mkdir()
    (tmp_path / "out" / MEDIA / "notes").touch()
    with pytest.raises(BadState, match="not overwritten"):
        write_file_set(tmp_path / "out", [released])
    assert (tmp_path / "out" / MEDIA / "notes").exists()
