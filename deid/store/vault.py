"""The state folder: the project key, the ledger and the audit trail, open to one user and one process at a time."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

from deid.attributes.keys import KEY_BYTES, derive
from deid.errors import BadState
from deid.store.audit import Audit
from deid.store.database import Connection, connect
from deid.store.sync import sync_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from deid.attributes.keys import Keys

LOCK = "deid.lock"  # also tells a state folder from any other
KEY = "key"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Vault:
    """An open state folder; closing it lets the next process in."""

    def __init__(self, state: Path, keys: Keys, connection: sqlite3.Connection, closing: ExitStack) -> None:
        self.keys = keys
        self.connection = connection  # to the ledger, for the thread that opened the vault
        self.ledger = _ledger(state)
        self.audit = _audit(state)
        self.work = _work(state)  # for temporary files; empty when the vault was opened
        self._closing = closing

    @classmethod
    def open(cls, state: Path, key_file: Path | None = None, *, shared: bool = False) -> Self:
        """Open the state folder to work on it, made with a new key if there is none; another process cannot.

        With `shared`, more connections to the ledger may be made, and a person may decide about tickets meanwhile.
        Raises BadState when it cannot be used.
        """
        with _usable(state), ExitStack() as closing:
            _claim_folder(state)
            closing.callback(os.close, _lock(state))
            keys = derive(_project_key(key_file or state / KEY, state))
            if not _ledger(state).exists():
                Audit(_audit(state), keys).begin()
            connection = connect(_ledger(state), keys, alone=not shared)
            closing.callback(connection.close)
            _empty(_work(state))
            return cls(state, keys, connection, closing.pop_all())

    @classmethod
    def join(cls, state: Path, key_file: Path | None = None) -> Self:
        """Open the state of earlier or other processes to look at it and to decide; nothing is made.

        Raises BadState when there is none, and while a process works on it that does not share it.
        """
        with _usable(state), ExitStack() as closing:
            if not _ledger(state).exists():
                raise BadState(f"there is no ledger in {state}: 'deid run' makes one, --state names another folder")
            _claim_folder(state)
            keys = derive(_project_key(key_file or state / KEY, state))
            connection = connect(_ledger(state), keys, alone=False)
            closing.callback(connection.close)
            return cls(state, keys, connection, closing.pop_all())

    def another_connection(self) -> Connection:
        """One more connection to a shared ledger, for one thread at a time, which closes it."""
        return connect(self.ledger, self.keys, alone=False)

    def close(self) -> None:
        """Close the ledger and give the lock back."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def _usable(state: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadState(f"the state folder {state} cannot be used: {error.strerror}") from None


def _ledger(state: Path) -> Path:
    return state / "ledger.sqlite"


def _audit(state: Path) -> Path:
    return state / "audit.jsonl"


def _work(state: Path) -> Path:
    return state / "work"


def _claim_folder(state: Path) -> None:
    """Make the folder, or see that it is ours: a folder of somebody else's files is never emptied or locked."""
    if not state.exists():
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=0o700)
        sync_folder(state.parent)
    names = {entry.name for entry in os.scandir(state)}
    if not names:
        state.chmod(0o700)
    if names - {KEY} and LOCK not in names:
        raise BadState(f"{state} holds files which are no state of this program: name another folder")
    if state.stat().st_mode & OTHERS:
        raise BadState(f"{state} is open to group or others: chmod 700 it, after asking who could have read the key")


def _lock(state: Path) -> int:
    """Hold the folder for this process; the lock ends with the process, however that ends."""
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BadState(f"the state folder {state} is in use by another process") from None
    return descriptor


def _project_key(path: Path, state: Path) -> bytes:
    try:
        # Not O_NOFOLLOW: secret stores mount keys as links. O_NONBLOCK: a pipe must not stop us here.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        if _ledger(state).exists():
            raise BadState(f"the key {path} is missing, and a new one could not open the ledger: restore it") from None
        return _new_key(path)
    except OSError as error:
        raise BadState(f"the key {path} cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BadState(f"the key {path} is not a file")
        if mode & OTHERS:
            raise BadState(f"the key {path} is open to group or others: chmod 600 it, or replace it if it was read")
        text = os.read(descriptor, 2 * KEY_BYTES + 2)  # more than a key has, to see that there is no more
    finally:
        os.close(descriptor)
    if not re.fullmatch(rb"[0-9a-fA-F]{64}\n?", text):
        raise BadState(f"the key {path} is not {2 * KEY_BYTES} hexadecimal digits and a line end")
    return bytes.fromhex(text.decode("ascii"))


def _new_key(path: Path) -> bytes:
    """Write a key where none is; it is on the disk before anything depends on it."""
    key = secrets.token_bytes(KEY_BYTES)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.hex().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise BadState(f"no key can be made at {path}: {error.strerror}") from None
    return key


def _empty(work: Path) -> None:
    """Temporary files of a process that was killed may hold originals."""
    if work.is_symlink():
        raise BadState(f"{work} is a link: what it points to is not emptied")
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(mode=0o700)
