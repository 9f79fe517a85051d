"""A Storage SCP to be measured: `python receiver.py bare|durable|pynetdicom PORT OUT [CERTIFICATES]`.

`bare` writes files and syncs nothing, as dcmtk's storescp does. `durable` is how the gateway takes objects: spool,
sync, ticket, then the answer. `pynetdicom` is what its documentation shows.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deid.network import dimse
from deid.network.association import Association, accept
from deid.network.contexts import VERIFICATION, accept_storage
from deid.network.pdu import Ended
from deid.network.tls import LiveContext, Tls, handshake
from deid.part10.target import file_meta
from deid.receive import scp
from deid.receive.inlet import Inlet
from deid.receive.listener import Listener
from deid.store.inbox import Inbox
from deid.store.queue import Queue
from deid.store.spool import Spool
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable


def bare(out: Path) -> Callable[[Association], None]:
    numbers = count()

    def serve(association: Association) -> None:
        while message := association.receive():
            sop_class, instance = message.text(dimse.AFFECTED_SOP_CLASS), message.text(dimse.AFFECTED_SOP_INSTANCE)
            if message.has_data:
                descriptor = os.open(out / f"{next(numbers)}.dcm", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                os.write(descriptor, file_meta(sop_class, instance, message.context.transfer_syntax))
                for chunk in message.chunks():
                    os.write(descriptor, chunk)
                os.close(descriptor)
            association.send(message.context.id, message.response(0))

    return serve


def durable(out: Path) -> Callable[[Association], None]:
    vault = Vault.open(out / "state", shared=True)
    spool = Spool(out / "spool")
    journey = Queue(vault.connection, vault.keys).journey(spool.folder, out, "bench")
    inbox = Inbox(vault.another_connection(), vault.keys)
    inlet = Inlet(journey, spool, inbox, lambda _ticket, _state, _sender: None, lambda: True)

    def serve(association: Association) -> None:
        for _ in scp.serve(association, inlet):
            pass

    return serve


def listen(port: int, serve: Callable[[Association], None], certificates: Path | None) -> None:
    live = None
    if certificates is not None:
        tls = Tls(certificates / "ca.pem", certificates / "ours.pem", certificates / "ours.key")
        live = LiveContext(tls, server=True, say=print)

    def talk(connection: socket.socket, stays: Callable[[], None]) -> None:
        try:
            secured = connection if live is None else handshake(connection, live, 10.0)
            with accept(secured, lambda request: accept_storage(request, {VERIFICATION})) as association:
                stays()
                serve(association)
        except Ended:
            pass

    listener = Listener("127.0.0.1", port, talk, 60, 60)
    listener.start()
    threading.Event().wait()


def pynetdicom(port: int, out: Path) -> None:
    from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt  # noqa: PLC0415

    def store(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        dataset.save_as(out / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
        return 0

    entity = AE()
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax or "", ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(VERIFICATION)
    entity.maximum_associations = 60
    entity.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    how, where, into, *more = sys.argv[1:]
    folder = Path(into)
    if how == "pynetdicom":
        pynetdicom(int(where), folder)
    else:
        listen(int(where), {"bare": bare, "durable": durable}[how](folder), Path(more[0]) if more else None)
