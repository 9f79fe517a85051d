"""The same command again: nothing is repeated, what is missing or new is made, and what is there is not overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.forward.folder import IN_THE_WAY, Folder
from deid.store.vault import Vault

from .conftest import HEADER_ONLY, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = 5


@pytest.fixture
def filled(source: Path, ct: Callable[..., bytes]) -> Path:
    for number in range(OBJECTS):
        (source / f"{number}.dcm").write_bytes(ct(number))
    return source


def files(target: Path) -> list[Path]:
    return sorted(target.rglob("*.dcm"))


def test_again_does_nothing_and_says_the_same(filled: Path, target: Path, deid: Callable[..., Any]) -> None:
    (filled / "notes").write_bytes(b"no DICOM")
    first = deid("run", filled, target, "--json", code=3)
    made = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in target.rglob("*")}
    again = deid("run", filled, target, "--json", code=3)
    assert again.summary | {"seconds": 0} == first.summary | {"seconds": 0}
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in target.rglob("*")} == made


def test_a_deleted_output_is_made_again(
    filled: Path, target: Path, deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    deid("run", filled, target)
    whole = tree(target)
    files(target)[2].unlink()
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS}
    assert tree(target) == whole


def test_new_files_are_taken_in(filled: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any]) -> None:
    deid("run", filled, target)
    (filled / "0 comes first").write_bytes(ct(77))
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS + 1}
    assert len(files(target)) == OBJECTS + 1


def test_a_changed_object_does_not_overwrite_what_was_released(
    filled: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    deid("run", filled, target)
    whole = tree(target)
    (filled / "3.dcm").write_bytes(ct(3, pixel=9))
    os.utime(filled / "3.dcm", (1, 1))
    said = deid("run", filled, target, "--json", code=3)
    assert said.counts == {"released": OBJECTS, "held": 1}
    assert said.summary["reasons"] == [[IN_THE_WAY, 1]]
    assert tree(target) == whole


def test_another_object_in_the_same_file_is_released_beside_the_first(
    filled: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    deid("run", filled, target)
    whole = tree(target)
    (filled / "3.dcm").write_bytes(ct(77))
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS + 1}
    assert whole.items() < tree(target).items()
    assert len(files(target)) == OBJECTS + 1


def test_the_same_object_in_a_file_that_was_touched_is_not_counted_twice(
    filled: Path, target: Path, deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    deid("run", filled, target)
    whole = tree(target)
    os.utime(filled / "3.dcm", (1, 1))
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS}
    assert tree(target) == whole


def test_what_was_released_is_accounted_for_when_input_and_output_are_gone(
    filled: Path, target: Path, deid: Callable[..., Any]
) -> None:
    deid("run", filled, target)
    target.rename(target.with_name("delivered"))
    for path in filled.iterdir():
        path.unlink()
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS}
    assert "released as" in deid("queue", "show", 1).out


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_source_that_was_away_for_a_while_is_read_when_it_is_back(
    filled: Path, target: Path, tmp_path: Path, jobs: int, deid: Callable[..., Any]
) -> None:
    for number in range(OBJECTS):
        (filled / f"link {number}").symlink_to(tmp_path / f"elsewhere/{number}.dcm")
    said = deid("run", filled, target, "--jobs", jobs, "--json", code=3)
    assert said.counts == {"released": OBJECTS, "unreadable": OBJECTS}
    shutil.copytree(filled, tmp_path / "elsewhere", symlinks=True)
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS, "duplicate": OBJECTS}


def test_another_profile_does_not_overwrite_what_was_released(
    filled: Path, target: Path, deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    deid("run", filled, target)
    whole = tree(target)
    said = deid("run", filled, target, "--json", "--option", "retain-patient-characteristics", code=3)
    assert said.counts == {"held": OBJECTS}
    assert said.summary["reasons"] == [[IN_THE_WAY, OBJECTS]]
    assert tree(target) == whole


def test_a_second_run_on_the_same_state_or_output_is_refused(
    filled: Path, target: Path, tmp_path: Path, deid: Callable[..., Any]
) -> None:
    with Vault.open(tmp_path / "state"):
        assert "in use by another process" in deid("run", filled, target, code=2).err
    folder = Folder(target)
    assert "another run is writing to the output" in deid("run", filled, target, code=2).err
    folder.close()
    assert deid("run", filled, target, "--json").counts == {"released": OBJECTS}


@pytest.mark.parametrize(
    ("source_at", "target_at", "state_at"),
    [
        ("in", "in", "state"),
        ("in", "in/out", "state"),
        ("out/in", "out", "state"),
        ("in", "out", "in/state"),
        ("in", "out", "out/state"),
        ("state/in", "out", "state"),
        ("in", "link/out", "state"),
    ],
)
def test_folders_within_one_another_are_refused(
    tmp_path: Path, source_at: str, target_at: str, state_at: str, ct: Callable[..., bytes], deid: Callable[..., Any]
) -> None:
    (tmp_path / source_at).mkdir(parents=True)
    (tmp_path / source_at / "object").write_bytes(ct(1))
    (tmp_path / "link").symlink_to(tmp_path / source_at)
    before = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    said = deid("run", tmp_path / source_at, tmp_path / target_at, state=tmp_path / state_at, code=2)
    assert "must be apart" in said.err
    assert {path for path in tmp_path.rglob("*") if not path.is_dir()} == before


@pytest.mark.parametrize("folder", ["in", "out"])
def test_a_key_beside_the_objects_is_refused(
    filled: Path, target: Path, tmp_path: Path, folder: str, deid: Callable[..., Any]
) -> None:
    said = deid("run", filled, target, "--key", tmp_path / folder / "key", code=2)
    assert "must be apart" in said.err
    assert not (tmp_path / folder / "key").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_stops_the_run_and_room_lets_it_resume(
    filled: Path, target: Path, jobs: int, deid: Callable[..., Any], tree: Callable[[Path], Any], tmp_path: Path
) -> None:
    target.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(target)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a small disk")
    try:
        said = deid("run", filled, target, "--jobs", jobs, code=1)
        assert "No space left on device" in said.err
        assert len(said.err.splitlines()) == 1
        assert len(files(target)) < OBJECTS
        subprocess.run(["mount", "-o", "remount,size=2m", target], check=True)
        assert deid("run", filled, target, "--jobs", jobs, "--json").counts == {"released": OBJECTS}
        roomy = tmp_path / "roomy"
        deid("run", filled, roomy, "--key", tmp_path / "state/key", state=tmp_path / "another state")
        assert tree(target) == tree(roomy)
    finally:
        subprocess.run(["umount", target], check=True)


def test_more_processes_write_the_same_bytes(
    filled: Path, target: Path, tmp_path: Path, ct: Callable[..., bytes], deid: Callable[..., Any],
    tree: Callable[[Path], Any],
) -> None:  # fmt: skip
    for number in range(80):  # more than one group
        (filled / f"more {number}").write_bytes(ct(1000 + number % 35, pixel=number % 2))
    one = deid("run", filled, target, "--jobs", 1, "--json", code=3)
    key = tmp_path / "state/key"
    two = deid("run", filled, tmp_path / "two", "--jobs", 2, "--json", "--key", key, state=tmp_path / "s2", code=3)
    assert one.summary | {"seconds": 0} == two.summary | {"seconds": 0}
    assert tree(target) == tree(tmp_path / "two")


def test_an_output_folder_that_cannot_be_written_is_a_matter_of_state(
    filled: Path, target: Path, deid: Callable[..., Any]
) -> None:
    target.write_bytes(b"a file")
    assert "cannot be used" in deid("run", filled, target, code=2).err


def test_a_folder_deeper_than_the_call_stack(source: Path, target: Path, ct: Callable[..., bytes]) -> None:
    names = ["d"] * 1200
    deepest = os.open(source, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=deepest)
        inner = os.open(name, os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = inner
    with os.fdopen(os.open("object", os.O_WRONLY | os.O_CREAT, dir_fd=deepest), "wb") as file:
        file.write(ct(1))
    os.close(deepest)
    line = [*PROGRAM, "run", source, target, *HEADER_ONLY, "--state", target.with_name("state")]
    done = subprocess.run(list(map(str, line)), capture_output=True, check=False)
    subprocess.run(["rm", "-rf", source / "d"], check=True)  # pytest's own cleaning is recursive
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(files(target)) == 1
