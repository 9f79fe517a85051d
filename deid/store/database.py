"""The ledger's SQLite file: what is committed survives a power cut, and only the right key opens it."""

from __future__ import annotations

import hmac
import os
import re
import sqlite3
from contextlib import contextmanager
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, Final

from deid.errors import BadState, Deferred
from deid.store.seal import keyed_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.attributes.keys import Keys

Connection = sqlite3.Connection  # to the ledger

VERSION = 9  # user_version in the last of these
ADDED = {  # to a ledger of this version
    3: "schema_gateway.sql",
    4: "schema_commitment.sql",
    5: "schema_declined.sql",
    6: "schema_given_up.sql",
    7: "schema_blamed.sql",
    8: "schema_leases.sql",
}
OLDEST = 2
BUSY_SECONDS = 10  # what another connection may take for its transaction
_TURN: Final = Lock()
"""Who writes in this process. SQLite lets the others sleep and look again, up to 100 ms long: as long would whoever
sends wait for a ledger that is free."""

ADD_CHOSEN = "ALTER TABLE journeys ADD COLUMN chosen TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 3;"

ALONE = "locking_mode = EXCLUSIVE"  # lets WAL work on network file systems
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit returns when it is on the disk
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "cache_size = -65536",  # KiB; keyed hashes land all over their index
)


def connect(path: Path, keys: Keys, *, alone: bool) -> sqlite3.Connection:
    """Open the ledger, new or existing; alone, or beside other connections.

    Raises BadState for another key or version, for what is no ledger, and while somebody else has it alone; Deferred
    where it is of an older version, and cannot be written now.
    """
    if not path.exists():
        # SQLite gives -wal and -shm the mode of this file. It is never opened beside SQLite: closing it would give up
        # all locks that this process has on it (fcntl(2)), and another process would take the WAL for its own.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=alone)
    connection.row_factory = sqlite3.Row
    try:
        for pragma in (ALONE, *PRAGMAS) if alone else PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _check(connection, keyed_hash(keys.ledger, b"check", b""))
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise BadState(f"the ledger {path} is in use by another process") from None
        raise BadState(f"{path} cannot be used as ledger ({error.sqlite_errorname})") from None
    except (BadState, Deferred):
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing. Raises Deferred when the ledger cannot be written, for example on a full disk."""
    had_turn = _TURN.acquire(timeout=BUSY_SECONDS)  # without it SQLite will say that it is busy, or no longer
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:  # SQLite itself has rolled back after some errors
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise Deferred(f"the ledger cannot be written ({error.sqlite_errorname})") from None
        raise
    finally:
        if had_turn:
            _TURN.release()


@contextmanager
def passing_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """The same, but a power cut may undo it until the next transaction: it costs no sync of the disk."""
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        with transaction(connection):
            yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def _check(connection: sqlite3.Connection, key_check: bytes) -> None:
    """Tables that are missing are made. The version is read again by who may write: another one may have made them."""
    version = _version(connection)
    if version > VERSION:
        raise BadState(f"the ledger has version {version}, this program knows {VERSION}: use the newer program")
    if 0 < version < OLDEST:
        raise BadState(
            f"the ledger has version {version}, this program knows {VERSION}: name a new state folder with --state, and"
            " the key of this one with --key"
        )
    if version == 0:
        with transaction(connection):
            if _version(connection) == 0:
                _execute_all(connection, _statements("schema.sql"))
                connection.execute("INSERT INTO ledger VALUES (?)", (key_check,))
    (known,) = connection.execute("SELECT key_check FROM ledger").fetchone()
    if not hmac.compare_digest(known, key_check):
        raise BadState("the key is not the one this ledger was written with")
    if version < VERSION:
        with transaction(connection):
            version = _version(connection)
            if version == OLDEST:
                _execute_all(connection, ADD_CHOSEN)
            for before, name in ADDED.items():
                if version <= before:
                    _execute_all(connection, _statements(name))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(name: str) -> str:
    return files("deid.store").joinpath(name).read_text("utf-8")


def _execute_all(connection: sqlite3.Connection, statements: str) -> None:
    """Not executescript, which would commit in between."""
    for statement in re.sub(r"--[^\n]*", "", statements).split(";"):
        connection.execute(statement)
