from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState, Deferred
from deid.store import database
from deid.store.database import ADDED, OLDEST, VERSION, connect, passing_transaction, transaction
from deid.store.inbox import Arrival, Inbox
from deid.store.queue import Queue
from deid.store.rows import Rows
from deid.store.vault import Vault

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


WITHOUT_LEASES = "ALTER TABLE tickets DROP COLUMN leased_until"
WITHOUT_BLAMED = (
    f"{WITHOUT_LEASES}; ALTER TABLE declined DROP COLUMN blamed; ALTER TABLE declined DROP COLUMN blamed_since"
)
WITHOUT_GIVEN_UP = f"{WITHOUT_BLAMED}; DROP TABLE given_up"
WITHOUT_DECLINED = f"{WITHOUT_GIVEN_UP}; DROP TABLE declined"
WITHOUT_COMMITMENT = (
    f"{WITHOUT_DECLINED}; DROP TABLE custody; DROP TABLE commitment_requests; DROP INDEX arrivals_of_peer;"
    " ALTER TABLE arrivals DROP COLUMN sop_class"
)
WITHOUT_GATEWAY = "DROP TABLE arrivals; DROP TABLE deliveries"


def test_the_schema_says_the_version_which_the_program_knows() -> None:
    for before, name in ADDED.items():
        schema = files("deid.store").joinpath(name).read_text("utf-8")
        assert re.findall(r"PRAGMA user_version = (\d+);", schema) == [str(before + 1)]
    assert [*ADDED, VERSION] == [*range(OLDEST + 1, VERSION + 1)]


def test_a_commit_is_on_the_disk_when_it_returns(vault: Vault) -> None:
    assert vault.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert vault.connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


@pytest.mark.parametrize("version", [1, 99])
def test_a_ledger_of_another_program_is_refused(state: Path, version: int) -> None:
    with Vault.open(state) as vault:
        vault.connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(BadState, match=f"version {version},"):
        Vault.open(state)


def test_a_ledger_without_the_chosen_profile_gets_a_place_for_it(state: Path, tmp_path: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executescript(
            f"{WITHOUT_COMMITMENT}; {WITHOUT_GATEWAY}; ALTER TABLE journeys DROP COLUMN chosen; PRAGMA user_version = 2"
        )
        query = "INSERT INTO journeys (hash, folders, plan) VALUES (?, ?, 'plan')"
        vault.connection.execute(query, Rows(vault.keys).folders(tmp_path / "in", tmp_path / "out", "plan"))
    for _ in range(2):
        with Vault.open(state) as vault:
            (journey,) = Queue(vault.connection, vault.keys).journeys()
            assert journey.chosen is None
            assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_ledger_without_the_tables_of_the_gateway_gets_them(state: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executescript(f"{WITHOUT_COMMITMENT}; {WITHOUT_GATEWAY}; PRAGMA user_version = 3")
    with Vault.open(state) as vault:
        assert vault.connection.execute("SELECT count(*) FROM arrivals, deliveries").fetchone()[0] == 0
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_ledger_without_the_tables_of_storage_commitment_gets_them(state: Path, tmp_path: Path) -> None:
    with Vault.open(state) as vault:
        journey = Queue(vault.connection, vault.keys).journey(tmp_path / "in", tmp_path / "out", "plan")
        Inbox(vault.connection, vault.keys).receive(Arrival(journey, tmp_path / "1.dcm", "1.2.3", b"1", "CT1", 1.0))
        vault.connection.executescript(f"{WITHOUT_COMMITMENT}; PRAGMA user_version = 4")
    with Vault.open(state) as vault:
        assert vault.connection.execute("SELECT count(*) FROM commitment_requests, custody").fetchone()[0] == 0
        assert vault.connection.execute("SELECT sop_class FROM arrivals").fetchone()[0] == ""
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_ledger_without_the_table_of_what_is_declined_gets_it(state: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executescript(f"{WITHOUT_DECLINED}; PRAGMA user_version = 5")
    with Vault.open(state) as vault:
        assert vault.connection.execute("SELECT count(*) FROM declined").fetchone()[0] == 0
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_ledger_without_the_table_of_what_is_given_up_gets_it(state: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executescript(f"{WITHOUT_GIVEN_UP}; PRAGMA user_version = 6")
    with Vault.open(state) as vault:
        assert vault.connection.execute("SELECT count(*) FROM given_up").fetchone()[0] == 0
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_ledger_that_blames_no_object_learns_to(state: Path) -> None:
    with Vault.open(state) as vault:
        vault.connection.executescript(f"{WITHOUT_BLAMED}; PRAGMA user_version = 7")
        vault.connection.execute("PRAGMA foreign_keys = OFF")
        vault.connection.execute("INSERT INTO declined (ticket, destination, times, since) VALUES (1, 'archive', 7, 1)")
    with Vault.open(state) as vault:
        assert tuple(vault.connection.execute("SELECT times, blamed FROM declined").fetchone()) == (7, 0)
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_in_a_ledger_without_leases_nobody_has_any(state: Path, tmp_path: Path) -> None:
    with Vault.open(state) as vault:
        queue = Queue(vault.connection, vault.keys)
        journey = queue.journey(tmp_path / "in", tmp_path / "out", "plan")
        queue.enrol(journey, [(tmp_path / "in/1.dcm", (1,))])
        vault.connection.executescript(f"{WITHOUT_LEASES}; PRAGMA user_version = 8")
    with Vault.open(state) as vault:
        assert len(Queue(vault.connection, vault.keys).claim(journey, 9, now=0.0, lease=1.0)) == 1
        assert vault.connection.execute("PRAGMA user_version").fetchone()[0] == VERSION


@pytest.mark.parametrize("version", [0, 7])
def test_of_two_that_open_an_older_ledger_at_once_each_can_use_it(
    version: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one opens it after this one has seen the version, and before it may write."""
    with Vault.open(state) as vault:
        keys, path = vault.keys, vault.ledger
        vault.connection.executescript(f"{WITHOUT_BLAMED}; PRAGMA user_version = 7")
    if not version:
        path.unlink()
    transactions = database.transaction

    def after_the_other(connection: sqlite3.Connection) -> AbstractContextManager[None]:
        monkeypatch.setattr(database, "transaction", transactions)
        connect(path, keys, alone=False).close()
        return transactions(connection)

    monkeypatch.setattr(database, "transaction", after_the_other)
    with closing(connect(path, keys, alone=False)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
        assert connection.execute("SELECT count(*) FROM ledger").fetchone()[0] == 1
        assert connection.execute("SELECT count(blamed) FROM declined").fetchone()[0] == 0


def test_what_is_no_ledger_is_refused(state: Path) -> None:
    Vault.open(state).close()
    (state / "ledger.sqlite").write_bytes(b"something else " * 1000)
    with pytest.raises(BadState, match="SQLITE_NOTADB"):
        Vault.open(state)


def test_a_transaction_that_fails_leaves_nothing(vault: Vault) -> None:
    def fail() -> None:
        with transaction(vault.connection):
            vault.connection.execute("DELETE FROM ledger")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert vault.connection.execute("SELECT count(*) FROM ledger").fetchone()[0] == 1


def test_a_full_disk_is_reported_and_leaves_nothing(vault: Vault) -> None:
    pages = vault.connection.execute("PRAGMA page_count").fetchone()[0]
    vault.connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with transaction(vault.connection):
            vault.connection.execute("INSERT INTO changes (hash, changes) VALUES (x'00', zeroblob(1000000))")

    with pytest.raises(Deferred, match="SQLITE_FULL"):
        fill()
    assert vault.connection.execute("SELECT count(*) FROM changes").fetchone()[0] == 0


def test_a_transaction_that_may_be_undone_costs_no_sync_and_the_next_one_does(vault: Vault) -> None:
    def synchronous() -> int:
        return int(vault.connection.execute("PRAGMA synchronous").fetchone()[0])

    def fail() -> None:
        with passing_transaction(vault.connection):
            raise KeyboardInterrupt

    with passing_transaction(vault.connection):
        assert synchronous() == 1  # NORMAL
    assert synchronous() == 2  # FULL
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert synchronous() == 2


def test_rows_are_told_apart_by_name(vault: Vault) -> None:
    assert isinstance(vault.connection.execute("SELECT 1 AS one").fetchone(), sqlite3.Row)


def test_who_writes_in_this_process_takes_turns(state: Path) -> None:
    """SQLite would let the other sleep, or say at once that the ledger is busy where it is told not to."""
    with Vault.open(state, shared=True) as vault, closing(vault.another_connection()) as other:
        other.execute("PRAGMA busy_timeout = 0")
        ended: list[str] = []

        def write() -> None:
            with transaction(other):
                ended.append("the other")

        waiting = Thread(target=write)
        with transaction(vault.connection):
            waiting.start()
            waiting.join(0.2)
            ended.append("the first")
        waiting.join(20)
        assert ended == ["the first", "the other"]


def test_who_does_not_get_a_turn_is_told_that_the_ledger_is_busy(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Vault.open(state, shared=True) as vault, closing(vault.another_connection()) as other:
        other.execute("PRAGMA busy_timeout = 0")
        with transaction(vault.connection), pytest.raises(Deferred, match="SQLITE_BUSY"), transaction(other):
            raise AssertionError("both write")
        with transaction(other):
            other.execute("UPDATE ledger SET key_check = key_check")
