"""Shift DA, TM and DT values by whole days; what is not a date or a time is never passed on.

Whole days keep the time of day, so dates and times that belong together stay together, also over midnight
(PS3.15 E.3.6). All functions take and give one value field; None says that it could not be understood.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TIME: Final = r"(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_ZONE: Final = r"[+-](?:0\d|1[0-4])[0-5]\d"
_DA: Final = re.compile(r"(\d{4})(?:(\.?)(\d\d)(?:\2(\d\d))?)?")  # PS3.5 6.2 DA, with the dots of ACR-NEMA
_TM: Final = re.compile(_TIME)
_DT: Final = re.compile(rf"(\d{{4}})(?:()(\d\d)(?:(\d\d)({_TIME})?)?)?({_ZONE})?")
_TIMEZONE: Final = re.compile(_ZONE)


def shift(vr: str, value: bytes, days: int) -> bytes | None:
    """A value field of VR DA, TM or DT, multi-valued, ranges and partial dates included."""
    one = {"DA": _shift_date, "TM": _keep_time, "DT": _shift_date_time}[vr]
    try:
        text = value.decode("ascii").strip(" \0")
    except UnicodeDecodeError:
        return None
    shifted: list[str] = []
    for part in text.split("\\"):
        new = _range(part.strip(), days, one)
        if new is None:
            return None
        shifted.append(new)
    return "\\".join(shifted).encode()


def keep_timezone(value: bytes) -> bytes | None:
    """Timezone Offset From UTC (0008,0201): unchanged by a shift of whole days, if it is one."""
    text = value.decode("latin-1").strip(" \0")
    return text.encode() if not text or _TIMEZONE.fullmatch(text) else None


def _range(text: str, days: int, one: Callable[[str, int], str | None]) -> str | None:
    """PS3.4 C.2.2.2.5: "A-B", "A-" and "-B"; a hyphen may also begin the offset of a DT."""
    if not text:
        return ""
    whole = one(text, days)
    if whole is not None:
        return whole
    for at, character in enumerate(text):
        if character == "-":
            ends = [one(end.strip(), days) if end.strip() else "" for end in (text[:at], text[at + 1 :])]
            if None not in ends and any(ends):
                return f"{ends[0]}-{ends[1]}"
    return None


def _move(year: str, month: str | None, day: str | None, days: int) -> date | None:
    """A date without day or month is moved from its middle, so that the order of dates is kept on the whole."""
    try:
        return date(int(year), int(month or 7), int(day or (15 if month else 1))) + timedelta(days)
    except (ValueError, OverflowError):
        return None


def _shift_date(text: str, days: int) -> str | None:
    match = _DA.fullmatch(text)
    if not match:
        return None
    year, dot, month, day = match.groups()
    moved = _move(year, month, day, days)
    if moved is None:
        return None
    parts = [f"{moved.year:04}", f"{moved.month:02}", f"{moved.day:02}"]
    return (dot or "").join(parts[: 1 + bool(month) + bool(day)])


def _keep_time(text: str, days: int) -> str | None:  # noqa: ARG001 - whole days leave the time of day alone
    return text if _TM.fullmatch(text) else None


def _shift_date_time(text: str, days: int) -> str | None:
    match = _DT.fullmatch(text)
    if not match:
        return None
    year, _, month, day, time, zone = match.groups()
    moved = _move(year, month, day, days)
    if moved is None:
        return None
    parts = [f"{moved.year:04}", f"{moved.month:02}", f"{moved.day:02}"]
    return "".join(parts[: 1 + bool(month) + bool(day)]) + (time or "") + (zone or "")
