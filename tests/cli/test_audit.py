from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deid.store.audit import Audit
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def written(state: Path) -> Path:
    with Vault.open(state) as vault:
        for _ in range(3):
            Audit(vault.audit, vault.keys).record("run")
        return vault.audit


def test_a_whole_trail(deid: Callable[..., Any], state: Path) -> None:
    written(state)
    said = deid("audit", "verify", "--state", state)
    assert (said.code, said.out) == (0, "The audit trail is whole: 3 lines.\n")


def test_a_changed_line_is_named(deid: Callable[..., Any], state: Path) -> None:
    trail = written(state)
    lines = trail.read_text("ascii").splitlines(keepends=True)
    trail.write_text("".join([lines[0], lines[1].replace("run", "ran"), lines[2]]), "ascii")
    said = deid("audit", "verify", "--state", state)
    assert said.code == 2
    assert "line 2 of the audit trail" in said.err


def test_a_missing_line_is_named(deid: Callable[..., Any], state: Path) -> None:
    trail = written(state)
    trail.write_text("".join(trail.read_text("ascii").splitlines(keepends=True)[:2]), "ascii")
    said = deid("audit", "verify", "--state", state)
    assert said.code == 2
    assert "line 3 of the audit trail is missing" in said.err
