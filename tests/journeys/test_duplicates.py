"""The same SOP Instance UID again: the order of names says which is first; the others are duplicates or held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELD = "another object with the same SOP Instance UID and different content was released before"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("between", [0, 40, 150])  # the same group, another one of two processes, another one of one
def test_the_first_name_is_released(
    source: Path, target: Path, jobs: int, between: int, ct: Callable[..., bytes], deid: Callable[..., Any],
    tree: Callable[[Path], Any], tmp_path: Path,
) -> None:  # fmt: skip
    (source / "a first").write_bytes(ct(1))
    alone = deid("run", source, tmp_path / "alone", "--json")
    assert alone.counts == {"released": 1}
    (only,) = tree(tmp_path / "alone").items()
    for number in range(between):
        (source / f"b {number}").write_bytes(ct(100 + number))
    (source / "c same").write_bytes(ct(1))
    (source / "d another preamble and file meta").write_bytes(
        b"\1" * 128 + ct(1)[128:].replace(b"EXAMPLE_17", b"OTHER_PACS")
    )
    (source / "e other pixels").write_bytes(ct(1, pixel=3))
    (source / "f other pixels too").write_bytes(ct(1, pixel=3))
    (source / "g").mkdir()
    (source / "g/same").write_bytes(ct(1))
    said = deid("run", source, target, "--jobs", jobs, "--json", code=3)
    assert said.counts == {"released": 1 + between, "duplicate": 3, "held": 2}
    assert said.summary["reasons"] == [[HELD, 2]]
    assert only in tree(target).items()
    assert len(tree(target)) == 1 + between


def test_a_duplicate_takes_the_place_of_what_vanished(
    source: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any], tree: Callable[[Path], Any]
) -> None:
    (source / "a").write_bytes(ct(1))
    (source / "b").write_bytes(ct(1))
    assert deid("run", source, target, "--json").counts == {"released": 1, "duplicate": 1}
    whole = tree(target)
    (source / "a").unlink()
    next(target.rglob("*.dcm")).unlink()
    said = deid("run", source, target, "--json")
    assert said.counts == {"released": 1, "duplicate": 1}
    assert tree(target) == whole
