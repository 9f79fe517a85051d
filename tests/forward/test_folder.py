from __future__ import annotations

import errno
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState, Deferred, Rejected
from deid.forward.folder import UNPUBLISHED, Folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with closing(Folder(tmp_path / "out")) as folder:
        yield folder


def test_a_published_object_has_its_name_and_nothing_else_is_left(tmp_path: Path) -> None:
    with closing(Folder(tmp_path / "out")) as folder:
        folder.unpublished(1).write_bytes(b"one")
        folder.unpublished(2).write_bytes(b"two")
        folder.make_room(1, "P/S/E/1.dcm")
        folder.publish([(1, "P/S/E/1.dcm")])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"out/P/S/E/1.dcm"}
    assert not (tmp_path / "out" / UNPUBLISHED).exists()


def test_no_name_is_given_before_the_contents_are_on_disk(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.unpublished(1).write_bytes(b"one")
    folder.make_room(1, "P/S/E/1.dcm")
    done: list[str] = []
    renamed = os.rename

    def rename(old: Path, new: Path) -> None:
        done.append("renamed")
        renamed(old, new)

    monkeypatch.setattr(folder, "_sync", lambda paths: done.extend(path.name for path in paths))
    monkeypatch.setattr(os, "rename", rename)
    folder.publish([(1, "P/S/E/1.dcm")])
    assert done == [folder.unpublished(1).name, "renamed"]


def test_a_folder_takes_the_place_of_the_earlier_one_after_it_is_on_disk(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.target / "MEDIA/earlier").mkdir(parents=True)
    (folder.unpublished_folder("MEDIA") / "new").mkdir(parents=True)
    synced: list[str] = []

    def sync(paths: Iterable[Path]) -> None:
        assert (folder.target / "MEDIA/earlier").exists()
        synced.extend(path.name for path in paths)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "_sync", sync)
        folder.publish_folder("MEDIA")
    assert synced == ["new"]
    assert [path.name for path in (folder.target / "MEDIA").iterdir()] == ["new"]


def test_one_run_at_a_time(folder: Folder) -> None:
    with pytest.raises(BadState, match="another run"):
        Folder(folder.target)


def test_what_another_run_has_just_removed_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Folder(tmp_path)
    opened = os.open

    def open_late(*words: object) -> int:
        descriptor = opened(*words)  # type: ignore[arg-type] # as it is called
        monkeypatch.setattr(os, "open", opened)
        other.close()
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    with pytest.raises(BadState, match="has just ended"):
        Folder(tmp_path)


def test_leftovers_are_cleared_and_names_of_runs_differ(tmp_path: Path) -> None:
    killed = Folder(tmp_path)
    killed.unpublished(1).write_bytes(b"part")
    (killed.unpublished_folder("MEDIA") / "folder").mkdir(parents=True)
    os.close(killed._descriptor)
    with closing(Folder(tmp_path)) as folder:
        assert list((tmp_path / UNPUBLISHED).iterdir()) == []
        assert folder.unpublished(1) != killed.unpublished(1)


def test_a_link_in_place_of_the_staging_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_bytes(b"mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / UNPUBLISHED).symlink_to(tmp_path / "precious")
    with pytest.raises(BadState, match="cannot be used"):
        Folder(tmp_path / "out")
    assert (tmp_path / "precious/file").exists()


@pytest.mark.parametrize("there", [b"one", None])
def test_the_same_bytes_are_the_same_object(folder: Folder, there: bytes | None) -> None:
    folder.unpublished(1).write_bytes(b"one")
    if there is not None:
        (folder.target / "1.dcm").write_bytes(there)
    folder.make_room(1, "1.dcm")


@pytest.mark.parametrize("there", [b"two", b"longer", "a folder", "a link"])
def test_what_stands_in_the_way_of_an_object_holds_it(folder: Folder, there: bytes | str) -> None:
    folder.unpublished(1).write_bytes(b"one")
    match there:
        case "a folder":
            (folder.target / "1.dcm").mkdir()
        case "a link":
            (folder.target / "1.dcm").symlink_to("nowhere")
        case bytes():
            (folder.target / "1.dcm").write_bytes(there)
    with pytest.raises(Rejected, match="a different file"):
        folder.make_room(1, "1.dcm")


def test_a_name_that_cannot_be_given_holds_the_object(folder: Folder) -> None:
    (folder.target / "patient").touch()
    for path in ("patient/study/1.dcm", f"{'p' * 300}/1.dcm", f"study/{'i' * 300}.dcm"):
        with pytest.raises(Rejected, match="the output folder cannot be written"):
            folder.make_room(1, path)


def test_a_full_disk_defers(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.unpublished(1).write_bytes(b"one")
    folder.make_room(1, "P/1.dcm")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a path may name a patient")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(Deferred, match="No space left on device") as said:
        folder.publish([(1, "P/1.dcm")])
    assert "patient" not in str(said.value)
    assert list(folder.target.rglob("*.dcm")) == []


def published(folder: Folder, ticket: int, path: str) -> Path:
    folder.unpublished(ticket).write_bytes(b"%d" % ticket)
    folder.make_room(ticket, path)
    folder.publish([(ticket, path)])
    return folder.target / path


def test_a_long_run_remembers_a_bounded_number_of_folders_and_makes_the_names_of_all_last(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deid.forward.folder._MOST_MADE", 3)
    synced: set[str] = set()
    monkeypatch.setattr(folder, "_sync", lambda paths: synced.update(path.name for path in paths))
    for number in range(10):
        folder.make_room(number, f"P/S/{number}/1.dcm")
        assert len(folder._made) <= 3
    assert {str(number) for number in range(9)} <= synced
    assert "9" not in synced


def test_what_is_withdrawn_takes_empty_folders_with_it(folder: Folder) -> None:
    one, two = published(folder, 1, "P/S/E/1.dcm"), published(folder, 2, "P/T/E/2.dcm")
    folder.withdraw("P/S/E/1.dcm")
    assert not (folder.target / "P/S").exists()
    assert two.exists()
    folder.withdraw("P/S/E/1.dcm")  # after a crash, once more
    folder.withdraw("P/T/E/2.dcm")
    assert [path.name for path in folder.target.iterdir()] == [UNPUBLISHED]
    assert published(folder, 1, "P/S/E/1.dcm") == one
    assert one.exists()


def test_folders_that_a_crash_has_left_empty_go_as_well(folder: Folder) -> None:
    published(folder, 1, "P/S/E/1.dcm").unlink()
    (folder.target / "P/S/E").rmdir()
    folder.withdraw("P/S/E/1.dcm")
    assert not (folder.target / "P").exists()


def test_a_folder_that_is_taken_away_meanwhile_is_made_again(folder: Folder) -> None:
    """The last object of a series is withdrawn after there was room for the next one, before it has its name."""
    published(folder, 1, "P/S/E/1.dcm")
    folder.unpublished(2).write_bytes(b"2")
    folder.make_room(2, "P/S/E/2.dcm")
    folder.withdraw("P/S/E/1.dcm")
    folder.publish([(2, "P/S/E/2.dcm")])
    assert (folder.target / "P/S/E/2.dcm").read_bytes() == b"2"
