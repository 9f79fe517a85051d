"""What a status of a response means and what happens next, in one table (PS3.4 B.2.3, PS3.7 Annex C)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_MISMATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110
NO_SUCH_OBJECT: Final = 0x0112
INVALID_ARGUMENT: Final = 0x0115
INVALID_OBJECT_INSTANCE: Final = 0x0117
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NOT_AUTHORIZED: Final = 0x0124
UNRECOGNIZED_OPERATION: Final = 0x0211
RESOURCE_LIMITATION: Final = 0x0213


class Kind(StrEnum):
    """What happens next. A warning is a success about which the peer has something to say."""

    SUCCESS = "success"
    WARNING = "warning"
    PERMANENT = "permanent"  # the same object will fail again: a person decides
    TRANSIENT = "transient"  # it may go through later


@dataclass(frozen=True, slots=True)
class Status:
    """One status code, as it came, with its meaning in words of the standard."""

    code: int
    kind: Kind
    meaning: str

    @property
    def is_stored(self) -> bool:
        """Whether the peer has the object."""
        return self.kind in (Kind.SUCCESS, Kind.WARNING)

    def __str__(self) -> str:
        return f"{self.meaning} ({self.code:04X})"


EXACT: Final = {
    SUCCESS: (Kind.SUCCESS, "success"),
    0x0001: (Kind.WARNING, "requested optional attributes are not supported"),
    0x0105: (Kind.PERMANENT, "no such attribute"),
    0x0106: (Kind.PERMANENT, "invalid attribute value"),
    0x0107: (Kind.WARNING, "attribute list error"),
    PROCESSING_FAILURE: (Kind.TRANSIENT, "processing failure"),
    0x0111: (Kind.PERMANENT, "duplicate SOP instance"),
    NO_SUCH_OBJECT: (Kind.PERMANENT, "no such SOP instance"),
    0x0113: (Kind.PERMANENT, "no such event type"),
    0x0114: (Kind.PERMANENT, "no such argument"),
    INVALID_ARGUMENT: (Kind.PERMANENT, "invalid argument value"),
    0x0116: (Kind.WARNING, "attribute value out of range"),
    INVALID_OBJECT_INSTANCE: (Kind.PERMANENT, "invalid SOP instance"),
    0x0118: (Kind.PERMANENT, "no such SOP class"),
    0x0119: (Kind.PERMANENT, "class-instance conflict"),
    0x0120: (Kind.PERMANENT, "missing attribute"),
    0x0121: (Kind.PERMANENT, "missing attribute value"),
    SOP_CLASS_NOT_SUPPORTED: (Kind.PERMANENT, "SOP class not supported"),
    0x0123: (Kind.PERMANENT, "no such action"),
    NOT_AUTHORIZED: (Kind.PERMANENT, "not authorized"),
    0x0210: (Kind.TRANSIENT, "duplicate invocation"),
    UNRECOGNIZED_OPERATION: (Kind.PERMANENT, "unrecognized operation"),
    0x0212: (Kind.PERMANENT, "mistyped argument"),
    RESOURCE_LIMITATION: (Kind.TRANSIENT, "resource limitation"),
    0xB000: (Kind.WARNING, "coercion of data elements"),
    0xB006: (Kind.WARNING, "elements discarded"),
    0xB007: (Kind.WARNING, "data set does not match SOP class"),
}
RANGES: Final = (  # C-STORE, PS3.4 table B.2-1; warnings of all services, PS3.7 Annex C
    (0xB000, 0xBFFF, Kind.WARNING, "a warning that the standard does not know"),
    (0xA700, 0xA7FF, Kind.TRANSIENT, "out of resources"),
    (0xA900, 0xA9FF, Kind.PERMANENT, "data set does not match SOP class"),
    (0xC000, 0xCFFF, Kind.PERMANENT, "cannot understand"),
)


def judge(code: int) -> Status:
    """What a status means. One that the standard does not know is permanent: a person has to look."""
    if code in EXACT:
        return Status(code, *EXACT[code])
    for first, last, kind, meaning in RANGES:
        if first <= code <= last:
            return Status(code, kind, meaning)
    return Status(code, Kind.PERMANENT, "a status that the standard does not know")
