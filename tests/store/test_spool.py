"""What is kept in the spool is on the disk; what is not leaves nothing."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import Deferred
from deid.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "state" / "spool")


def arrive(spool: Spool, *chunks: bytes) -> Path:
    with spool.arriving(b"meta") as arriving:
        for chunk in chunks:
            arriving.write(chunk)
        return arriving.keep()


def test_an_object_is_written_as_it_arrives(spool: Spool) -> None:
    path = arrive(spool, b"data ", b"set")
    assert path.read_bytes() == b"metadata set"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert list(spool.folder.iterdir()) == list(spool.kept()) == [path]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_kept_lasts_through_a_power_cut(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, elsewhere: bool
) -> None:
    """Its content, and its name in the folder where it is kept, in this order after they were made."""
    last = Spool(tmp_path / "state" / "other") if elsewhere else spool
    calls: list[str] = []

    def spy(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any) -> Any:
            done = real(*args)
            synced = "file" if name == "fsync" and stat.S_ISREG(os.fstat(args[0]).st_mode) else ""
            if name == "fsync" and os.path.samestat(os.fstat(args[0]), last.folder.stat()):
                synced = "folder"
            calls.append(f"{name} {synced}".strip())
            return done

        monkeypatch.setattr(os, name, call)

    for name in ("write", "rename", "fsync"):
        spy(name)
    with spool.arriving(b"meta") as arriving:
        arriving.write(b"data set")
        arriving.keep(last if elsewhere else None)
    assert calls == ["write", "write", "rename", "fsync file", "fsync folder"]


def test_what_arrives_goes_to_the_disk_before_it_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr("os.posix_fadvise", lambda _, start, count, *__: begun.append((start, count)))
    with spool.arriving(b"meta") as arriving:
        for _ in range(7):
            arriving.write(bytes(50 << 10))
    assert begun == [(0, (150 << 10) + 4), ((150 << 10) + 4, 150 << 10)]


def test_a_disk_that_cannot_begin_early_takes_the_object_all_the_same(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("os.posix_fadvise", cannot)
    assert arrive(spool, bytes(1 << 20)).stat().st_size == (1 << 20) + 4


def test_what_is_abandoned_leaves_nothing(spool: Spool) -> None:
    with spool.arriving(b"meta") as arriving:
        arriving.write(b"data")
    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize("cut_off", ["never named", "named, and shorter than it should be"])
def test_what_a_crash_has_cut_off_is_removed(spool: Spool, cut_off: str) -> None:
    whole = arrive(spool, b"data set")
    if cut_off == "never named":
        spool.arriving(b"meta").write(b"data")
    else:
        arrive(spool, b"other data set").write_bytes(b"metaother")
    assert list(Spool(spool.folder).folder.iterdir()) == [whole]


@pytest.mark.parametrize("name", ["anything", f"{'0' * 32}-3.dcm", f"{'0' * 32}-8.dcm"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_the_place_of_an_object_is_removed_and_not_followed(
    spool: Spool,
    tmp_path: Path,
    name: str,
    there: bool,  # noqa: FBT001 - a table
) -> None:
    target = tmp_path / "elsewhere"
    if there:
        target.write_bytes(b"content!")
    (spool.folder / name).symlink_to(target)
    assert list(Spool(spool.folder).kept()) == []
    assert not (spool.folder / name).is_symlink()
    assert target.exists() == there


def test_what_arrives_in_one_spool_may_be_kept_in_another(spool: Spool, tmp_path: Path) -> None:
    other = Spool(tmp_path / "state" / "other")
    with spool.arriving(b"meta") as arriving:
        arriving.write(b"data set")
        assert arriving.path.read_bytes() == b"metadata set"
        kept = arriving.keep(other)
    assert list(other.kept()) == [kept]
    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize("call", ["os.write", "os.fsync", "os.rename"])
def test_a_full_disk_is_deferred_and_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with spool.arriving(b"meta") as arriving:
        monkeypatch.setattr(call, full)
        with pytest.raises(Deferred, match="spool cannot be written"):
            arriving.write(b"data") if call == "os.write" else arriving.keep()
        monkeypatch.undo()
    assert list(spool.folder.iterdir()) == []
    assert spool.free_bytes() > 0
