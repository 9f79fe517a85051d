"""What a service says while it runs: one JSON line for each event, on standard error.

A line holds fields of a list, and none of them comes from a data set: logs travel further than anything else.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

FIELDS: Final = frozenset(
    {
        "accepted",  # presentation contexts: registered names of SOP Class and transfer syntax
        "address",
        "called",
        "calling",
        "certificate",
        "committed",
        "count",
        "destination",
        "failed",
        "held",
        "listener",
        "proposed",
        "reason",
        "refused",  # presentation contexts, by reason
        "refusal",  # result, source and reason of A-ASSOCIATE-RJ (PS3.8 9.3.4), or a status code of HTTP
        "route",
        "seconds",
        "taken",
        "waiting",
        "where",
    }
)


def say(event: str, **fields: object) -> None:
    """Tell an event, with fields of the list; what is empty is left out. Raises KeyError for a field that is not."""
    if not fields.keys() <= FIELDS:
        raise KeyError(*sorted(fields.keys() - FIELDS))
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "event": event} | {name: said for name, said in fields.items() if said not in ("", None)}
    with suppress(OSError):  # whoever read the log is gone: what has to be proved is in the audit trail
        sys.stderr.write(json.dumps(line, default=str) + "\n")
        sys.stderr.flush()
