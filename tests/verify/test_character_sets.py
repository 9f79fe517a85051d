"""Names in items that have a character set of their own, and names in other letters among many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import deid
from deid.errors import Leak

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 0x00281055  # Window Center & Width Explanation: LO, kept by every profile
FRAMES, OPERATORS, CREATOR = 0x52009229, 0x00081070, 0x00700084
CYRILLIC, CHINESE, UNICODE = "ISO_IR 144", "GB18030", "ISO_IR 192"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


def _item(character_set: str, **values: str) -> Dataset:
    """Encoded as its own set says, or as that of what is around it."""
    item = Dataset()
    if character_set:
        item.SpecificCharacterSet = character_set
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _object(character_set: str, items: list[Dataset]) -> Dataset:
    made = _item(character_set)
    made.file_meta = FileMetaDataset()
    made.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.66")
    made.SOPInstanceUID, made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4.5", "1.2.3", "1.2.3.4"
    made.PatientID = "QZ-4711"
    made.add_new(FRAMES, "SQ", items)
    return made


def _survives(made: Dataset, folder: Path, syntax: UID = ExplicitVRLittleEndian) -> bool:
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(folder / "source", enforce_file_format=True)
    try:
        deid.deidentify_file(folder / "source", folder / "target", deid.load_plan("basic"), b"k" * 32)
    except Leak:
        return True
    return False


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("named", "told"), [(CYRILLIC, UNICODE), (UNICODE, CYRILLIC), (CHINESE, UNICODE), (UNICODE, CHINESE)]
)
@pytest.mark.parametrize("outer", ["of the name", "of the text", "of neither"])
def test_a_name_and_a_text_in_sets_of_their_own(outer: str, named: str, told: str, syntax: UID, tmp_path: Path) -> None:
    name, text = ("张^伟", "患者张伟肝脏") if CHINESE in (named, told) else ("Иванов^Пётр", "из ИВАНОВ, слева")
    around = {"of the name": named, "of the text": told, "of neither": "ISO_IR 100"}[outer]
    own = {each: "" if each == around else each for each in (named, told)}

    def made(said: str) -> Dataset:
        names = _item(own[named], OperatorsName=name)
        return _object(around, [names, _item(own[told], WindowCenterWidthExplanation=said)])

    assert _survives(made(text), tmp_path, syntax)
    assert not _survives(made("患者肝脏" if text[0] == "患" else "слева"), tmp_path, syntax)
