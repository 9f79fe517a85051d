"""Originals, and what was made of them, stay as many days as the settings say, and not longer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from .site import Archive, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

A_DAY = 86_400


def test_what_arrived_a_day_ago_goes_and_what_came_since_stays(
    tmp_path: Path, archive: Archive, files: list[Path]
) -> None:
    site = Site(tmp_path, archive.port, retention={"originals_days": 1})
    with site.serving() as process:
        site.send(files[:2])
        eventually(lambda: 'deid_deliveries{destination="archive",state="sent"} 2.0' in site.ask("/metrics")[1])
        process.terminate()
        process.wait(60)
    assert site.left() == 4
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE arrivals SET arrived = arrived - ? WHERE ticket = 1", (A_DAY,))
        ledger.execute("UPDATE arrivals SET arrived = arrived - ? WHERE ticket = 2", (A_DAY - 3600,))
    with site.serving() as process:
        eventually(lambda: site.left() <= 2)
        process.terminate()  # the folder is looked through in one go
        process.wait(60)
    assert site.left() == 2
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT ticket FROM arrivals WHERE gone").fetchall() == [(1,)]
