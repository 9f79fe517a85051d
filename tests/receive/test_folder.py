from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deid.receive.folder import files_below

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_file_is_listed_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a", "b.dcm", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = list(files_below(tmp_path))
    assert [str(path.relative_to(tmp_path)) for path, _ in found] == ["a", "b/10", "b/2", "b.dcm", "c/d/e"]
    assert [status[0] for _, status in found] == [1, 4, 3, 5, 5]
    times = [(path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path, _ in found]
    assert [status[1:] for _, status in found] == times


def test_one_file_is_a_listing_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    assert [(path.name, status[0]) for path, status in files_below(tmp_path / "a")] == [("a", 2)]


def test_links_to_folders_are_listed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    found = {path.name: status for path, status in files_below(tmp_path)}
    assert found.keys() == {"circle", "dangling"}
    assert found["dangling"] == ()


def test_a_folder_that_cannot_be_listed_is_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").write_bytes(b"1")
    listed = os.scandir

    def scandir(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert next(iter(files_below(tmp_path))) == (tmp_path / "closed", ())
    assert len(list(files_below(tmp_path))) == 2
