"""An object of a manufacturer's own SOP class goes the whole way, where the settings name the class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from deid.errors import Rejected
from deid.samples.planted import PLANTED

from .site import Archive, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

CSA = UID("1.3.12.2.1107.5.9.1")
OTHER = "1.2.840.113619.4.30"


@pytest.fixture
def private(files: list[Path], tmp_path: Path) -> Path:
    dataset = dcmread(files[0])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CSA
    dataset.save_as(tmp_path / "private.dcm")
    return tmp_path / "private.dcm"


def peer(*classes: str) -> dict[str, object]:
    named = {"private_sop_classes": list(classes)} if classes else {}
    return {"ae_title": "CT1", "addresses": ["127.0.0.1"], "route": "research", **named}


def test_it_is_received_deidentified_and_delivered(tmp_path: Path, private: Path) -> None:
    archive = Archive(private=(CSA,))
    site = Site(tmp_path, archive.port, peers=[peer(OTHER, CSA)])
    with site.serving():
        site.send([private])
        eventually(lambda: len(archive.objects) == 1)
    archive.close()
    (content,) = archive.objects.values()
    assert CSA.encode() in content
    assert not [value for value in PLANTED if value.encode() in content]


@pytest.mark.parametrize("classes", [(), (OTHER,)])
def test_without_its_class_in_the_settings_it_is_not_accepted(
    tmp_path: Path, private: Path, classes: tuple[str, ...]
) -> None:
    site = Site(tmp_path, 1, peers=[peer(*classes)])
    with site.serving(), pytest.raises(Rejected, match="no presentation context"):
        site.send([private])


def test_a_destination_that_does_not_know_the_class_fails_for_a_person(tmp_path: Path, private: Path) -> None:
    archive = Archive()
    site = Site(tmp_path, archive.port, peers=[peer(CSA)])
    with site.serving():
        site.send([private])
        eventually(lambda: bool(site.said("delivery failed")))
    archive.close()
    (failed,) = site.said("delivery failed")
    assert "no presentation context" in str(failed["reason"])
