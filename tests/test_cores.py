"""A container's share of a machine counts, not the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deid import cores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "100000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1),
        ("4:memory:/a\n3:cpu,cpuacct:/a\n", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/a/none": ""}, 8),
        (
            "3:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
            1,
        ),
        ("0::/a\n", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/a\n", {"cpu.max": "nonsense\n"}, 8),
    ],
)
def test_no_more_cores_than_the_process_may_use(
    line: str, files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, own = tmp_path / "groups", tmp_path / "cgroup"
    own.write_text(line)
    for name, content in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(content)
    monkeypatch.setattr(cores, "_GROUP", own)
    monkeypatch.setattr(cores, "_GROUPS", groups)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert cores.cores() == expected
