"""A folder as a way out: a file that exists under its final name is complete, verified and on disk."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

from deid.errors import BadState, Deferred, Rejected, fate

UNPUBLISHED: Final = ".unpublished"
IN_THE_WAY: Final = (
    "the output folder holds a different file under the name of this object, by another profile or program perhaps:"
    " run into an empty folder, or move that file away and retry the object"
)
_CHUNK: Final = 1 << 20
_MOST_MADE: Final = 1 << 10  # folders that are remembered: a gateway makes new ones for years


@cache
def _syncfs() -> Any:  # noqa: ANN401 - a C function
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


class Folder:
    """The output folder of one run: objects are staged below `.unpublished` and renamed in groups, after one sync."""

    def __init__(self, target: Path) -> None:
        """Take the folder for this run alone and clear what an interrupted one left. Raises BadState if it is taken."""
        self.target = target
        self._staging = target / UNPUBLISHED
        self._made: set[str] = set()
        self._in_turn = Lock()  # no folder is taken away between the making of it and the first name in it
        # A process of a killed run may live a moment longer: it must not write under a name of this run.
        self._run = secrets.token_hex(8)
        try:
            self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self._staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise BadState(f"the output folder {target} cannot be used: {error.strerror}") from None
        try:
            self._take()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadState(f"another run is writing to the output folder {self.target}") from None
        try:
            if not os.fstat(self._descriptor).st_nlink:
                raise BadState(f"another run has just ended in the output folder {self.target}: run again")
            self._clear()
        except OSError as error:
            raise BadState(f"{self._staging} cannot be cleared: {error.strerror}") from None

    def unpublished(self, ticket: int) -> Path:
        """Where the object of a ticket is written and verified."""
        return self._staging / f"{ticket}-{self._run}.part"

    def make_room(self, ticket: int, path: str, *, alone: bool = False) -> None:
        """Make the folder where the object of a ticket goes. The same bytes are the same object, released twice.

        Where nobody else writes (`alone`), and the ledger knows of no release under this name, what has it was
        published right before a crash, by another profile perhaps: nobody was sent it, and `publish` replaces it.
        Raises Rejected when something else stands in the way or the name cannot be given, Deferred when the output
        folder cannot be written.
        """
        there = self.target / path
        with _fate():
            folder = path.rpartition("/")[0]
            if folder not in self._made:
                with self._in_turn:
                    self._make(folder)
            try:
                there.lstat()
            except FileNotFoundError:
                return
            may = there.is_file() and (alone or same_bytes(there, self.unpublished(ticket)))
        if not may:
            raise Rejected(IN_THE_WAY)

    def holds(self, path: str) -> bool:
        """Whether there is something under a name that was given before. Raises Deferred when nobody can tell."""
        with _deferred("the output folder cannot be read"):
            return (self.target / path).exists()

    def publish(self, objects: Iterable[tuple[int, str]]) -> None:
        """Give the staged files of these tickets their names, for which there is room. The contents are on disk before.

        Raises Deferred when the folder cannot be written.
        """
        objects = tuple(objects)
        if not objects:
            return
        with _deferred():
            self._sync(self.unpublished(ticket) for ticket, _ in objects)
            with self._in_turn:
                for ticket, path in objects:
                    self._rename(self.unpublished(ticket), path)
        # A name that is lost with the power is found missing by the next run; `close` makes them last.

    def make_names_last(self) -> None:
        """Have all names that were given on the disk. Raises Deferred when the folder cannot be written."""
        with _deferred(), self._in_turn:
            self._make_names_last()

    def withdraw(self, path: str) -> None:
        """Delete a published object that nobody needs here any more, and the folders that are empty then.

        Raises OSError.
        """
        there = self.target / path
        with self._in_turn:
            there.unlink(missing_ok=True)
            for folder in there.relative_to(self.target).parents[:-1]:
                try:
                    (self.target / folder).rmdir()
                except FileNotFoundError:
                    pass  # it was taken away before a crash; the one above it may be empty as well
                except OSError:
                    return
                self._made.discard(str(folder))

    def unpublished_folder(self, name: str) -> Path:
        """Where a whole folder is made."""
        return self._staging / f"{name}-{self._run}"

    def publish_folder(self, name: str) -> None:
        """Give a staged folder its name below the output folder, or take the name away when none was staged.

        What had the name goes: the caller has seen that it may. Raises Deferred when the folder cannot be written.
        """
        staged, there = self.unpublished_folder(name), self.target / name
        with _deferred():
            self._sync(staged.rglob("*"))
            if there.exists():
                there.rename(self._staging / f"{name}-{self._run}.earlier")
            if staged.exists():
                staged.rename(there)
                self._made.add(name)

    def discard(self, ticket: int) -> None:
        """Remove what was staged for a ticket, if anything was."""
        with _deferred():
            self.unpublished(ticket).unlink(missing_ok=True)

    def close(self) -> None:
        """Make all names last, and give the folder back."""
        try:
            with _deferred():
                self._make_names_last()
                self._clear()
                self._staging.rmdir()
        finally:
            os.close(self._descriptor)

    def _make(self, folder: str) -> None:
        (self.target / folder).mkdir(parents=True, exist_ok=True)
        if len(self._made) >= _MOST_MADE:
            self._make_names_last()
        self._made.add(folder)

    def _rename(self, staged: Path, path: str) -> None:
        try:
            os.rename(staged, self.target / path)  # noqa: PTH104 - by far the cheaper one
        except FileNotFoundError:
            self._make(path.rpartition("/")[0])  # it was empty, and was taken away since there was room
            os.rename(staged, self.target / path)  # noqa: PTH104 - as above

    def _make_names_last(self) -> None:
        self._sync(self._made_and_above())
        self._made.clear()

    def _made_and_above(self) -> Iterator[Path]:
        # A folder's own name is in the one above it: OUT/PatientID/StudyInstanceUID/SeriesInstanceUID.
        made = [self.target / folder for folder in self._made]
        yield from {above for folder in made for above in (folder, *folder.parents[:3])}

    def _clear(self) -> None:
        for leftover in self._staging.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)

    def _sync(self, paths: Iterable[Path]) -> None:
        """One pass of the file system for many files costs a seventh of a sync of each."""
        if _syncfs() is not None and _syncfs()(self._descriptor) == 0:
            return
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def _fate(what: str = "the output folder cannot be written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise fate(error, what) from None


@contextmanager
def _deferred(what: str = "the output folder cannot be written") -> Iterator[None]:
    """Where no single object is to blame: nothing is lost, and the next run goes on."""
    try:
        with _fate(what):
            yield
    except Rejected as error:
        raise Deferred(str(error)) from None


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same. Raises OSError."""
    with one.open("rb") as left, other.open("rb") as right:
        if os.fstat(left.fileno()).st_size != os.fstat(right.fileno()).st_size:
            return False
        while chunk := left.read(_CHUNK):
            if chunk != right.read(_CHUNK):
                return False
    return True
