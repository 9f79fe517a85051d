"""What a method has promised is there after SIGKILL; what it has not promised is not there in part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from deid.model import Replacement, State
from deid.store.audit import Audit
from deid.store.crosswalk import Crosswalk
from deid.store.queue import Queue
from deid.store.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable

    Kill = Callable[[str], None]

PLANTED = ["DOE_JANE", "ROE_RICHARD", "1.3.6.1.4.1.99999.7", "LUNG-00000042", "MRN0815"]

ENROL = """
vault = Vault.open(state)
queue = Queue(vault.connection, vault.keys)
journey = queue.journey(Path("/in/DOE_JANE"), Path("/out/ROE_RICHARD"), "plan")
queue.enrol(journey, [(Path(f"/in/DOE_JANE/MRN0815/{i}.dcm"), (i, i, i)) for i in range(1, 101)])
"""
CLOSE = """
def outcome(number):
    rows = (Replacement("uid", f"1.3.6.1.4.1.99999.7.{number}", f"2.25.{number}"),
            Replacement("patient", "MRN0815", "LUNG-00000042"))
    path = f"LUNG-00000042/1.3.6.1.4.1.99999.7/2/{number}.dcm"
    result = Result("1.2", f"1.3.6.1.4.1.99999.7.{number}", path, (Change("PatientName", "Z", "basic"),), rows)
    return Outcome(number, State.RELEASED, result=result)
queue.record_ends(journey, [outcome(number) for number in range(1, 41)])
queue.record_ends(journey, [Outcome(41, State.HELD, "why", findings=(Finding("ImageComments", "PatientName"),))])
"""


def reopened(vault: Vault) -> tuple[Queue, int]:
    queue = Queue(vault.connection, vault.keys)
    return queue, queue.journeys()[0].number


def test_a_vault_made_before_the_kill_opens(state: Path, kill_after: Kill) -> None:
    kill_after("Vault.open(state)")
    key = (state / "key").read_bytes()
    with Vault.open(state) as vault:
        assert Queue(vault.connection, vault.keys).journeys() == []
    assert (state / "key").read_bytes() == key


def test_enrolled_files_are_there(state: Path, kill_after: Kill) -> None:
    kill_after(ENROL)
    with Vault.open(state) as vault:
        queue, journey = reopened(vault)
        assert queue.tally(journey)[State.RECEIVED] == 100
        assert queue.received(journey, 99, 10)[0].source == Path("/in/DOE_JANE/MRN0815/100.dcm")


def test_an_enrolment_cut_short_is_completed_by_the_next(state: Path, kill_after: Kill) -> None:
    listing = (
        "((Path(f'/in/{i}'), (i, i, i)) if i < 5000 else os.kill(os.getpid(), signal.SIGKILL) for i in range(9000))"
    )
    kill_after(ENROL + f"queue.enrol(journey, {listing})")
    with Vault.open(state) as vault:
        queue, journey = reopened(vault)
        assert queue.tally(journey)[State.RECEIVED] == 100 + 4096  # whole transactions; nothing forgotten yet
        queue.enrol(journey, [(Path(f"/in/{i}"), (i, i, i)) for i in range(9000)])
        assert queue.tally(journey)[State.RECEIVED] == 9000


def test_closed_tickets_and_their_crosswalk_are_there(state: Path, kill_after: Kill) -> None:
    kill_after(ENROL + CLOSE)
    with Vault.open(state) as vault:
        queue, journey = reopened(vault)
        tally = queue.tally(journey)
        assert (tally[State.RELEASED], tally[State.HELD], tally[State.RECEIVED]) == (40, 1, 59)
        rows = list(Crosswalk(vault.connection, vault.keys).rows())
        assert len(rows) == 41
        assert Replacement("patient", "MRN0815", "LUNG-00000042") in rows


def test_a_group_cut_short_leaves_nothing(state: Path, kill_after: Kill) -> None:
    kill_after(
        ENROL
        + CLOSE.replace("range(1, 41)", "range(1, 41) if number < 40 or os.kill(os.getpid(), signal.SIGKILL)")
        .replace("[outcome(number) for", "(outcome(number) for")
        .replace("SIGKILL)]", "SIGKILL))")
    )
    with Vault.open(state) as vault:
        queue, journey = reopened(vault)
        assert queue.tally(journey)[State.RECEIVED] == 100
        assert list(Crosswalk(vault.connection, vault.keys).rows()) == []


def test_decisions_are_there(state: Path, kill_after: Kill) -> None:
    kill_after(ENROL + CLOSE + "queue.release(41)\nqueue.reopen(journey, [1, 2])")
    with Vault.open(state) as vault:
        queue, journey = reopened(vault)
        assert [ticket.number for ticket in queue.received(journey, 0, 3)] == [1, 2, 41]
        assert queue.show(41).ticket.accepted == {"ImageComments"}


def test_recorded_events_are_there(state: Path, kill_after: Kill) -> None:
    kill_after("vault = Vault.open(state)\nfor n in range(3): Audit(vault.audit, vault.keys).record('run', number=n)")
    with Vault.open(state) as vault:
        assert Audit(vault.audit, vault.keys).verify() == 3


def test_events_that_were_appended_are_there_before_they_are_synced(state: Path, kill_after: Kill) -> None:
    kill_after(
        "vault = Vault.open(state)\nAudit(vault.audit, vault.keys).append([('run', {}), ('run', {}), ('run', {})])"
    )
    with Vault.open(state) as vault:
        assert Audit(vault.audit, vault.keys).verify() == 3


def test_nothing_that_identifies_is_in_any_byte(state: Path, kill_after: Kill) -> None:
    kill_after(
        ENROL
        + CLOSE
        + "audit = Audit(vault.audit, vault.keys)\naudit.record('lookup', value=audit.pseudonym('MRN0815'))"
    )
    files = {path.name: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert {"ledger.sqlite", "ledger.sqlite-wal", "audit.jsonl"} <= files.keys()
    everything = b"\0".join(files.values())
    assert b"ImageComments" in everything  # what does not identify is found, so the search works
    for text in PLANTED:
        for encoded in (text.encode(), text.encode("utf-16-le"), text.encode().hex().encode()):
            assert not re.search(re.escape(encoded), everything, re.IGNORECASE), text
    with Vault.open(state) as vault:  # and also after the checkpoint
        queue, journey = reopened(vault)
        queue.retry(41)
        assert queue.tally(journey)[State.RELEASED] == 40
    assert not any(text.encode() in (state / "ledger.sqlite").read_bytes() for text in PLANTED)
