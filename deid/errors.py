"""What happens next when something went wrong; no message ever holds a value from a data set.

Messages name attributes, files of ours and clauses of the standard, because tracebacks and logs travel.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


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


class BadProfile(DeidError):
    """The profile contradicts itself or the standard. Nothing starts; exit code 2."""


class BadState(DeidError):
    """The state folder, its key or the folders named cannot be used together. Nothing starts; exit code 2."""


def where(defect: BaseException) -> str:
    """The type of an exception and the innermost line of this package it came through; never its text."""
    at, place = defect.__traceback__, "outside of deid"
    while at is not None:
        file = Path(at.tb_frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            place = f"{file.relative_to(_PACKAGE.parent).as_posix()}:{at.tb_lineno}"
        at = at.tb_next
    return f"{type(defect).__name__} at {place}"
