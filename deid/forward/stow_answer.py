"""What the answer of a STOW-RS service means for the one object that it was sent (PS3.18 10.5.3)."""

from __future__ import annotations

import json
from typing import Any, Final

from deid.errors import Declined, Deferred, Rejected

STORED: Final = frozenset({200, 202})
"""Statuses with which a service may say so."""
_OF_THE_OBJECT: Final = frozenset({400, 406, 409, 411, 413, 415, 422})
"""Statuses that are said of what was sent; all others are about the service, or who asks."""
_OF_THE_SERVICE: Final = 500  # from here on: it fails, over everything or over this one object
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)  # Failure Reason (PS3.4 Table B.2-1): later it may have room
_FAILURE_REASONS: Final = range(1 << 16)  # (0008,1197) is US
_REFERENCED, _FAILED, _OTHERS = "00081199", "00081198", "0008119A"
_INSTANCE, _REASON = "00081155", "00081197"


def judge(status: int, said: bytes, instance: str) -> None:
    """What the answer means for the object (PS3.18 Table 10.5.3-1). Raises Rejected, Declined and Deferred."""
    stored, reasons = _told(said)
    if status in (*STORED, 409) and reasons:
        reason = reasons[0]
        kind = Declined if reason in _OUT_OF_RESOURCES else Rejected
        raise kind(f"the service did not store the object: HTTP {status}, failure reason {reason:04X}")
    if status in STORED and instance in stored:
        return
    if status == 200:  # a page for people, perhaps: what it does not name may be nowhere (PS3.18 10.5.3.2)
        raise Declined("the service says 200, and not that it stored the object: see the url")
    if status in (401, 403):
        raise Deferred(f"the service does not let us store (HTTP {status}): see the token file and the certificate")
    if status == 202 or status in _OF_THE_OBJECT:
        raise Rejected(f"the service does not say that it stored the object: HTTP {status}")
    if 300 <= status < 400:
        raise Deferred(f"the service sends us elsewhere (HTTP {status}), where nothing is sent: see the url")
    answered = Declined if status >= _OF_THE_SERVICE else Deferred
    raise answered(f"the service did not store the object: HTTP {status}")


def _told(said: bytes) -> tuple[set[str], list[int]]:
    """The instances that were stored, and the failure reasons, as far as the answer is DICOM JSON (PS3.18 F)."""
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        return set(), []
    stored = {str(value) for item in _items(told, _REFERENCED) for value in _values(item, _INSTANCE)}
    failed = [*_values(told, _FAILED), *_values(told, _OTHERS)]  # it was sent one object: whichever is meant
    numbers = [value for item in failed for value in _values(item, _REASON) if isinstance(value, int)]
    reasons = [number for number in numbers if number in _FAILURE_REASONS]  # others could say anything, in logs too
    return stored, reasons or [0x0110] * bool(failed)  # processing failure (PS3.3 C.14.1.1)


def _items(told: Any, tag: str) -> list[Any]:  # noqa: ANN401 - whatever a server says
    return [item for item in _values(told, tag) if isinstance(item, dict)]


def _values(item: Any, tag: str) -> list[Any]:  # noqa: ANN401 - as above
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
