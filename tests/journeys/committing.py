"""Peers that ask for Storage Commitment, and those that are asked, in the clear or over TLS."""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING

from deid.forward.scu import Destination
from deid.network import dimse, status
from deid.network.association import accept
from deid.network.commitment import (
    PROCESSING_FAILURE,
    PROPOSAL,
    REPORTER,
    Failure,
    Request,
    Result,
    answer,
    begin_to_tell,
    request_in,
    result_in,
    tell,
)
from deid.network.contexts import STORAGE_COMMITMENT, accept_storage
from deid.network.pdu import Ended
from deid.network.tls import LiveContext, Tls, handshake
from deid.receive.listener import Listener

from .site import PATIENCE

if TYPE_CHECKING:
    import socket


def server_of(tls: Tls | None) -> LiveContext | None:
    return LiveContext(tls, server=True, say=print) if tls else None


def secured(connection: socket.socket, live: LiveContext | None) -> socket.socket:
    return handshake(connection, live, 20.0) if live else connection


class Modality:
    """A peer that asks, and listens for results."""

    def __init__(self, port: int = 0, tls: Tls | None = None) -> None:
        self._live = server_of(tls)
        self.results: SimpleQueue[Result] = SimpleQueue()
        self.answer = status.SUCCESS
        self._listener = Listener("127.0.0.1", port, self._talk, most=9, each=9)
        self._listener.start()
        self.port = self._listener.port

    def _talk(self, connection: socket.socket, _becomes: object) -> None:
        try:
            with accept(
                secured(connection, self._live), lambda request: accept_storage(request, {STORAGE_COMMITMENT})
            ) as association:
                assert association.roles == (REPORTER,)
                assert (association.calling, association.called) == ("DEID", "CT1")
                while told := association.receive():
                    self.results.put(result_in(told))
                    answer(association, told, self.answer)
        except Ended:
            pass

    def close(self) -> None:
        self._listener.close(0.1)

    def told(self) -> Result:
        return self.results.get(timeout=PATIENCE)


class Keeper:
    """An archive that is asked. It loses what it has been sent less often than `loses` says."""

    def __init__(self, *, over: str, loses: int = 0, tls: Tls | None = None) -> None:
        self._live = server_of(tls)
        self._calls_with = LiveContext(tls, server=False, say=print) if tls else None
        self.came: list[str] = []
        self.requests: list[Request] = []
        self.told = 0
        self.over = over  # which association its results go: "same", "new" or "none"
        self.first = False  # they go before the request is answered
        self.takes = status.SUCCESS  # what it says to a request
        self.loses = loses
        self.busy = 0  # requests that it does not take
        self.gateway = 0  # its port
        self._listener = Listener("127.0.0.1", 0, self._talk, most=9, each=9)
        self._listener.start()
        self.port = self._listener.port

    def close(self) -> None:
        self._listener.close(0.1)

    def _talk(self, connection: socket.socket, _becomes: object) -> None:
        try:
            with accept(
                secured(connection, self._live), lambda request: accept_storage(request, {STORAGE_COMMITMENT})
            ) as association:
                while message := association.receive():
                    field = message.number(dimse.COMMAND_FIELD)
                    if field == dimse.C_STORE:
                        self.came.append(message.text(dimse.AFFECTED_SOP_INSTANCE))
                        association.send(message.context.id, message.response(status.SUCCESS))
                    elif field == dimse.N_ACTION:
                        request = request_in(message)
                        if self.busy:
                            self.busy -= 1
                            answer(association, message, status.RESOURCE_LIMITATION)
                            continue
                        self.requests.append(request)
                        if not self.first:
                            answer(association, message, self.takes)
                        if self.over == "same":
                            begin_to_tell(association, self.result(request))
                        elif self.over == "new":
                            self.bring(request)
                        if self.first:
                            answer(association, message, self.takes)
                    else:
                        assert field == dimse.N_EVENT_REPORT | dimse.RESPONSE
                        self.told += message.number(dimse.STATUS) == status.SUCCESS
        except Ended:
            pass

    def result(self, request: Request) -> Result:
        lost = tuple(each for each in request.references if self.came.count(each.instance) <= self.loses)
        kept = tuple(each for each in request.references if each not in lost)
        return Result(request.transaction, kept, tuple(Failure(*each, PROCESSING_FAILURE) for each in lost))

    def bring(self, request: Request) -> None:
        gateway = Destination("DEID", "localhost", self.gateway, calling="ARCHIVE", tls=self._calls_with)
        with gateway.associate((PROPOSAL,), roles=(REPORTER,)) as association:
            self.told += tell(association, self.result(request)).code == status.SUCCESS
            association.release()
