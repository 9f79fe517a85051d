"""What a destination puts off counts against the object only while it takes others."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import BrokenOff, Declined, Deferred, Rejected
from deid.gateway import courier as module
from deid.gateway.courier import Courier, Together
from deid.store.deliveries import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


class Ledger:
    """What is recorded of deliveries; `given_up` says that a person decides from now on."""

    def __init__(self, *, given_up: bool = False) -> None:
        self.calls: list[str] = []
        self.blamed: list[bool] = []  # for each that was declined
        self._given_up = given_up

    def sent(self, _destination: str, tickets: list[int], _ask_at: float | None) -> None:
        self.calls += [f"sent {ticket}" for ticket in tickets]

    def again(self, _destination: str, ticket: int, _reason: str, _now: float) -> None:
        self.calls.append(f"again {ticket}")

    def declined(self, _destination: str, ticket: int, _reason: str, _now: float, *, blamed: bool) -> bool:
        self.calls.append(f"declined {ticket}")
        self.blamed.append(blamed)
        return self._given_up

    def failed(self, _destination: str, ticket: int, reason: str) -> None:
        self.calls.append(f"failed {ticket} {reason}")

    def extend(self, *_: Any) -> None:
        pass

    def claim(self, *_: Any, **__: Any) -> list[Delivery]:
        return []


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """Lets one courier deliver objects in turn: those of `answers` are answered so, the others are taken."""
    told: list[str] = []

    def call(courier_of: dict[str, Any], *tickets: int, **answers: Exception) -> tuple[str, list[str]]:
        @contextmanager
        def opened(_: object) -> Iterator[Any]:
            class Sender:
                def send(self, path: Path) -> None:
                    if answer := answers.get(path.stem):
                        raise answer

            yield Sender()

        for ticket in tickets:
            (tmp_path / f"t{ticket}.dcm").touch()
        courier = courier_of.setdefault(
            "courier",
            Courier(
                name="archive",
                opened=opened,
                deliveries=courier_of["ledger"],
                queue=None,  # type: ignore[arg-type]  # no file is missing
                outboxes={1: tmp_path},
                outgoing=Event(),
                tell=lambda event, **_: told.append(event),
                commits=False,
                stop=Event(),
                together=Together(),
            ),
        )
        courier.opened = opened
        return courier._deliver([Delivery(ticket, 1, f"t{ticket}.dcm", 0) for ticket in tickets]), told

    return call


def test_a_destination_that_takes_nothing_is_to_blame_itself(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger()}
    assert deliver(it, 1, t1=Declined("A700"))[0] == "A700"
    assert it["ledger"].calls == ["again 1"]


def test_an_object_that_is_put_off_while_others_are_taken_is_to_blame(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = {"ledger": Ledger()}
    deliver(it, 1)
    assert deliver(it, 2, t2=Declined("A700"))[0] == "A700"
    assert it["ledger"].calls == ["sent 1", "declined 2"]
    monkeypatch.setattr(module, "_LATELY", 0.0)  # as if it were long ago that others were taken
    deliver(it, 2, t2=Declined("A700"))
    assert it["ledger"].calls[2:] == ["again 2"]


def test_a_connection_that_fails_is_no_answer(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger()}
    deliver(it, 1)
    deliver(it, 2, t2=Deferred("the connection was lost"))
    assert it["ledger"].calls == ["sent 1", "again 2"]


def test_others_go_past_an_object_at_which_the_way_ends(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger()}
    assert deliver(it, 1, 2, 3, 4, t1=BrokenOff("aborted"), t3=BrokenOff("aborted"))[0] == ""
    assert it["ledger"].calls == ["declined 1", "declined 3", "sent 2", "sent 4"]
    assert it["ledger"].blamed == [False, True], "nothing was taken before the first"


def test_no_object_is_to_blame_while_the_destination_breaks_off_at_all(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger()}
    broken = {f"t{ticket}": BrokenOff("aborted") for ticket in (1, 2, 3)}
    deliver(it, 0, 1, 2, **broken)
    assert it["ledger"].blamed == [True, True], "it had taken one just before"
    for _ in range(3):
        deliver(it, 1, 2, **broken)
    assert it["ledger"].blamed[2:] == [False] * 6, "and takes nothing since"
    deliver(it, 4, 1, 2, **broken)
    assert it["ledger"].blamed[8:] == [True, True], "each of them while another one went"
    deliver(it, 3, 1, **broken)
    assert it["ledger"].blamed[10:] == [True, False], "the first time within an hour, and the next"


def test_what_is_there_is_told_before_the_next_one_goes(deliver: Callable[..., Any]) -> None:
    told = deliver({"ledger": Ledger()}, 1, 2, 3, t2=Rejected("it fits nowhere"))[1]
    assert told == ["delivered", "delivery failed", "delivered"]


def test_what_is_there_is_told_once_where_it_cannot_be_recorded(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Deferred("the ledger cannot be written")

    it = {"ledger": Ledger()}
    told = deliver(it, 1)[1]
    monkeypatch.setattr(it["ledger"], "sent", full)
    with pytest.raises(Deferred):
        deliver(it, *range(2, 18))
    assert told == ["delivered"] * 17


def test_what_was_sent_is_remembered_no_more(deliver: Callable[..., Any]) -> None:
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it, 1, 2, 3, t1=BrokenOff("aborted"), t2=BrokenOff("aborted"), t3=Declined("A700"))
    deliver(it, 1, 2, t2=Rejected("refused"))
    assert it["courier"].together.put_off.keys() == {3}


def test_what_is_broken_off_at_counts_where_nothing_else_goes_there(deliver: Callable[..., Any]) -> None:
    """Who is full, or away, may stay so; who ends each association at one object is for a person to look at."""
    it = {"ledger": Ledger(given_up=True)}
    assert deliver(it, 1, t1=BrokenOff("aborted")) == ("", ["delivery failed"])
    assert it["ledger"].calls == ["declined 1"]


def test_a_suspect_has_its_turn_before_others_that_never_end(deliver: Callable[..., Any]) -> None:
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it)
    turns: list[bool] = []

    def claim(*_: object, suspect: bool) -> list[Delivery]:
        turns.append(suspect)
        return []

    it["courier"].deliveries.claim = claim
    for _ in range(32):
        it["courier"]._claim()
    assert [at for at, turn in enumerate(turns, 1) if turn] == [16, 32]


def test_a_destination_that_breaks_off_at_every_object_is_to_blame(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IN_A_ROW", 3)
    it = {"ledger": Ledger()}
    answers = {f"t{ticket}": BrokenOff("aborted") for ticket in range(1, 9)}
    assert deliver(it, 0, *range(1, 9), **answers)[0] == "aborted"
    assert it["ledger"].calls == ["declined 1", "declined 2", "declined 3", "sent 0"]
    assert deliver(it, 4, 5, **answers)[0] == "aborted"
    assert it["ledger"].calls[4:] == ["declined 4"]


def test_who_is_away_after_he_broke_off_is_away(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger(given_up=True)}
    deliver(it, 1)
    assert deliver(it, 2, 3, t2=Deferred("cannot be reached"))[0] == "cannot be reached"
    assert it["ledger"].calls == ["sent 1", "again 2"]


def test_what_another_courier_is_still_at_is_not_sent_twice(deliver: Callable[..., Any]) -> None:
    """Sixty-four large objects over a slow way take longer than their lease."""
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it)
    courier = it["courier"]
    courier.together.at_work.add(1)
    courier.deliveries.claim = lambda *_, **__: [Delivery(ticket, 1, f"t{ticket}.dcm", 0) for ticket in (1, 2)]
    assert [each.ticket for each in courier._claim()] == [2]
    assert courier.together.at_work == {1, 2}


@pytest.mark.parametrize("answer", [None, BrokenOff("aborted")])
def test_what_is_on_record_is_claimed_by_another_courier_while_one_goes_on(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, answer: Exception | None
) -> None:
    """Its pause, or what it was sent again for, may end sooner than the group: it would wait for another hour."""
    monkeypatch.setattr(module, "_RECORD", 1)
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it)
    courier, other = it["courier"], replace(it["courier"])
    at_second: list[Any] = []

    @contextmanager
    def opened(_: object) -> Iterator[Any]:
        class Sender:
            def send(self, path: Path) -> None:
                if path.stem == "t1" and answer:
                    raise answer
                if path.stem == "t2":
                    it["ledger"].claim = lambda *_, **__: [Delivery(1, 1, "t1.dcm", 1), Delivery(2, 1, "t2.dcm", 0)]
                    at_second.extend(each.ticket for each in other._claim())
                    it["ledger"].claim = lambda *_, **__: []

        yield Sender()

    courier.opened = opened
    for ticket in (1, 2):
        (courier.outboxes[1] / f"t{ticket}.dcm").touch()
    courier.together.at_work.update((1, 2))
    courier._deliver([Delivery(ticket, 1, f"t{ticket}.dcm", 0) for ticket in (1, 2)])
    assert at_second == [1]
    assert courier.together.at_work == {1}, "the other one is at it"


def test_what_is_given_up_is_told_and_the_next_one_goes(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger(given_up=True)}
    deliver(it, 1)
    assert deliver(it, 2, 3, t2=Declined("A700")) == ("", ["delivered", "delivery failed", "delivered"])
    assert it["ledger"].calls == ["sent 1", "declined 2", "sent 3"]


def test_a_defect_over_one_object_keeps_no_others_here(deliver: Callable[..., Any]) -> None:
    it = {"ledger": Ledger()}
    answers = {"t1": ValueError("it quotes PATIENT^NAME"), "t2": MemoryError()}
    assert deliver(it, 1, 2, 3, **answers) == ("", ["delivery failed", "delivery failed", "delivered"])
    assert it["ledger"].calls[-1] == "sent 3"
    assert [call.split(":")[0] for call in it["ledger"].calls[:2]] == ["failed 1 defect", "failed 2 defect"]
    assert "PATIENT" not in str(it["ledger"].calls)


@pytest.mark.parametrize(("longest", "sent"), [(600.0, [1, 2, 3]), (-1.0, [1])])
def test_what_becomes_due_meanwhile_goes_the_same_way(
    deliver: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest: float, sent: list[int]
) -> None:
    """Images of a series arrive one by one; but a certificate that was revoked meanwhile must be seen one day."""
    monkeypatch.setattr(module, "_OPEN", longest)
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it)
    courier, opened = it["courier"], 0
    inner = courier.opened

    @contextmanager
    def counted(paths: Sequence[Path]) -> Iterator[Any]:
        nonlocal opened
        opened += 1
        with inner(paths) as sender:
            yield sender

    courier.opened = counted
    batches = [[Delivery(number, 1, f"t{number}.dcm", 0)] for number in (2, 3)]
    for number in (1, 2, 3):
        (tmp_path / f"t{number}.dcm").touch()

    def claim(*_: object, **__: object) -> list[Delivery]:
        if not courier.outgoing.is_set() and batches:  # nothing yet: it comes while he waits
            courier.outgoing.set()
            return []
        return batches.pop(0) if batches else []

    it["ledger"].claim = claim
    assert courier._deliver([Delivery(1, 1, "t1.dcm", 0)]) == ""
    assert it["ledger"].calls == [f"sent {ticket}" for ticket in sent]
    assert opened == 1
    assert not courier.together.at_work


def test_a_lease_is_given_back_when_the_ledger_can_be_written_again(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that is full: else nobody would deliver them for the hour that the lease lasts."""
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it)
    courier, ledger = it["courier"], it["ledger"]
    due = {1: True, 2: True}
    writable = [False]

    def claim(*_: object, **__: object) -> list[Delivery]:
        if len(ledger.calls) > 1:
            courier.stop.set()
        claimed = [Delivery(ticket, 1, f"t{ticket}.dcm", 0) for ticket in due if due[ticket]]
        due.update(dict.fromkeys(due, False))
        return claimed

    def extend(_destination: str, tickets: list[int], _until: float) -> None:
        if not writable[0] and tickets:
            raise Deferred("the ledger cannot be written")
        due.update(dict.fromkeys(tickets, True))

    def sent(_destination: str, tickets: list[int], _ask_at: float | None) -> None:
        if not writable[0]:
            writable[0] = True
            raise Deferred("the ledger cannot be written")
        ledger.calls += [f"sent {ticket}" for ticket in tickets]

    ledger.claim, ledger.extend, ledger.sent = claim, extend, sent
    monkeypatch.setattr(module, "pause_after", lambda _: 0.0)
    for ticket in due:
        (courier.outboxes[1] / f"t{ticket}.dcm").touch()
    thread = Thread(target=courier.run)
    thread.start()
    thread.join(20)
    courier.stop.set()
    assert ledger.calls == ["sent 1", "sent 2"]


def test_a_pause_grows_no_more_once_the_destination_has_taken_others(
    deliver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who is away now and then, and is sent something all the time, is waited for longer each time."""
    it: dict[str, Any] = {"ledger": Ledger()}
    deliver(it, t2=Deferred("away"), t5=Deferred("away"))
    courier, failures = it["courier"], []
    claims = [[2], [3], [4], [5]]  # over one association: what was away is there again, and then away once more

    def claim(*_: object, **__: object) -> list[Delivery]:
        if not claims:
            courier.stop.set()
            return []
        return [Delivery(ticket, 1, f"t{ticket}.dcm", 0) for ticket in claims.pop(0)]

    def pause(attempts: int) -> float:
        failures.append(attempts)
        return 0.0

    it["ledger"].claim = claim
    monkeypatch.setattr(module, "pause_after", pause)
    for ticket in range(2, 6):
        (courier.outboxes[1] / f"t{ticket}.dcm").touch()
    courier.run()
    assert it["ledger"].calls == ["again 2", "sent 3", "sent 4", "again 5"]
    assert failures == [0, 0]
