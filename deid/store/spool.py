"""The spool of one route: objects as they arrive over the network, each in a file of its own.

Names are ours: random, and with the number of bytes that the file must have. So a file that is whole can be told from
one that a crash has cut off, and whoever was promised that an object is safe needs nothing but its file. What a peer
sends never becomes part of a path.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from deid.errors import Deferred
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"[0-9a-f]{32}-([0-9]+)\.dcm", re.ASCII)
_STRETCH: Final = 128 << 10  # bytes; many peers send 16 kB at a time, and to begin with each costs more than it saves


class Arriving:
    """One object on its way into the spool. As a context manager it leaves nothing of what was not kept."""

    def __init__(self, folder: Path, meta: bytes) -> None:
        """Make the file, open to this user alone, with what comes before the data set. Raises Deferred."""
        self._folder = folder
        self._name = secrets.token_hex(16)
        self.path = folder / f"{self._name}.part"  # until it is kept
        self._size = 0
        self._begun = 0  # bytes that are on their way to the disk
        self._kept = False
        with _fate():
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self.write(meta)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if not self._kept:
            self.path.unlink(missing_ok=True)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add what has arrived. Raises Deferred when the disk is full."""
        view = memoryview(chunk)
        self._size += len(view)
        with _fate():
            while view:
                view = view[os.write(self._descriptor, view) :]
        if self._size - self._begun >= _STRETCH:
            self._begin()

    def _begin(self) -> None:
        # Linux begins to write what it is told to forget, and cannot forget it before that is done: less is left for
        # the sync that the peer waits for. Where it does not, the sync has more to do.
        with suppress(OSError):
            os.posix_fadvise(self._descriptor, self._begun, self._size - self._begun, os.POSIX_FADV_DONTNEED)
        self._begun = self._size

    def keep(self, spool: Spool | None = None) -> Path:
        """Make the object durable under the name that lasts, in its spool or in another one. Raises Deferred."""
        folder = spool.folder if spool else self._folder
        named = folder / f"{self._name}-{self._size}.dcm"
        with _fate():
            # Before the sync: one entry in the file system's journal then makes name and content durable together.
            os.rename(self.path, named)  # noqa: PTH104 - by far the cheaper one
            self.path = named
            os.fsync(self._descriptor)
            sync_folder(folder)
        self._kept = True
        return named


@contextmanager
def _fate() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Deferred(f"the spool cannot be written ({error.strerror or type(error).__name__})") from None


class Spool:
    """The folder where the objects of one route arrive; only the process that holds the state folder uses it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, made if need be, and remove what was cut off. Raises OSError when it cannot be used."""
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.iterdir():
            if not _is_whole(path):
                path.unlink()

    def arriving(self, meta: bytes) -> Arriving:
        """Room for one more object. Raises Deferred on a full disk."""
        return Arriving(self.folder, meta)

    def kept(self) -> Iterator[Path]:
        """Every object that is here."""
        return self.folder.glob("*.dcm")

    def free_bytes(self) -> int:
        """Room on the disk for this user."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


def _is_whole(path: Path) -> bool:
    name, there = _NAME.fullmatch(path.name), path.lstat()
    return name is not None and stat.S_ISREG(there.st_mode) and there.st_size == int(name[1])
