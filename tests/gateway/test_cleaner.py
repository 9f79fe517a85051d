"""What nobody needs any more goes, whatever stands in the way of one file."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import BadState, Deferred
from deid.gateway import cleaner
from deid.gateway.cleaner import Cleaner
from deid.model import Outcome, State
from deid.store.deliveries import Deliveries, Finished
from deid.store.inbox import Arrival, Inbox
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Ledger:
    """Has some objects that nobody needs any more, each a file in the spool."""

    def __init__(self, *sources: Path) -> None:
        self.gone_ones: list[int] = []
        self.left: list[int] = []
        self._sources = sources

    def arrived_by(self, _now: float) -> None:
        pass

    def let_go(self, _before: float, _count: int) -> list[Finished]:
        return [Finished(number, 1, source, "") for number, source in enumerate(self._sources)]

    def gone(self, tickets: list[int]) -> None:
        self.gone_ones += tickets

    def not_gone(self, tickets: list[int]) -> None:
        self.left += tickets


def test_a_file_that_cannot_be_deleted_keeps_no_others_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [tmp_path / f"{number}.dcm" for number in range(3)]
    sources[0].touch()
    sources[1].mkdir()  # in place of a file
    sources[2].touch()

    ledger: Any = Ledger(*sources)
    assert Cleaner(ledger, {}, 0, Event()).clean() == 2
    assert (ledger.gone_ones, ledger.left) == ([0, 2], [1])
    assert [source.exists() for source in sources] == [False, True, False]
    assert '"count": 1' in capsys.readouterr().err


def test_what_is_called_gone_does_not_come_back_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A discarded object would be taken for one that has arrived, and go out."""
    source, no_more = tmp_path / "spool" / "1.dcm", tmp_path / "taken away" / "2.dcm"
    source.parent.mkdir()
    source.touch()
    ledger: Any = Ledger(source, no_more)
    fails = True

    def sync(folder: Path) -> None:
        assert not source.exists()
        assert not ledger.gone_ones
        if folder == no_more.parent:
            raise FileNotFoundError
        if fails:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(cleaner, "sync_folder", sync)
    with pytest.raises(Deferred, match="Input/output"):
        Cleaner(ledger, {}, 0, Event()).clean()
    assert ledger.gone_ones == []
    fails = False
    assert Cleaner(ledger, {}, 0, Event()).clean() == 2
    assert ledger.gone_ones == [0, 1]


class Retried(Deliveries):
    """A person retries an object before, or after, the cleaner has seen that nobody needs it any more."""

    retry_before: Callable[[], None]
    retry_after: Callable[[], None]

    def let_go(self, arrived_before: float, count: int) -> list[Finished]:
        self.retry_before()
        found = super().let_go(arrived_before, count)
        self.retry_after()
        return found


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        yield vault


def discarded(vault: Vault, source: Path, at: float = 1.0) -> tuple[Queue, int]:
    queue = Queue(vault.connection, vault.keys)
    journey = queue.journey(source.parent, source.parent / "out", "plan")
    ticket, _ = Inbox(vault.connection, vault.keys).receive(Arrival(journey, source, source.stem, b"1", "CT1", at))
    queue.record_ends(journey, [Outcome(ticket, State.HELD, "something")])
    queue.discard(ticket)
    return queue, ticket


@pytest.mark.parametrize("before", [True, False])
def test_what_is_retried_has_its_file_and_what_has_none_is_not(vault: Vault, tmp_path: Path, *, before: bool) -> None:
    source = tmp_path / "1.dcm"
    source.touch()
    queue, ticket = discarded(vault, source)
    refused: list[str] = []

    def retry() -> None:
        try:
            queue.retry(ticket)
        except BadState as reason:
            refused.append(str(reason))

    deliveries = Retried(vault.connection, vault.keys)
    deliveries.retry_before, deliveries.retry_after = (retry, lambda: None) if before else (lambda: None, retry)
    Cleaner(deliveries, {}, 0, Event()).clean()
    state = queue.show(ticket).ticket.state
    assert (state, source.exists()) == ((State.RECEIVED, True) if before else (State.DISCARDED, False))
    assert bool(refused) != before


def test_what_was_discarded_and_cannot_be_deleted_can_still_be_retried(vault: Vault, tmp_path: Path) -> None:
    source = tmp_path / "1.dcm"
    source.mkdir()  # in place of a file
    queue, ticket = discarded(vault, source)
    assert Cleaner(Deliveries(vault.connection, vault.keys), {}, 0, Event()).clean() == 0
    queue.retry(ticket)


@pytest.mark.parametrize("days", [0, 1, 30])
def test_what_arrived_less_than_so_many_days_ago_stays(vault: Vault, tmp_path: Path, days: int) -> None:
    old, young = tmp_path / "1.dcm", tmp_path / "2.dcm"
    ago = time.time() - days * 86_400
    for source, arrived in ((old, ago - 60), (young, ago + 3600)):
        source.touch()
        discarded(vault, source, arrived)
    Cleaner(Deliveries(vault.connection, vault.keys), {}, days, Event()).clean()
    assert not old.exists()
    assert young.exists() == (days > 0)  # what comes from the future has arrived now
