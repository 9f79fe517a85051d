from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deid.attributes.keys import derive
from deid.errors import BadState
from deid.store.audit import Audit
from deid.store.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_can_open_what_is_made(state: Path) -> None:
    before = os.umask(0)
    try:
        with Vault.open(state) as vault:
            assert mode(state) == mode(vault.work) == 0o700
            files = [path for path in state.iterdir() if path.is_file()]
            assert {path.name for path in files} >= {"key", "ledger.sqlite", "ledger.sqlite-wal"}
            assert {mode(path) for path in files} == {0o600}
    finally:
        os.umask(before)


def test_the_key_is_made_once_and_stays(state: Path) -> None:
    with Vault.open(state) as vault:
        keys = vault.keys
        text = (state / "key").read_text()
    assert len(text) == 65
    assert derive(bytes.fromhex(text)) == keys
    with Vault.open(state) as vault:
        assert vault.keys == keys


def test_two_state_folders_have_different_keys(tmp_path: Path) -> None:
    with Vault.open(tmp_path / "a") as a, Vault.open(tmp_path / "b") as b:
        assert a.keys != b.keys


def test_the_key_may_lie_elsewhere(state: Path, tmp_path: Path) -> None:
    with Vault.open(state, tmp_path / "elsewhere") as vault:
        assert vault.keys == derive(bytes.fromhex((tmp_path / "elsewhere").read_text()))
    assert not (state / "key").exists()


def test_a_key_given_by_another_site_is_used(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "key").write_text("ab" * 32 + "\n")
    (state / "key").chmod(0o600)
    with Vault.open(state) as vault:
        assert vault.keys == derive(bytes.fromhex("ab" * 32))


@pytest.mark.parametrize("loose", [0o640, 0o604, 0o660])
def test_a_key_open_to_others_is_refused(state: Path, loose: int) -> None:
    Vault.open(state).close()
    (state / "key").chmod(loose)
    with pytest.raises(BadState, match="chmod 600"):
        Vault.open(state)


@pytest.mark.parametrize("text", ["", "ab" * 31 + "\n", "ab" * 32 + "\n\n", "zz" * 32 + "\n", "ab" * 33])
def test_a_malformed_key_is_refused_and_kept(state: Path, text: str) -> None:
    Vault.open(state).close()
    (state / "key").write_text(text)
    with pytest.raises(BadState, match="64 hexadecimal digits") as refusal:
        Vault.open(state)
    assert (state / "key").read_text() == text
    assert not text.strip() or text.strip() not in str(refusal.value)


def test_a_missing_key_is_not_replaced_while_the_ledger_exists(state: Path) -> None:
    Vault.open(state).close()
    (state / "key").unlink()
    with pytest.raises(BadState, match="restore it"):
        Vault.open(state)
    assert not (state / "key").exists()


def test_another_key_does_not_open_the_ledger(state: Path, tmp_path: Path) -> None:
    Vault.open(state).close()
    Vault.open(tmp_path / "other").close()
    with pytest.raises(BadState, match="not the one"):
        Vault.open(state, tmp_path / "other" / "key")
    Vault.open(state).close()


def test_a_key_that_links_to_itself_is_refused(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "key").symlink_to(state / "key")
    with pytest.raises(BadState, match="cannot be read"):
        Vault.open(state)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_key_that_is_no_file_is_refused(state: Path, make: object) -> None:
    state.mkdir(mode=0o700)
    assert callable(make)
    make(state / "key", 0o600)
    with pytest.raises(BadState, match="is not a file"):
        Vault.open(state)


def test_a_second_process_is_kept_out(state: Path) -> None:
    program = "import sys, pathlib\nfrom deid.store.vault import Vault\nVault.open(pathlib.Path(sys.argv[1]))"
    with Vault.open(state):
        second = subprocess.run([sys.executable, "-c", program, state], capture_output=True, check=False)
        assert b"in use by another process" in second.stderr
        with pytest.raises(BadState, match="in use"):
            Vault.open(state)
    Vault.open(state).close()


def test_a_refused_opening_gives_the_lock_back(state: Path) -> None:
    Vault.open(state).close()
    (state / "key").chmod(0o644)
    with pytest.raises(BadState):
        Vault.open(state)
    (state / "key").chmod(0o600)
    Vault.open(state).close()


def test_what_a_killed_run_left_in_work_is_gone(state: Path) -> None:
    with Vault.open(state) as vault:
        (vault.work / "folder").mkdir()
        (vault.work / "folder" / "original.dcm").write_bytes(b"DOE^JANE")
    with Vault.open(state) as vault:
        assert list(vault.work.iterdir()) == []


def test_a_link_in_place_of_work_is_not_followed(state: Path, tmp_path: Path) -> None:
    with Vault.open(state) as vault:
        vault.work.rmdir()
        vault.work.symlink_to(tmp_path)
    (tmp_path / "mine").touch()
    with pytest.raises(BadState, match="is a link"):
        Vault.open(state)
    assert (tmp_path / "mine").exists()


def test_a_folder_of_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.odt").touch()
    with pytest.raises(BadState, match="name another folder"):
        Vault.open(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["work", "thesis.odt"]


def test_a_state_folder_open_to_others_is_refused(state: Path) -> None:
    Vault.open(state).close()
    state.chmod(0o750)
    with pytest.raises(BadState, match="chmod 700"):
        Vault.open(state)


def test_a_file_in_place_of_the_folder_is_refused(state: Path) -> None:
    state.touch()
    with pytest.raises(BadState, match="cannot be used"):
        Vault.open(state)


def test_the_trail_begins_with_the_ledger(state: Path) -> None:
    with Vault.open(state) as vault:
        assert Audit(vault.audit, vault.keys).verify() == 0
        (state / "audit.jsonl.head").unlink()
    with Vault.open(state) as vault, pytest.raises(BadState, match="audit trail is missing"):
        Audit(vault.audit, vault.keys).verify()


@pytest.mark.parametrize("gone", ["ledger", "folder"])
def test_what_only_reads_makes_no_ledger(state: Path, gone: str) -> None:
    if gone == "ledger":
        Vault.open(state).close()
        (state / "ledger.sqlite").unlink()
    with pytest.raises(BadState, match="there is no ledger"):
        Vault.join(state)
    assert not (state / "ledger.sqlite").exists()
    assert state.exists() is (gone == "ledger")


def test_a_shared_ledger_has_room_for_more_connections_and_for_a_person(state: Path) -> None:
    with Vault.open(state, shared=True) as vault, Vault.join(state) as person:
        another = vault.another_connection()
        another.execute("INSERT INTO changes (hash, changes) VALUES (x'00', '[]')")
        another.close()
        assert person.connection.execute("SELECT count(*) FROM changes").fetchone()[0] == 1
        with pytest.raises(BadState, match="in use by another process"):
            Vault.open(state)


def test_whoever_works_alone_is_not_disturbed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.store.database.BUSY_SECONDS", 0)
    with Vault.open(state), pytest.raises(BadState, match="in use by another process"):
        Vault.join(state)


def test_a_person_leaves_the_temporary_files_of_a_process_at_work_alone(state: Path) -> None:
    with Vault.open(state, shared=True) as vault:
        (vault.work / "inflated").write_bytes(b"at work")
        Vault.join(state).close()
        assert (vault.work / "inflated").exists()


def test_a_person_who_leaves_takes_nothing_away_from_those_at_work(state: Path) -> None:
    """The last one that closes a ledger removes its WAL; nobody is the last one while a gateway runs."""
    with Vault.open(state, shared=True) as vault:
        others = [vault.another_connection() for _ in range(3)]
        look = [sys.executable, "-m", "deid", "queue", "list", "--state", str(state)]
        for number in range(3):
            others[number].execute("INSERT INTO changes (hash, changes) VALUES (?, '[]')", (bytes([number]),))
            assert subprocess.run(look, check=True, capture_output=True).returncode == 0
            assert (state / "ledger.sqlite-wal").exists()
        for each in (vault.connection, *others):
            assert each.execute("SELECT count(*) FROM changes").fetchone()[0] == 3
        for each in others:
            each.close()
    with Vault.open(state) as vault:
        assert vault.connection.execute("SELECT count(*) FROM changes").fetchone()[0] == 3
