"""A file-set for interchange media (PS3.10 8): the released files once more, under File IDs, with a new DICOMDIR."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.attributes import dummies
from deid.errors import BadState, Deferred

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

MEDIA: Final = "MEDIA"
_DIRECTORY: Final = "DICOMDIR"
_KEYS: Final = {
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyID": "SH",
    "Modality": "CS",
    "SeriesNumber": "IS",
    "InstanceNumber": "IS",
    "ContentDate": "DA",
    "ContentTime": "TM",
}
"""Keys of Type 1 in directory records (PS3.3 F.5) that may be empty in an object, above all in a de-identified one."""


def write_file_set(target: Path, released: Iterable[Path]) -> None:
    """Make `target`/MEDIA, ready to be put on a disc; an earlier one is replaced. It is made from released files only.

    The names below `target` are too long for a File ID (PS3.10 8.2: eight characters), hence the copies: the verified
    bytes of the released files. Raises Deferred when it cannot be made; everything else is released all the same.
    """
    from pydicom.fileset import FileSet  # noqa: PLC0415 - nothing else in a run needs it

    media, unfinished = target / MEDIA, target / f".{MEDIA}"
    if media.exists() and not (media / _DIRECTORY).exists():
        raise BadState(f"{media} is no file-set of an earlier run, and is not overwritten")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            file_set = FileSet()
            try:
                sources = {file_set.add(_header(path)).SOPInstanceUID: path for path in released}
                if not sources:
                    return
                file_set.write(unfinished)
            finally:
                file_set._stage["t"].cleanup()  # noqa: SLF001 - pydicom leaves its copies to the garbage collector
            for instance in file_set:
                shutil.copyfile(sources[instance.SOPInstanceUID], instance.path)
            shutil.rmtree(media, ignore_errors=True)
            unfinished.rename(media)
        except OSError as error:
            raise Deferred(f"the output is released, but no {_DIRECTORY} can be written ({error.strerror})") from None
        except Exception as error:  # noqa: BLE001 - its text may quote a value
            raise Deferred(
                f"the output is released, but no {_DIRECTORY} can be made of it ({type(error).__name__}):"
                " perhaps an object lacks what a directory record must have (PS3.3 F.5)"
            ) from None


def _header(path: Path) -> Dataset:
    """What directory records are made of. It replaces no file: its file is overwritten with the released bytes."""
    from pydicom import dcmread  # noqa: PLC0415 - as above

    dataset = dcmread(path, stop_before_pixels=True)
    for keyword, vr in _KEYS.items():
        if dataset.get(keyword) in (None, ""):
            setattr(dataset, keyword, dummies.VALUES[vr].decode("ascii"))
    # PS3.3 F.5.25: the record of a report holds what modifies its title, and when it was verified last.
    modifiers = [
        item for item in dataset.get("ContentSequence", ()) if item.get("RelationshipType") == "HAS CONCEPT MOD"
    ]
    dataset.pop("ContentSequence", None)
    if modifiers:
        dataset.ContentSequence = modifiers
    verified = [item.get("VerificationDateTime") or "" for item in dataset.get("VerifyingObserverSequence", ())]
    if any(verified):
        dataset.VerificationDateTime = max(verified)
    if not dataset.get("PatientID"):
        dataset.PatientID = path.parents[2].name  # the folder that objects without a Patient ID are in
    return dataset
