"""What nobody needs any more goes, whatever stands in the way of one file."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

from deid.gateway.cleaner import Cleaner
from deid.store.deliveries import Finished

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_that_cannot_be_deleted_keeps_no_others_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [tmp_path / f"{number}.dcm" for number in range(3)]
    sources[0].touch()
    sources[1].mkdir()  # in place of a file
    sources[2].touch()

    class Ledger:
        gone_ones: list[int]

        def arrived_by(self, _now: float) -> None:
            pass

        def finished(self, _before: float, _count: int) -> list[Finished]:
            return [Finished(number, 1, source, "") for number, source in enumerate(sources)]

        def gone(self, tickets: list[int]) -> None:
            self.gone_ones = tickets

    ledger: Any = Ledger()
    assert Cleaner(ledger, {}, 0, Event()).clean() == 2
    assert ledger.gone_ones == [0, 2]
    assert [source.exists() for source in sources] == [False, True, False]
    assert '"count": 1' in capsys.readouterr().err
