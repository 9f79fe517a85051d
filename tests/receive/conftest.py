"""A route that objects arrive at, and data sets that are hardly more than their UIDs."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from deid.receive.inlet import Inlet
from deid.store.inbox import Inbox
from deid.store.queue import Queue
from deid.store.spool import Spool
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"


def data_set(instance: str = "1.2.3", sop_class: str = CT, rest: bytes = b"") -> bytes:
    def uid(element: int, value: str) -> bytes:
        encoded = value.encode() + b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", 8, element, b"UI", len(encoded)) + encoded

    charset = struct.pack("<HH2sH", 8, 5, b"CS", 10) + b"ISO_IR 100"
    return charset + uid(0x16, sop_class) + uid(0x18, instance) + rest


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        yield vault


@pytest.fixture
def queue(vault: Vault) -> Queue:
    return Queue(vault.connection, vault.keys)


@pytest.fixture
def spool(vault: Vault) -> Spool:
    return Spool(vault.ledger.parent / "spool" / "route")


@pytest.fixture
def inlet(vault: Vault, queue: Queue, spool: Spool, tmp_path: Path) -> Iterator[Inlet]:
    connection = vault.another_connection()
    journey = queue.journey(spool.folder, tmp_path / "out", "route")
    yield Inlet(journey, spool, Inbox(connection, vault.keys), lambda *_: None, lambda: True)
    connection.close()
