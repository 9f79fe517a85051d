"""A folder as a destination: objects are copied there, and are delivered when files and names are on the disk."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from os.path import lexists
from typing import TYPE_CHECKING, Final, Self

from deid.errors import Deferred, Rejected, fate
from deid.forward.folder import same_bytes
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

ARRIVING: Final = ".arriving"
_LEVELS: Final = 4  # PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm, all of them ours


class Deposit:
    """A folder while objects are put there. What it has is never written over."""

    def __init__(self, target: Path) -> None:
        """Nothing happens yet."""
        self._target = target
        self._arriving = target / ARRIVING
        self._lasting: set[Path] = set()  # of series: their names, and those above, are on the disk

    def __enter__(self) -> Self:
        """Take the folder, and clear what a crash has left. Raises Deferred when it cannot be used."""
        try:
            # Only this: in place of a share that is not mounted, a folder would be made on this machine's own disk.
            self._arriving.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = os.open(self._arriving, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise Deferred(f"the folder cannot be used ({error.strerror}): make it, or mount its share") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftover in self._arriving.iterdir():
                leftover.unlink()
        except OSError as error:
            os.close(self._descriptor)
            taken = isinstance(error, BlockingIOError)
            raise Deferred(f"the folder {'is taken by somebody else' if taken else 'cannot be cleared'}") from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def send(self, path: Path) -> None:
        """Put one object there, under the last four names of its path. Returns when it is on the disk.

        Raises Rejected when something else has its name, FileNotFoundError when the object itself is gone, Deferred.
        """
        there = self._target.joinpath(*path.parts[-_LEVELS:])
        arriving = self._arriving / f"{secrets.token_hex(16)}.part"
        with path.open("rb") as source:
            try:
                self._copy(source.fileno(), arriving)
                self._name(arriving, there)
            except OSError as error:
                raise fate(error, "the folder cannot be written") from None
            finally:
                with suppress(OSError):
                    arriving.unlink(missing_ok=True)

    def _copy(self, source: int, arriving: Path) -> None:
        descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file, os.fdopen(os.dup(source), "rb") as original:
            shutil.copyfileobj(original, file, 1 << 20)
            file.flush()
            os.fsync(descriptor)

    def _name(self, arriving: Path, there: Path) -> None:
        if not there.parent.is_dir():
            self._lasting.discard(there.parent)  # somebody has taken away what was there
            there.parent.mkdir(parents=True, exist_ok=True)
        if not lexists(there):
            arriving.rename(there)
        elif there.is_symlink() or not there.is_file() or not same_bytes(there, arriving):
            raise Rejected("the folder holds something else under the name of this object")
        # A folder's own name is in the one above it, and may be from a run that a power cut has ended.
        sync_folder(there.parent)
        if there.parent not in self._lasting:
            for folder in there.parents[1:_LEVELS]:
                sync_folder(folder)
            self._lasting.add(there.parent)
