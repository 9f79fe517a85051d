"""An archive to send to: takes what it is told to take, and says what it is told to say."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from deid.forward.scu import Destination
from deid.network.association import Association, accept
from deid.network.dimse import (
    AFFECTED_SOP_INSTANCE,
)
from deid.network.negotiation import Acceptance, Refusal, Request
from deid.network.pdu import Ended, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMITS = Limits(setup=10.0, idle=10.0, stall=10.0)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass
class Archive:
    """A Storage SCP on a port of its own, any number of associations at a time."""

    takes: Callable[[str], bool] = lambda _: True  # which transfer syntaxes
    says: Callable[[int], int] = lambda _: 0  # status of the n-th object, from 1
    before: Callable[[Association, int], None] = lambda _association, _number: None  # the n-th is answered
    refuses: Callable[[int], Refusal | None] = lambda _: None  # the n-th association, from 1
    stored: list[tuple[str, str, bytes]] = field(default_factory=list)  # instance, transfer syntax, data set
    requests: list[Request] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)
    last: str = ""  # instance that came last
    most_at_once: int = 0
    at_once: int = 0
    _asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def destination(self) -> Destination:
        return Destination("ARCHIVE", "127.0.0.1", self._listener.getsockname()[1], "TEST", limits=LIMITS, answer=10.0)

    def start(self) -> None:
        self._threads.append(threading.Thread(target=self._listen))
        self._threads[0].start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _decide(self, request: Request) -> Acceptance | Refusal:
        self.requests.append(request)
        if refusal := self.refuses(len(self.requests)):
            return refusal
        chosen = {
            number: syntax for number, asked in request.proposals.items() for syntax in asked[1] if self.takes(syntax)
        }
        return Acceptance(chosen, dict.fromkeys(request.proposals, 4))

    def _serve(self, connection: socket.socket) -> None:
        try:
            with accept(connection, self._decide, LIMITS) as association:
                self._count(1)
                try:
                    self._answer(association)
                finally:
                    self._count(-1)
        except Ended:
            pass

    def _count(self, change: int) -> None:
        with self._lock:
            self.at_once += change
            self.most_at_once = max(self.most_at_once, self.at_once)

    def _answer(self, association: Association) -> None:
        while (message := association.receive()) is not None:
            content = b"".join(bytes(chunk) for chunk in message.chunks())
            with self._lock:
                self._asked += 1
                number = self._asked
                self.last = message.text(AFFECTED_SOP_INSTANCE)
            self.before(association, number)
            if not association.is_open:
                return
            status = self.says(number)
            if status < 0xA000 or status >= 0xB000:
                self.stored.append((message.text(AFFECTED_SOP_INSTANCE), message.context.transfer_syntax, content))
            association.send(message.context.id, message.response(status))


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    archive.start()
    yield archive
    archive.stop()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A small image in any transfer syntax that pydicom can write."""

    def write(name: str, transfer_syntax: str = ExplicitVRLittleEndian, sop_class: str = SECONDARY_CAPTURE) -> Path:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
        dataset.PatientName = "Seen^Nowhere"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 65, 47, 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelData = np.random.default_rng(1).integers(0, 1 << 12, 65 * 47, np.uint16).tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        syntax = UID(transfer_syntax)
        if syntax.is_compressed and not syntax.is_deflated:
            dataset.compress(syntax, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = syntax
        path = tmp_path / name
        dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=True)
        return path

    return write
