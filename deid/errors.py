"""What happens next when something went wrong; no message ever holds a value from a data set.

Messages name attributes, files of ours and clauses of the standard, because tracebacks and logs travel.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

_PACKAGE = Path(__file__).resolve().parent

_OF_THE_OBJECT: Final = {
    errno.EFBIG,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOTEMPTY,
    errno.ELOOP,
    errno.EINVAL,
    errno.EILSEQ,
}
"""Too large, or a name that cannot be given: the next object may go through, and this one never will."""


class DeidError(Exception):
    """Root of everything this package raises on purpose."""


class Rejected(DeidError):
    """This object must not go on; a person decides. The ticket is held."""


class Leak(Rejected):
    """An identifying value survived in the bytes that were about to be published. The ticket is held."""


class Unreadable(DeidError):
    """This file is not DICOM; there is nothing to de-identify. The ticket is counted unreadable."""


class Deferred(DeidError):
    """The object is fine, the world is not (disk full, peer away). The ticket is tried again later."""


class Declined(Deferred):
    """The other side is there, and has answered that it does not take this object now. Not tried again for ever."""


class BrokenOff(Deferred):
    """The other side was there, and the way to it ended at this object, perhaps because of it. Not tried for ever."""


class BadProfile(DeidError):
    """The profile, or the settings, contradict themselves or the standard. Nothing starts; exit code 2."""


class BadState(DeidError):
    """The state folder, its key or the folders named cannot be used together. Nothing starts; exit code 2."""


def fate(error: OSError, what: str) -> Rejected | Deferred:
    """What becomes of an object that could not be written: `what`, and why."""
    kind = Rejected if error.errno in _OF_THE_OBJECT else Deferred
    return kind(f"{what} ({error.strerror or type(error).__name__})")


def where(defect: BaseException) -> str:
    """The type of an exception and the innermost line of this package it came through; never its text."""
    at, place = defect.__traceback__, "outside of deid"
    while at is not None:
        file = Path(at.tb_frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            place = f"{file.relative_to(_PACKAGE.parent).as_posix()}:{at.tb_lineno}"
        at = at.tb_next
    return f"{type(defect).__name__} at {place}"
