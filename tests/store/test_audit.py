from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deid.attributes.keys import derive
from deid.errors import BadState, Deferred
from deid.store.audit import Audit, Position

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEYS = derive(b"k" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, KEYS)
    audit.begin()
    for number in range(1, 6):
        audit.record("released", ticket=number, reason="accepted by the data steward")
    return path


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_a_line_says_when_what_and_with_which_fields(path: Path) -> None:
    line = json.loads(path.read_text().splitlines()[2])
    assert line["event"] == "released"
    assert line["fields"] == {"ticket": 3, "reason": "accepted by the data steward"}
    assert line["time"].endswith("+00:00")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_untouched_trail_is_whole(path: Path) -> None:
    assert Audit(path, KEYS).verify() == 5


def test_a_trail_begins_without_lines_and_once(path: Path, tmp_path: Path) -> None:
    audit = Audit(tmp_path / "new.jsonl", KEYS)
    audit.begin()
    assert audit.verify() == 0
    Audit(path, KEYS).begin()
    assert Audit(path, KEYS).verify() == 5


@pytest.mark.parametrize("left", [("audit.jsonl",), ("audit.jsonl.head",), ()])
def test_a_trail_that_was_taken_away_is_missed(path: Path, left: tuple[str, ...]) -> None:
    for gone in {"audit.jsonl", "audit.jsonl.head"} - set(left):
        path.with_name(gone).unlink()
    with pytest.raises(BadState, match="is missing"):
        Audit(path, KEYS).verify()
    with pytest.raises(BadState, match="is missing"):
        Audit(path, KEYS).record("more")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b'"ticket":3', b'"ticket":4'), *lines[3:]], "line 3"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3"),
        (lambda lines: lines[1:], "line 1"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1"),
        (lambda lines: [*lines[:4], lines[3], lines[4]], "line 5"),
        (lambda lines: [*lines, b"{}\n"], "line 6"),
        (lambda lines: lines[:4], "line 5"),
        (lambda lines: lines[:2], "line 3"),
        (lambda _: [], "line 1"),
        (lambda lines: [*lines[:4], lines[4][:-1]], "line 5"),
    ],
    ids=["changed", "cut out", "first", "swapped", "twice", "added", "last", "last three", "all", "no line end"],
)
def test_the_first_line_that_is_wrong_is_named(
    path: Path, change: Callable[[list[bytes]], list[bytes]], named: str
) -> None:
    edit(path, change)
    before = path.read_bytes()
    with pytest.raises(BadState, match=named):
        Audit(path, KEYS).verify()
    with pytest.raises(BadState, match=named):
        Audit(path, KEYS).record("more")  # would hide what is missing
    assert path.read_bytes() == before


def test_the_end_cannot_be_cut_off_together_with_the_head(path: Path) -> None:
    edit(path, lambda lines: lines[:3])
    head = path.with_name("audit.jsonl.head")
    head.write_bytes(head.read_bytes().replace(b"5", b"3", 1))
    with pytest.raises(BadState, match="line 4"):
        Audit(path, KEYS).verify()
    head.unlink()
    with pytest.raises(BadState, match="line 4"):
        Audit(path, KEYS).verify()


def test_another_key_proves_nothing(path: Path) -> None:
    with pytest.raises(BadState, match="line 1"):
        Audit(path, derive(b"o" * 32)).verify()


def test_a_line_torn_by_a_crash_was_never_promised(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"time":"2026-01-01T00:00')
    audit = Audit(path, KEYS)
    assert audit.verify() == 5
    audit.record("next")
    assert audit.verify() == 6
    assert json.loads(path.read_text().splitlines()[5])["event"] == "next"


def test_a_crash_before_the_head_is_written_is_no_tampering(path: Path) -> None:
    head = path.with_name("audit.jsonl.head")
    before = head.read_bytes()
    Audit(path, KEYS).record("last")
    head.write_bytes(before)
    assert Audit(path, KEYS).verify() == 6
    Audit(path, KEYS).record("next")
    assert Audit(path, KEYS).verify() == 7


def test_a_field_cannot_forge_the_end_of_a_line(path: Path) -> None:
    Audit(path, KEYS).record("note", text='","chain":"00"}\n{"event":"forged"', chain="x", time="y")
    assert Audit(path, KEYS).verify() == 6


def test_a_pseudonym_is_stable_and_tells_nothing(path: Path) -> None:
    pseudonym = Audit(path, KEYS).pseudonym("DOE^JANE")
    assert pseudonym == Audit(path, KEYS).pseudonym("DOE^JANE") != Audit(path, KEYS).pseudonym("DOE^JOHN")
    assert "DOE" not in pseudonym
    assert Audit(path, replace(KEYS, audit=b"x" * 32)).pseudonym("DOE^JANE") != pseudonym


def test_a_group_is_written_together_and_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Audit(path, KEYS)
    audit.append([("received", {"ticket": number}) for number in range(100)])
    assert audit.verify() == 105
    monkeypatch.setattr(Audit, "_read", lambda _: pytest.fail("nobody else has written"))
    audit.record("released", ticket=1)
    monkeypatch.undo()
    assert audit.verify() == 106


def test_two_writers_take_turns(path: Path) -> None:
    one, other = Audit(path, KEYS), Audit(path, KEYS)
    for number in range(3):
        one.record("received", ticket=number)
        other.record("discarded", ticket=number)
    assert one.verify() == 11


def test_a_crash_in_a_group_is_no_tampering(path: Path) -> None:
    head = path.with_name("audit.jsonl.head")
    before = head.read_bytes()
    Audit(path, KEYS).append([("received", {"ticket": number}) for number in range(9)])
    head.write_bytes(before)
    path.write_bytes(path.read_bytes()[:-5])  # torn in the last line
    assert Audit(path, KEYS).verify() == 13
    Audit(path, KEYS).record("more")
    assert Audit(path, KEYS).verify() == 14


def test_what_cannot_be_taken_back_ends_whoever_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(number: int) -> Callable[..., int]:
        def call(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        return call

    audit = Audit(path, KEYS)
    monkeypatch.setattr(os, "pwrite", fails(errno.ENOSPC))
    monkeypatch.setattr(os, "truncate", fails(errno.EIO))
    with pytest.raises(BadState, match="cannot be written: Input/output error"):
        audit.append([("released", {"ticket": 6})])


def test_what_a_full_disk_cut_off_is_written_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Audit(path, KEYS)
    events: list[tuple[str, dict[str, str | int]]] = [("released", {"ticket": number}) for number in range(6, 10)]
    written = os.pwrite
    room = 300

    def until_it_is_full(descriptor: int, content: bytes, at: int) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(descriptor, content[:room], at)
        fits, room = room, 0
        return fits

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", until_it_is_full)
        with pytest.raises(Deferred):
            audit.append(events)
    audit.append(events)
    audit.sync()
    assert [json.loads(line)["fields"]["ticket"] for line in path.read_text().splitlines()] == [*range(1, 10)]
    assert Audit(path, KEYS).verify() == 9


def test_what_follows_a_position_is_read_in_parts(path: Path) -> None:
    audit = Audit(path, KEYS)
    first, at = audit.after(Position(), 3)
    assert [line.fields["ticket"] for line in first] == [1, 2, 3]
    assert at.lines == 3
    rest, end = audit.after(at, 100)
    assert [line.fields["ticket"] for line in rest] == [4, 5]
    assert audit.after(end, 100) == ([], end)
    assert audit.lines() == end.lines == 5


def test_what_is_not_synced_is_read_by_nobody(path: Path) -> None:
    """A power cut could take it away again, after somebody was told of it."""
    audit = Audit(path, KEYS)
    end = audit.after(Position(), 100)[1]
    audit.append([("received", {"ticket": 6})])
    assert audit.after(end, 100) == ([], end)
    audit.sync()
    assert [line.event for line in audit.after(end, 100)[0]] == ["received"]


def test_a_line_that_was_changed_is_not_read(path: Path) -> None:
    edit(path, lambda lines: [*lines[:3], lines[3].replace(b'"ticket":4', b'"ticket":9'), lines[4]])
    at = Audit(path, KEYS).after(Position(), 3)[1]
    with pytest.raises(BadState, match="line 4"):
        Audit(path, KEYS).after(at, 100)


def test_a_trail_that_does_not_reach_to_the_position_is_refused(path: Path) -> None:
    old = {name: name.read_bytes() for name in (path, path.with_name("audit.jsonl.head"))}
    Audit(path, KEYS).record("released", ticket=6)
    at = Audit(path, KEYS).after(Position(), 100)[1]
    for name, content in old.items():
        name.write_bytes(content)
    with pytest.raises(BadState, match="shorter"):
        Audit(path, KEYS).after(at, 100)


def test_a_writer_misses_lines_that_were_cut_off_meanwhile(path: Path) -> None:
    audit = Audit(path, KEYS)
    audit.append([("received", {"ticket": 6})])
    edit(path, lambda lines: lines[:5])
    with pytest.raises(BadState, match="shorter"):
        audit.append([("received", {"ticket": 7})])


@pytest.mark.parametrize("then", [lambda audit: audit.append([("received", {"ticket": 9})]), Audit.sync])
def test_a_writer_misses_its_lines_where_those_of_others_stand(path: Path, then: Callable[[Audit], None]) -> None:
    gateway = Audit(path, KEYS)
    gateway.append([("received", {"ticket": number}) for number in range(6, 9)])
    edit(path, lambda lines: lines[:5])
    person = Audit(path, KEYS)
    for _ in range(6):
        person.record("looked up", value="more bytes than the lines had that were cut off")
    with pytest.raises(BadState, match="shorter"):
        then(gateway)


def test_whoever_syncs_late_leaves_the_head_of_another_alone(path: Path) -> None:
    late, other = Audit(path, KEYS), Audit(path, KEYS)
    late.append([("received", {"ticket": 6})])
    other.record("discard", ticket=6)
    late.sync()
    assert late.lines() == 7
    late.record("received", ticket=7)
    assert late.verify() == 8


def test_the_head_may_tell_less_than_was_written_since_by_somebody_else(path: Path) -> None:
    """A person decides while the gateway writes, and his line is synced when lines of others follow it already."""
    gateway, person = Audit(path, KEYS), Audit(path, KEYS)
    gateway.record("received", ticket=6)
    person.append([("discard", {"ticket": 6})])
    gateway.append([("received", {"ticket": 7}), ("received", {"ticket": 8})])
    person.sync()
    assert person.lines() == 7
    gateway.append([("received", {"ticket": 9})])
    gateway.sync()
    assert gateway.lines() == gateway.verify() == Audit(path, KEYS).verify() == 10


@pytest.mark.parametrize("tampered", ["cut", "changed"])
def test_what_was_written_since_the_head_is_looked_at_again(path: Path, tampered: str) -> None:
    gateway, person = Audit(path, KEYS), Audit(path, KEYS)
    gateway.record("received", ticket=6)
    person.append([("discard", {"ticket": 6})])
    gateway.append([("received", {"ticket": 7}), ("received", {"ticket": 8})])
    person.sync()
    if tampered == "cut":
        edit(path, lambda lines: lines[:-1])
    else:
        edit(path, lambda lines: [*lines[:-2], lines[-2].replace(b"received", b"released"), lines[-1]])
    with pytest.raises(BadState, match=r"shorter|changed"):
        gateway.append([("received", {"ticket": 9})])
