from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from deid.cli.state import person

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD, NEW = "GRUENWALD^1", "1234567890123456"
WHY = ("--reason", "call from the ward")


@pytest.mark.parametrize("value", [OLD, NEW])
@pytest.mark.parametrize("words", ["argument", "dash", "missing"])
def test_lookup_finds_both_ways_and_from_standard_input(
    deid: Callable[..., Any], state: Path, value: str, words: str
) -> None:
    given = {"argument": (value,), "dash": ("-",), "missing": ()}[words]
    said = deid("crosswalk", "lookup", *given, *WHY, "--state", state, stdin=f"{value}\nsecond line\n")
    assert said.code == 0
    assert said.out.splitlines()[1].split() == ["patient", OLD, NEW]


def test_not_found_is_1_and_says_nothing_about_the_value(deid: Callable[..., Any], state: Path) -> None:
    said = deid("crosswalk", "lookup", "NOBODY", *WHY, "--state", state)
    assert (said.code, said.out, said.err) == (1, "", "Not in the crosswalk.\n")


@pytest.mark.parametrize("value", [OLD, "NOBODY"])
def test_every_lookup_is_recorded_without_its_value(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any], value: str
) -> None:
    deid("crosswalk", "lookup", value, *WHY, "--state", state)
    deid("crosswalk", "lookup", *WHY, "--state", state, stdin=value)
    (first, fields), (second, again) = events()
    assert first == second == "crosswalk lookup"
    assert fields == again
    assert fields["reason"] == WHY[1]
    assert value not in (state / "audit.jsonl").read_text("ascii")


@pytest.mark.parametrize("words", [(), ("--reason", "  ")])
def test_a_lookup_needs_a_reason(
    deid: Callable[..., Any], state: Path, events: Callable[..., Any], words: tuple[str, ...]
) -> None:
    said = deid("crosswalk", "lookup", OLD, *words, "--state", state)
    assert (said.code, said.out) == (2, "")
    assert events() == []


def test_a_lookup_of_nothing_is_refused(deid: Callable[..., Any], state: Path, events: Callable[..., Any]) -> None:
    assert deid("crosswalk", "lookup", *WHY, "--state", state, stdin="\n").code == 2
    assert events() == []


def test_export_is_recorded(deid: Callable[..., Any], state: Path, tmp_path: Path, events: Callable[..., Any]) -> None:
    assert deid("crosswalk", "export", tmp_path / "clear", "--state", state).code == 0
    assert (tmp_path / "clear" / "patid_mapping.csv").read_text() == f"id_old,id_new\n{OLD},{NEW}\n"
    assert events() == [("crosswalk export", {"user": person()})]


def test_export_to_where_nobody_can_write(deid: Callable[..., Any], state: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = deid("crosswalk", "export", tmp_path / "file", "--state", state)
    assert (said.code, said.err) == (2, f"deid: {tmp_path / 'file'} cannot be written: {os.strerror(17)}\n")


@pytest.mark.parametrize("where", ["in", "out", "out/below"])
def test_export_keeps_apart_from_what_a_run_has_read_or_written(
    deid: Callable[..., Any], state: Path, tmp_path: Path, events: Callable[..., Any], where: str
) -> None:
    said = deid("crosswalk", "export", tmp_path / where, "--state", state)
    assert said.code == 2
    assert "name a folder apart from it" in said.err
    assert not (tmp_path / where).exists()
    assert events() == []
