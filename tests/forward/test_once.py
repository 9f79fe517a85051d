"""What goes out of an outbox, and what may be replaced there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from deid.forward.folder import Folder
from deid.forward.once import Once
from deid.forward.release import Release
from deid.model import Outcome, Result, State
from deid.store.inbox import DIFFERENT, Arrival, Inbox
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "P/S/E/1.dcm"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state") as vault:
        yield vault


@pytest.fixture
def journey(vault: Vault, tmp_path: Path) -> int:
    """With one object that has arrived."""
    journey = Queue(vault.connection, vault.keys).journey(tmp_path / "spool", tmp_path / "out", "route research")
    inbox = Inbox(vault.connection, vault.keys)
    inbox.receive(Arrival(journey, tmp_path / "spool/1.dcm", "1.2.3", b"1", "CT1", 1.0))
    return journey


def worked(ticket: int) -> Outcome:
    return Outcome(ticket, State.RELEASED, result=Result("1.2", "1.2.3", PATH, (), ()))


def at_work(vault: Vault, journey: int, folder: Folder, content: bytes) -> tuple[Release, int]:
    queue = Queue(vault.connection, vault.keys)
    release = Release(queue, journey, folder, Once(queue, journey, folder), ("archive",))
    (ticket,) = queue.received(journey, 0, 9)
    release.begin([ticket])
    folder.unpublished(ticket.number).write_bytes(content)
    return release, ticket.number


def test_what_was_published_and_not_recorded_may_be_made_otherwise(
    vault: Vault, journey: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is killed in between, and starts with another profile."""
    with closing(Folder(tmp_path / "out")) as folder, monkeypatch.context() as killed:
        killed.setattr(Queue, "record_ends", lambda *_: None)
        release, ticket = at_work(vault, journey, folder, b"by the first profile")
        release.end([worked(ticket)])
    assert (tmp_path / "out" / PATH).read_bytes() == b"by the first profile"
    with closing(Folder(tmp_path / "out")) as folder:
        release, ticket = at_work(vault, journey, folder, b"by another")
        assert [(end.state, end.reason) for end in release.end([worked(ticket)])] == [(State.RELEASED, "")]
    assert (tmp_path / "out" / PATH).read_bytes() == b"by another"


def test_what_was_recorded_is_not_replaced(vault: Vault, journey: int, tmp_path: Path) -> None:
    with closing(Folder(tmp_path / "out")) as folder:
        release, ticket = at_work(vault, journey, folder, b"released")
        release.end([worked(ticket)])
        inbox, queue = Inbox(vault.connection, vault.keys), Queue(vault.connection, vault.keys)
        other, _ = inbox.receive(Arrival(journey, tmp_path / "spool/2.dcm", "1.2.3", b"2", "CT1", 2.0))
        queue.retry(other)
        release, ticket = at_work(vault, journey, folder, b"another object")
        assert [(end.state, end.reason) for end in release.end([worked(ticket)])] == [(State.HELD, DIFFERENT)]
    assert (tmp_path / "out" / PATH).read_bytes() == b"released"


def test_names_are_on_the_disk_before_anything_can_be_sent(
    vault: Vault, journey: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    with closing(Folder(tmp_path / "out")) as folder:
        release, ticket = at_work(vault, journey, folder, b"one")
        synced, recorded = folder._make_names_last, Queue.record_ends

        def sync() -> None:
            assert (tmp_path / "out" / PATH).exists()
            done.append("names")
            synced()

        def record(*words: object) -> None:
            done.append("ledger")
            recorded(*words)  # type: ignore[arg-type]  # as it is called

        monkeypatch.setattr(folder, "_make_names_last", sync)
        monkeypatch.setattr(Queue, "record_ends", record)
        release.end([worked(ticket)])
        assert done == ["names", "ledger"]
