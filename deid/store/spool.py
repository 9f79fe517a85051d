"""The spool: objects as they arrive over the network, each in a file of its own, on the disk before it is promised.

Names are ours and random: what a peer sends never becomes part of a path.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from deid.errors import fate
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ARRIVING: Final = ".part"
_ARRIVED: Final = ".dcm"


class Arriving:
    """One object on its way into the spool. It becomes durable with `Spool.keep`; until then `abandon` removes it."""

    def __init__(self, path: Path) -> None:
        """Make the file, open to this user alone. Raises Deferred when the disk is full or the folder is gone."""
        self.path = path
        self.size = 0
        self._content = hashlib.sha256()
        try:
            self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise fate(error, "the spool cannot be written") from None

    def begin(self, meta: bytes, transfer_syntax: str) -> None:
        """Write what comes before the data set, which says how it is encoded."""
        self._content.update(transfer_syntax.encode() + b"\0")
        self._write(meta)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take up the next part of the data set. Raises Deferred when the disk is full."""
        self._content.update(chunk)
        self.size += len(chunk)
        self._write(chunk)

    @property
    def content(self) -> bytes:
        """A digest of transfer syntax and data set: the same for what is the same object sent again."""
        return self._content.digest()

    def _write(self, chunk: bytes | bytearray | memoryview) -> None:
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except OSError as error:
            raise fate(error, "the spool cannot be written") from None

    def abandon(self) -> None:
        """Remove what has arrived so far: nobody was promised anything."""
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)


class Spool:
    """The folder of one gateway; only one process uses it, the one that holds the state folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, made if need be, and remove what was never promised. Raises OSError when it cannot be."""
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for leftover in folder.glob(f"*{_ARRIVING}"):
            leftover.unlink(missing_ok=True)

    def arriving(self) -> Arriving:
        """Room for one more object."""
        return Arriving(self.folder / f"{secrets.token_hex(16)}{_ARRIVING}")

    def keep(self, objects: Iterable[Arriving]) -> list[Path]:
        """Make these objects durable, and give their files the names that last. Raises Deferred when it cannot be done.

        After that, a file that no ticket knows is one of a sender that got no answer: it may be removed.
        """
        kept: list[Path] = []
        try:
            for each in objects:
                os.fdatasync(each.descriptor)
                os.close(each.descriptor)
                name = each.path.with_suffix(_ARRIVED)
                os.rename(each.path, name)  # noqa: PTH104 - by far the cheaper one
                kept.append(name)
            sync_folder(self.folder)
        except OSError as error:
            raise fate(error, "the spool cannot be written") from None
        return kept

    def remove_unknown(self, known: frozenset[str]) -> int:
        """Remove what no ticket knows, by its name; says how many there were. Only while nothing arrives."""
        unknown = [path for path in self.folder.glob(f"*{_ARRIVED}") if path.name not in known]
        for path in unknown:
            path.unlink(missing_ok=True)
        return len(unknown)

    def free_bytes(self) -> int:
        """Room on the disk for this user."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize
