"""The straight path of one ticket: de-identify, and one fate per error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.errors import Deferred, Leak, Rejected, Unreadable, fate, where
from deid.model import Outcome, State, Ticket
from deid.pipeline import MediaDirectory, Survived

if TYPE_CHECKING:
    from pathlib import Path

    from deid.pipeline import Pipeline


def work(pipeline: Pipeline, ticket: Ticket, unpublished: Path) -> Outcome:  # noqa: PLR0911 - one fate per error
    """Move one ticket as far as it goes. Raises Deferred when the world is not ready, nothing for the ticket's sake."""
    number = ticket.number
    try:
        unpublished.unlink(missing_ok=True)
        result = pipeline.deidentify(ticket.source, unpublished, ticket.accepted)
    except MediaDirectory as reason:
        return Outcome(number, State.DICOMDIR, str(reason))
    except Unreadable as reason:
        return Outcome(number, State.UNREADABLE, str(reason))
    except Survived as reason:
        return Outcome(number, State.HELD, str(reason), leak=True, findings=reason.findings)
    except Leak as reason:
        return Outcome(number, State.HELD, str(reason), leak=True)
    except Rejected as reason:
        return Outcome(number, State.HELD, str(reason))
    except Deferred:
        raise
    except OSError as error:
        end = fate(error, "the object cannot be written or read")
        if isinstance(end, Deferred):
            raise end from None
        return Outcome(number, State.HELD, str(end))
    except Exception as defect:  # noqa: BLE001 - held too, and reported by type and place only: its text may hold a value
        return Outcome(number, State.HELD, f"defect: {where(defect)}")
    return Outcome(number, State.RELEASED, result=result)
