from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_it_is_written_to_the_state_folder(deid: Callable[..., Any], state: Path) -> None:
    said = deid("report", "--state", state)
    assert said.code == 0
    assert f"The report is {state / 'report.html'};" in said.out
    (batch,) = json.loads((state / "report.json").read_text())["batches"]
    assert batch["balance"]["held"] == 2
    assert batch["leaks"] == 1
    page = (state / "report.html").read_text()
    assert "an identifying value was found before release" in page
    assert "deid queue release ID" in page
    assert "[bold]" not in page  # the path of an original


def test_or_to_a_folder_apart_from_the_output(deid: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    assert deid("report", "--state", state, "--out", tmp_path / "here").code == 0
    assert (tmp_path / "here" / "report.html").exists()
    said = deid("report", "--state", state, "--out", tmp_path / "out")
    assert said.code == 2
    assert "name a folder apart from it" in said.err
    assert not (tmp_path / "out").exists()


def test_batches_are_told_apart_by_their_output(deid: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    with Vault.open(state) as vault:
        Queue(vault.connection, vault.keys).journey(tmp_path / "in", tmp_path / "elsewhere", "plan 0.1.0")
    said = deid("report", "--state", state)
    assert [line.split() for line in said.out.splitlines()[:3]] == [
        ["batch", "output"],
        ["2", str(tmp_path / "elsewhere")],
        ["1", str(tmp_path / "out")],
    ]


def test_no_state_no_report(deid: Callable[..., Any], tmp_path: Path) -> None:
    said = deid("report", "--state", tmp_path / "typo")
    assert said.code == 2
    assert not (tmp_path / "typo").exists()
