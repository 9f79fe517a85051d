"""Where the reporting of the audit trail stands: kept, and not to be moved by whoever has no key."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from deid.attributes.keys import derive
from deid.errors import BadState, Deferred
from deid.store.audit import Position
from deid.store.reported import Reported

if TYPE_CHECKING:
    from pathlib import Path

KEYS = derive(b"k" * 32)
AT = Position(7, b"ab" * 16, 1234)


def move(path: Path, at: Position) -> None:
    with Reported(path, KEYS).moved(at):
        pass


def test_it_begins_with_the_first_line(tmp_path: Path) -> None:
    reported = Reported(tmp_path / "audit.jsonl", KEYS)
    assert reported.position() == Position()
    assert not reported.exists


def test_it_is_found_again(tmp_path: Path) -> None:
    move(tmp_path / "audit.jsonl", AT)
    assert Reported(tmp_path / "audit.jsonl", KEYS).position() == AT
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    move(tmp_path / "audit.jsonl", AT._replace(lines=8))
    assert Reported(tmp_path / "audit.jsonl", KEYS).position().lines == 8


@pytest.mark.parametrize("change", [(b"7 ", b"9 "), (b"1234", b"9999"), (b"abab", b"cdcd"), (b"\n", b" x\n")])
def test_nobody_moves_it_past_lines_that_were_not_reported(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    reported = Reported(tmp_path / "audit.jsonl", KEYS)
    move(tmp_path / "audit.jsonl", AT)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(*change, 1))
    with pytest.raises(BadState, match="remove it"):
        reported.position()


def test_the_head_of_the_trail_is_no_place(tmp_path: Path) -> None:
    """It is written with the same key, and stands for the same lines."""
    reported = Reported(tmp_path / "audit.jsonl", KEYS)
    for content in (b"", b"0000000000000007 abcd\n"):
        (tmp_path / "audit.jsonl.reported").write_bytes(content)
        with pytest.raises(BadState):
            reported.position()


def test_it_stays_where_nothing_was_reported(tmp_path: Path) -> None:
    reported = Reported(tmp_path / "audit.jsonl", KEYS)
    with pytest.raises(Deferred, match="away"), reported.moved(AT):
        raise Deferred("the repository is away")
    assert reported.position() == Position()


def test_nothing_is_reported_where_it_could_not_be_moved(tmp_path: Path) -> None:
    reported = Reported(tmp_path / "none" / "audit.jsonl", KEYS)
    with pytest.raises(Deferred, match="cannot be written"), reported.moved(AT):
        pytest.fail("it would be reported again and again")
