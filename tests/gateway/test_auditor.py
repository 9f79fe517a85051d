"""What is told stands in the trail, in its order, as soon as there is room for it."""

from __future__ import annotations

import errno
import json
import os
from threading import Event
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState
from deid.gateway import auditor as module
from deid.gateway.auditor import Auditor
from deid.store.audit import Audit
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        yield vault


@pytest.fixture
def auditor(vault: Vault) -> Auditor:
    return Auditor(Audit(vault.audit, vault.keys), Event())


def told(vault: Vault) -> list[int]:
    return [json.loads(line)["fields"]["number"] for line in vault.audit.read_text().splitlines()]


def full(monkeypatch: pytest.MonkeyPatch, number: int = errno.ENOSPC) -> None:
    """The next lines are torn."""
    write = os.pwrite

    def torn(descriptor: int, content: bytes, at: int) -> int:
        write(descriptor, content[:10], at)
        raise OSError(number, "it says why")

    monkeypatch.setattr("os.pwrite", torn)


def test_a_full_disk_puts_off_and_takes_nothing_away(
    auditor: Auditor, vault: Vault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor.tell("event", number=1)
    with monkeypatch.context() as meanwhile:
        full(meanwhile)
        for number in (2, 3):
            auditor.tell("event", number=number)
            auditor.sync()
    auditor.tell("event", number=4)
    auditor.sync()
    assert told(vault) == [1, 2, 3, 4]
    assert Audit(vault.audit, vault.keys).verify() == 4
    assert capsys.readouterr().err.count("audit paused") == 1


def test_what_was_put_off_is_written_without_another_word(
    auditor: Auditor, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as meanwhile:
        full(meanwhile)
        auditor.tell("event", number=1)
    auditor.sync()
    assert told(vault) == [1]


def test_it_is_not_put_off_without_end(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 3)
    full(monkeypatch)
    for number in range(3):
        auditor.tell("event", number=number)
        auditor.sync()
    auditor.tell("event", number=4)
    with pytest.raises(BadState, match="cannot be written: it says why"):
        auditor.sync()


def test_a_trail_that_cannot_be_written_for_another_reason_ends_it(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, errno.EIO)
    auditor.tell("event", number=1)
    with pytest.raises(BadState, match="cannot be written: it says why"):
        auditor.sync()
