"""Storage Commitment over one association: what is answered at once, and what is told when nothing else is said."""

from __future__ import annotations

import socket
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import Deferred
from deid.network import dimse, status
from deid.network.association import accept, connect
from deid.network.commitment import (
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    PROPOSAL,
    Failure,
    Reference,
    Request,
    Result,
    answer,
    ask,
    result_in,
)
from deid.network.contexts import STORAGE_COMMITMENT, VERIFICATION
from deid.network.negotiation import Acceptance, Proposal
from deid.network.pdu import Ended
from deid.receive.commitment import Commitment, Committing
from deid.receive.results import Results
from deid.receive.scp import serve
from deid.store.custody import Custody
from deid.store.inbox import Arrival, Inbox
from deid.store.queue import Queue
from deid.store.requests import Requests
from deid.store.standing import Standings
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
REQUEST = Request("1.2.3.4", (Reference(CT, "1.2.5"),))
UNKNOWN = Result("1.2.3.4", (), (Failure(CT, "1.2.5", NO_SUCH_INSTANCE),))


class Desk:
    """A ledger, and the end of an association that is served over it."""

    def __init__(self, vault: Vault, called_back: tuple[str, ...] = ()) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.vault = vault
        self.room = True
        self.requests = Requests(vault.another_connection(), vault.keys)
        connection = vault.another_connection()
        results = Results(Custody(connection, vault.keys), {}, self._tell)
        standings = Standings(vault.another_connection(), vault.keys)
        self.committing = Committing(self.requests, standings, results, called_back, self._tell, lambda: self.room)
        ours, theirs = socket.socketpair()
        self._thread = Thread(target=self._serve, args=(theirs,))
        self._thread.start()
        self.association = connect(ours, "CT1", "DEID", [PROPOSAL, Proposal(VERIFICATION, (EXPLICIT,))])

    def _tell(self, event: str, **fields: str | int) -> None:
        self.told.append((event, fields))

    def _serve(self, connection: socket.socket) -> None:
        def all_of_it(request: Any) -> Acceptance:
            return Acceptance({number: asked.transfer_syntaxes[0] for number, asked in request.proposals.items()})

        try:
            with accept(connection, all_of_it) as association:
                for _ in serve(association, None, Commitment(association, self.committing, 20.0)):
                    pass
        except Ended:
            pass

    def context(self, abstract_syntax: str) -> int:
        found = [each.id for each in self.association.contexts.values() if each.abstract_syntax == abstract_syntax]
        return found[0]

    def hear(self, code: int = status.SUCCESS) -> Result:
        message = self.association.receive(20.0)
        assert message is not None
        result = result_in(message)
        answer(self.association, message, code)
        return result

    def end(self) -> None:
        if self.association.is_open:
            self.association.release()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault.open(tmp_path / "state", shared=True) as vault:
        yield vault


@pytest.fixture
def desk(vault: Vault) -> Iterator[Desk]:
    desk = Desk(vault)
    yield desk
    desk.end()


def test_a_request_is_safe_when_it_is_answered_and_told_when_nothing_is_said(desk: Desk) -> None:
    assert ask(desk.association, REQUEST).is_stored
    assert desk.hear() == UNKNOWN
    desk.end()
    assert desk.requests.waiting() == 0
    assert desk.told == [
        ("commitment asked", {"peer": "CT1", "count": 1}),
        ("commitment told", {"peer": "CT1", "committed": 0, "failed": 1}),
    ]


def test_a_request_takes_nothing_of_what_the_ledger_needs_to_finish(desk: Desk) -> None:
    desk.room = False
    assert ask(desk.association, REQUEST).code == status.RESOURCE_LIMITATION
    assert desk.requests.waiting() == 0
    desk.room = True
    assert ask(desk.association, REQUEST).is_stored
    assert desk.hear() == UNKNOWN


def test_requests_of_the_peer_may_cross_a_result(desk: Desk) -> None:
    assert ask(desk.association, REQUEST).is_stored
    association = desk.association
    while association.is_quiet(0.2):  # until the result is on its way
        pass
    command: dict[int, int | str] = {dimse.COMMAND_FIELD: dimse.C_ECHO, dimse.AFFECTED_SOP_CLASS: VERIFICATION}
    association.begin(desk.context(VERIFICATION), command)
    assert desk.hear() == UNKNOWN
    echoed = association.receive(20.0)
    assert echoed is not None
    assert echoed.number(dimse.COMMAND_FIELD) == dimse.C_ECHO | dimse.RESPONSE
    desk.end()
    assert desk.requests.waiting() == 0


def test_a_peer_that_is_called_back_is_told_nothing_here(vault: Vault) -> None:
    desk = Desk(vault, called_back=("CT1",))
    assert ask(desk.association, REQUEST).is_stored
    assert desk.association.is_quiet(2.0)
    desk.end()
    assert desk.requests.waiting() == 1


def test_an_answer_to_something_else_is_none_to_the_result(desk: Desk) -> None:
    assert ask(desk.association, REQUEST).is_stored
    message = desk.association.receive(20.0)
    assert message is not None
    result_in(message)
    other = message.response(status.SUCCESS) | {dimse.RESPONDED_TO: message.number(dimse.MESSAGE_ID) + 1}
    desk.association.send(message.context.id, other)
    desk.end()
    assert desk.requests.waiting() == 1


def test_what_the_peer_could_not_take_is_kept_for_another_time(desk: Desk) -> None:
    assert ask(desk.association, REQUEST).is_stored
    assert desk.hear(status.PROCESSING_FAILURE) == UNKNOWN
    desk.end()
    assert desk.requests.waiting() == 1


def test_what_is_no_request_is_refused_and_the_association_goes_on(desk: Desk) -> None:
    command: dict[int, int | str] = {
        dimse.REQUESTED_SOP_CLASS: STORAGE_COMMITMENT,
        dimse.COMMAND_FIELD: dimse.N_ACTION,
        dimse.REQUESTED_SOP_INSTANCE: "1.2.840.10008.1.20.1.1",
        dimse.ACTION_TYPE: 1,
    }
    here = desk.context(STORAGE_COMMITMENT)
    answered = desk.association.ask(here, command, [b"no data set "])
    assert answered.number(dimse.STATUS) == status.INVALID_ARGUMENT
    elsewhere = desk.association.ask(desk.context(VERIFICATION), command, [b"no data set "])
    assert elsewhere.number(dimse.STATUS) == status.UNRECOGNIZED_OPERATION
    store = desk.association.ask(here, command | {dimse.COMMAND_FIELD: dimse.C_STORE}, [b"no data set "])
    assert store.number(dimse.STATUS) == status.UNRECOGNIZED_OPERATION
    assert desk.requests.waiting() == 0
    assert ask(desk.association, REQUEST).is_stored


def test_a_request_for_very_many_objects_is_taken_up_to_a_bound(desk: Desk) -> None:
    longest = "1." + "2" * 62
    assert ask(desk.association, Request("1.2", (Reference(longest, longest),) * 26_000)).is_stored
    too_long = Request("1.3", (Reference(longest, longest),) * 28_000)
    assert ask(desk.association, too_long).code == status.RESOURCE_LIMITATION
    assert ask(desk.association, REQUEST).is_stored


@pytest.mark.parametrize(
    ("happens", "code"), [(False, status.RESOURCE_LIMITATION), (Deferred("full"), status.PROCESSING_FAILURE)]
)
def test_what_cannot_be_kept_is_not_promised(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, happens: object, code: int
) -> None:
    def add(*_: object) -> bool:
        if isinstance(happens, Deferred):
            raise happens
        return False

    monkeypatch.setattr(desk.requests, "add", add)
    assert ask(desk.association, REQUEST).code == code
    assert desk.association.is_quiet(1.0)


def test_what_is_still_on_its_way_after_a_day_is_not_waited_for(desk: Desk, tmp_path: Path) -> None:
    journey = Queue(desk.vault.connection, desk.vault.keys).journey(tmp_path / "in", tmp_path / "out", "plan")
    inbox = Inbox(desk.vault.connection, desk.vault.keys)
    inbox.receive(Arrival(journey, tmp_path / "1.dcm", "1.2.5", b"1", "CT1", 1.0, CT))
    now = time.time()
    desk.requests.add("CT1", "1.2.1", REQUEST.references, now - 3600.0)
    desk.requests.add("CT1", "1.2.2", REQUEST.references, now - 2 * 86_400.0)
    found = desk.committing.claim(["CT1"])
    assert found is not None
    assert found[1] == Result("1.2.2", (), (Failure(CT, "1.2.5", PROCESSING_FAILURE),))
    assert desk.committing.claim(["CT1"]) is None
