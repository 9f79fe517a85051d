from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from deid.errors import Deferred, Rejected
from deid.forward.deposit import ARRIVING, Deposit

NAME = Path("7001/2.25.1/2.25.2/2.25.3.dcm")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "outbox" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an object")
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.mkdir()
    return path


def names_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_object_gets_the_name_that_it_has_with_us(made: Path, there: Path) -> None:
    with Deposit(there) as open_folder:
        open_folder.send(made)
        open_folder.send(made)  # after a crash it comes again
    assert names_below(there) == [NAME.as_posix()]
    assert (there / NAME).read_bytes() == b"an object"
    assert made.read_bytes() == b"an object"


def test_a_folder_that_is_not_there_is_not_made(made: Path, there: Path) -> None:
    there.rmdir()  # a share that is not mounted
    with pytest.raises(Deferred, match="make it, or mount its share"), Deposit(there) as open_folder:
        open_folder.send(made)
    assert not there.exists()


def test_nothing_is_written_over(made: Path, there: Path) -> None:
    (there / NAME).parent.mkdir(parents=True)
    (there / NAME).write_bytes(b"an objekt")
    with Deposit(there) as open_folder, pytest.raises(Rejected, match="something else"):
        open_folder.send(made)
    assert (there / NAME).read_bytes() == b"an objekt"
    assert names_below(there) == [NAME.as_posix()]


def test_a_link_in_its_place_is_not_followed(made: Path, there: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"an object")
    (there / NAME).parent.mkdir(parents=True)
    (there / NAME).symlink_to(elsewhere)
    with Deposit(there) as open_folder, pytest.raises(Rejected):
        open_folder.send(made)


def test_it_is_durable_before_it_counts_as_delivered(
    made: Path, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync = os.fsync

    def synced(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path).as_posix())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    with Deposit(there) as open_folder:
        for _ in range(2):
            done.clear()
            open_folder.send(made)
            assert done[0].startswith(f"archive/{ARRIVING}/")
            assert done[1:] == [f"archive/{folder}".removesuffix("/.") for folder in NAME.parents]
            shutil.rmtree(there / NAME.parts[0])  # somebody has taken it away, and more of its series comes


def test_what_a_crash_has_left_is_cleared(made: Path, there: Path) -> None:
    (there / ARRIVING).mkdir()
    (there / ARRIVING / "1.part").write_bytes(b"an ob")
    with Deposit(there) as open_folder:
        open_folder.send(made)
    assert names_below(there) == [NAME.as_posix()]


def test_one_at_a_time_has_the_folder(there: Path) -> None:
    with Deposit(there), pytest.raises(Deferred, match="taken"), Deposit(there):
        pass


def test_what_is_no_folder_is_told(there: Path) -> None:
    there.rmdir()
    there.write_bytes(b"")
    with pytest.raises(Deferred, match="cannot be used"), Deposit(there):
        pass


def test_a_full_disk_leaves_nothing_behind(made: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with Deposit(there) as open_folder, pytest.raises(Deferred, match="No space left"):
        open_folder.send(made)
    assert names_below(there) == []


def test_an_object_that_is_gone_is_told_as_such(there: Path, tmp_path: Path) -> None:
    with Deposit(there) as open_folder, pytest.raises(FileNotFoundError):
        open_folder.send(tmp_path / "outbox" / NAME)
