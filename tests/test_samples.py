"""The samples are what they claim: always the same, full of what must go, and otherwise sound DICOM."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from deid.samples import PLANTED, make
from deid.samples.patients import ROOT

CHECKOUT = Path(__file__).resolve().parents[1] / "samples" / "studies"
FILES = (
    *("CT/IM000001", "CT/IM000002", "CT/IM000003", "RT/RS000001", "SR/SR000001", "MR/IM000001", "MR/IM000002"),
    *("DOC/REPORT.dcm", "US/IM000001", "SR/SR000002", "MR/IM000003", "MR/IM000004", "DICOMDIR"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make(folder)
    return folder


def _inflated(path: Path) -> bytes:
    encoded = path.read_bytes()
    if pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID != DeflatedExplicitVRLittleEndian:
        return encoded
    # Preamble and prefix, group length element, and as much as that says (PS3.10 7.1).
    start = 144 + int.from_bytes(encoded[140:144], "little")
    return encoded[:start] + zlib.decompress(encoded[start:], -zlib.MAX_WBITS)


def _text(encoded: bytes) -> str:
    """The bytes read as ISO_IR 100, where ISO 2022 IR 87 was not switched on."""
    kanji = re.compile(rb"\x1b\$B((?:[!-~]{2})+)\x1b\(B")
    as_text, end = "", 0
    for run in kanji.finditer(encoded):
        as_text += encoded[end : run.start()].decode("latin-1") + run.group().decode("iso2022_jp")
        end = run.end()
    return as_text + encoded[end:].decode("latin-1")


def test_make_returns_every_file_it_writes(tmp_path: Path) -> None:
    written = make(tmp_path)
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path).as_posix() for path in written] == list(FILES)


def test_making_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for path in make(tmp_path):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes(), path.name


def test_the_folder_in_the_checkout_is_what_make_writes(folder: Path) -> None:
    if not (CHECKOUT / "DICOMDIR").exists():
        pytest.skip("no samples/studies in this checkout")
    there = {path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.rglob("*") if path.is_file()}
    assert there == set(FILES)
    for file in FILES:  # inflated, because another zlib may deflate to other bytes
        assert _inflated(CHECKOUT / file) == _inflated(folder / file), file


def test_every_planted_string_is_in_some_file(folder: Path) -> None:
    everything = "\n".join(_text(_inflated(folder / file)) for file in FILES)
    assert [planted for planted in PLANTED if planted not in everything] == []


@pytest.mark.parametrize("file", FILES)
def test_every_name_date_time_and_uid_in_a_file_is_listed_as_planted(folder: Path, file: str) -> None:
    dataset = pydicom.dcmread(folder / file)
    unlisted = [
        str(element.tag)
        for element in (*dataset.file_meta, *dataset.iterall())
        for value in (element.value if element.VM > 1 else [element.value])
        if value
        and (
            (element.VR in {"PN", "DA", "DT", "TM"} and not any(planted in str(value) for planted in PLANTED))
            or (element.VR == "UI" and value.startswith(ROOT) and value not in PLANTED)
        )
    ]
    assert unlisted == []


def test_preamble_and_file_meta_identify_in_every_file(folder: Path) -> None:
    for file in FILES:
        head = (folder / file).read_bytes()
        assert any(planted.encode() in head[:128] for planted in PLANTED if planted.isascii()), file
        assert pydicom.dcmread(folder / file).file_meta.SourceApplicationEntityTitle in PLANTED, file


def test_no_file_name_identifies() -> None:
    assert [planted for planted in PLANTED for file in FILES if planted.lower() in file.lower()] == []


def test_every_native_transfer_syntax_is_there(folder: Path) -> None:
    found = {pydicom.dcmread(folder / file).file_meta.TransferSyntaxUID.name for file in FILES}
    assert found == {
        "Implicit VR Little Endian",
        "Explicit VR Little Endian",
        "Explicit VR Big Endian",
        "Deflated Explicit VR Little Endian",
    }


def test_a_reference_to_a_sample_finds_it(folder: Path) -> None:
    datasets = [pydicom.dcmread(folder / file) for file in FILES[:-1]]
    instances = {dataset.SOPInstanceUID: dataset.SOPClassUID for dataset in datasets}
    references = [
        item
        for dataset in datasets
        for element in dataset.iterall()
        if element.keyword in {"ReferencedImageSequence", "ContourImageSequence", "ReferencedSOPSequence"}
        for item in element.value
    ]
    assert references
    for item in references:
        assert instances[item.ReferencedSOPInstanceUID] == item.ReferencedSOPClassUID


def test_the_directory_leads_to_every_file_but_the_one_it_cannot_name(folder: Path) -> None:
    directory = pydicom.dcmread(folder / "DICOMDIR")
    records = {record.seq_item_tell: record for record in directory.DirectoryRecordSequence}
    waiting = [directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity]
    led_to = []
    while waiting:
        record = records.pop(waiting.pop())
        if "ReferencedFileID" in record:
            led_to.append("/".join(record.ReferencedFileID))
        following = (record.OffsetOfReferencedLowerLevelDirectoryEntity, record.OffsetOfTheNextDirectoryRecord)
        waiting += [offset for offset in following if offset]
    assert records == {}
    assert sorted(led_to) == sorted(set(FILES) - {"DICOMDIR", "DOC/REPORT.dcm"})


def test_the_whole_folder_is_small(folder: Path) -> None:
    assert sum((folder / file).stat().st_size for file in FILES) < 700_000


@pytest.mark.parametrize("file", FILES)
def test_dciodvfy_finds_no_error(folder: Path, tmp_path: Path, file: str) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    checked = folder / file
    dataset = pydicom.dcmread(checked)
    if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:  # it cannot inflate
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        checked = tmp_path / "inflated"
        dataset.save_as(checked)
    done = subprocess.run(["dciodvfy", checked], capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode("latin-1")
    errors = [line for line in said.splitlines() if "Error - " in line]
    if b"ISO 2022 IR 87" in _inflated(folder / file):
        # It takes the second byte of 本 for the backslash between two values.
        errors = [line for line in errors if "Bad attribute Value Multiplicity" not in line]
    assert errors == []
