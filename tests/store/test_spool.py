"""What is kept in the spool is on the disk; what is not leaves nothing."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


def arrive(spool: Spool, *chunks: bytes, syntax: str = "1.2") -> tuple[bytes, list[Path]]:
    arriving = spool.arriving()
    arriving.begin(b"meta", syntax)
    for chunk in chunks:
        arriving.write(chunk)
    return arriving.content, spool.keep([arriving])


def test_an_object_is_written_as_it_arrives(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    _, (path,) = arrive(spool, b"data ", b"set")
    assert path.read_bytes() == b"metadata set"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert list(spool.folder.iterdir()) == [path]


def test_the_digest_is_of_data_set_and_transfer_syntax(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    same = {arrive(spool, b"data set")[0], arrive(spool, b"data", b" set")[0]}
    assert len(same) == 1
    assert arrive(spool, b"data set", syntax="1.3")[0] not in same
    assert arrive(spool, b"data get")[0] not in same


def test_what_is_abandoned_or_was_never_kept_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    abandoned, cut_off = spool.arriving(), spool.arriving()
    abandoned.begin(b"meta", "1.2")
    abandoned.abandon()
    os.close(cut_off.descriptor)  # as the end of the process does
    assert list(Spool(tmp_path / "spool").folder.iterdir()) == []


def test_what_no_ticket_knows_is_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (_, (known,)), (_, (unknown,)) = arrive(spool, b"1"), arrive(spool, b"2")
    assert spool.remove_unknown(frozenset({known.name})) == 1
    assert known.exists()
    assert not unknown.exists()


def test_a_full_disk_is_deferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    arriving = spool.arriving()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(Deferred, match="spool cannot be written"):
        arriving.write(b"data")
    monkeypatch.undo()
    arriving.abandon()
    assert spool.free_bytes() > 0
