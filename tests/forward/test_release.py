"""What does not go out leaves nothing behind, whatever became of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deid.forward.folder import Folder
from deid.forward.release import Release
from deid.model import Outcome, State, Ticket

JUDGE: Any = SimpleNamespace(judge=lambda outcome, _ticket, _group: outcome)


def test_what_a_process_that_died_had_staged_is_removed(tmp_path: Path) -> None:
    """It has no result: nobody knows how far it came."""
    queue: Any = SimpleNamespace(record_ends=lambda *_: None)
    with closing(Folder(tmp_path / "out")) as folder:
        release = Release(queue, 1, folder, JUDGE)
        release.begin([Ticket(7, Path("a"))])
        staged = folder.unpublished(7)
        staged.write_bytes(b"half of it")
        release.end([Outcome(7, State.HELD, "defect: the process that worked on this object died")])
        assert not staged.exists()
