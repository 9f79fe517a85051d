"""A file-set for interchange media (PS3.10 8): the released objects once more, under File IDs, with a new DICOMDIR."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIA: Final = "MEDIA"


def write_file_set(target: Path, released: Iterable[Path]) -> None:
    """Make `target`/MEDIA, ready to be put on a disc; an earlier one is replaced. It is made from released files only.

    The names below `target` are too long for a File ID (PS3.10 8.2: eight characters), hence the copies.
    """
    from pydicom.fileset import FileSet  # noqa: PLC0415 - nothing else in a run needs it

    media = target / MEDIA
    unfinished = target / f".{MEDIA}"
    shutil.rmtree(unfinished, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        file_set = FileSet()
        try:
            for path in released:
                file_set.add(path)
            file_set.write(unfinished)
        except OSError as error:
            raise Deferred(f"the DICOMDIR could not be written ({error.strerror})") from None
        except Exception as error:  # noqa: BLE001 - its text may quote a value; nothing was published
            raise Deferred(f"the DICOMDIR could not be made ({type(error).__name__})") from None
    shutil.rmtree(media, ignore_errors=True)
    unfinished.rename(media)
