"""A file-set for interchange media (PS3.10 8): the released files once more, under File IDs, with a new DICOMDIR."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.filereader import read_file_meta_info

from deid.attributes import dummies
from deid.errors import BadState, Deferred
from deid.forward.directory import Directory
from deid.part10.target import IMPLEMENTATION_CLASS_UID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from deid.forward.folder import Folder

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


def check(target: Path) -> None:
    """Raises BadState when `target`/MEDIA is not a file-set of ours, which a new one may replace."""
    media = target / MEDIA
    if not os.path.lexists(media):
        return
    try:
        meta = read_file_meta_info(media / _DIRECTORY)
        ours = not media.is_symlink() and meta.get("ImplementationClassUID") == IMPLEMENTATION_CLASS_UID
        ours = ours and all(re.fullmatch(rf"{_DIRECTORY}|[PI]\d{{7}}", path.name) for path in media.iterdir())
    except Exception:  # noqa: BLE001 - whatever pydicom raises for what is not DICOM
        ours = False
    if not ours:
        raise BadState(f"{media} is no file-set of an earlier run, or holds other files too: it is not overwritten")


def write_file_set(folder: Folder, released: Iterable[Path]) -> None:
    """Make MEDIA in the output folder, ready to be put on a disc. Raises Deferred when it cannot be made.

    An earlier one is replaced; no object, no file-set. The names of the released files are too long for a File ID
    (PS3.10 8.2: eight characters), hence the copies of the verified bytes.
    """
    staged = folder.unpublished_folder(MEDIA)
    directory, found = Directory(), False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        try:
            for path in released:
                copy = staged.joinpath(*directory.add(_header(path)))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                found = True
            if found:
                (staged / _DIRECTORY).write_bytes(directory.encoded())
        except OSError as error:
            raise Deferred(f"the output is released, but no {_DIRECTORY} can be written ({error.strerror})") from None
        except Exception as error:  # noqa: BLE001 - its text may quote a value
            raise Deferred(
                f"the output is released, but no {_DIRECTORY} can be made of it ({type(error).__name__}):"
                " perhaps an object lacks what a directory record must have (PS3.3 F.5)"
            ) from None
    folder.publish_folder(MEDIA)


def _header(path: Path) -> Dataset:
    """What directory records are made of."""
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
