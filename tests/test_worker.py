"""One fate per error, and no text of a foreign error in any of them."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from deid.errors import Deferred, Leak, Rejected, Unreadable
from deid.model import Finding, Result, State, Ticket
from deid.pipeline import MediaDirectory, Survived
from deid.worker import work

if TYPE_CHECKING:
    from deid.pipeline import Pipeline

VALUE = "GRUENWALD"
TICKET = Ticket(7, Path("/in/object"), accepted=frozenset({"ImageComments"}))
FOUND = Finding("ImageComments", "PatientName")


@dataclass
class Ends:
    """A pipeline that ends as it is told, with what it was asked for."""

    how: Result | BaseException
    asked: tuple[Any, ...] = ()

    def deidentify(self, *asked: Any) -> Result:
        self.asked = asked
        if isinstance(self.how, BaseException):
            raise self.how
        return self.how


def pipeline(how: Result | BaseException) -> Pipeline:
    return cast("Pipeline", Ends(how))


@pytest.mark.parametrize(
    ("error", "state", "leak"),
    [
        (MediaDirectory("why"), State.DICOMDIR, False),
        (Unreadable("why"), State.UNREADABLE, False),
        (Leak("why"), State.HELD, True),
        (Rejected("why"), State.HELD, False),
    ],
)
def test_an_error_of_ours_decides_the_state_and_says_why(
    error: Exception,
    state: State,
    leak: bool,  # noqa: FBT001 - a column of the table
    tmp_path: Path,
) -> None:
    end = work(pipeline(error), TICKET, tmp_path / "part")
    assert (end.ticket, end.state, end.reason, end.leak, end.result) == (7, state, "why", leak, None)


def test_findings_travel_with_the_leak(tmp_path: Path) -> None:
    end = work(pipeline(Survived((FOUND,))), TICKET, tmp_path / "part")
    assert (end.state, end.leak, end.findings) == (State.HELD, True, (FOUND,))


def test_a_result_is_released_after_a_leftover_is_gone(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"of an attempt before")
    result = Result("1.2", "1.3", "P/S/E/1.dcm", (), ())
    ends = Ends(result)
    end = work(cast("Pipeline", ends), TICKET, tmp_path / "part")
    assert (end.state, end.result) == (State.RELEASED, result)
    assert ends.asked == (TICKET.source, tmp_path / "part", TICKET.accepted)
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("defect", [ValueError(VALUE), MemoryError(VALUE), RecursionError(VALUE), UnicodeError(VALUE)])
def test_a_defect_holds_the_object_and_tells_no_value(defect: Exception, tmp_path: Path) -> None:
    end = work(pipeline(defect), TICKET, tmp_path / "part")
    assert end.state is State.HELD
    assert end.reason.startswith(f"defect: {type(defect).__name__} at deid/worker.py:")
    assert VALUE not in end.reason


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device", VALUE), Deferred("No space left")])
def test_a_full_disk_is_not_the_fault_of_the_object(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(Deferred, match="No space left") as said:
        work(pipeline(error), TICKET, tmp_path / "part")
    assert VALUE not in str(said.value)


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ENAMETOOLONG])
def test_what_the_disk_will_never_take_is_held(number: int, tmp_path: Path) -> None:
    end = work(pipeline(OSError(number, os.strerror(number), VALUE)), TICKET, tmp_path / "part")
    assert (end.state, end.reason) == (State.HELD, f"the object cannot be written or read ({os.strerror(number)})")


def test_an_interrupt_is_no_fate_of_the_object(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(pipeline(KeyboardInterrupt()), TICKET, tmp_path / "part")
