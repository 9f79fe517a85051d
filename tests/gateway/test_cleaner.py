"""What nobody needs any more goes, whatever stands in the way of one file."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import Deferred
from deid.gateway import cleaner
from deid.gateway.cleaner import Cleaner
from deid.store.deliveries import Finished

if TYPE_CHECKING:
    from pathlib import Path


class Ledger:
    """Has some objects that nobody needs any more, each a file in the spool."""

    def __init__(self, *sources: Path) -> None:
        self.gone_ones: list[int] = []
        self._sources = sources

    def arrived_by(self, _now: float) -> None:
        pass

    def finished(self, _before: float, _count: int) -> list[Finished]:
        return [Finished(number, 1, source, "") for number, source in enumerate(self._sources)]

    def gone(self, tickets: list[int]) -> None:
        self.gone_ones += tickets


def test_a_file_that_cannot_be_deleted_keeps_no_others_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [tmp_path / f"{number}.dcm" for number in range(3)]
    sources[0].touch()
    sources[1].mkdir()  # in place of a file
    sources[2].touch()

    ledger: Any = Ledger(*sources)
    assert Cleaner(ledger, {}, 0, Event()).clean() == 2
    assert ledger.gone_ones == [0, 2]
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
