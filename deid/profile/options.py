"""The options of the Basic Profile (PS3.15 E.3): their names, what the standard says of them, and which we carry out.

An option that cannot be carried out is refused, never ignored: the claim would be false and somebody would rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from deid.errors import BadProfile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

CLEAN_PIXEL_DATA = "clean-pixel-data"
FEW = 12  # as many valid words as an error message can list and still be read


@dataclass(frozen=True, slots=True)
class Option:
    """One option of PS3.15 E.3; `why_not` says what is missing when it is not available."""

    name: str  # as in a profile and on the command line
    column: str | None  # of Table E.1-1, as our table names it; None where the table has none
    clause: str
    available: bool
    why_not: str  # completes "this version ..."; empty when available


def _carried_out(name: str, clause: str) -> Option:
    return Option(name, name, clause, available=True, why_not="")


def _not_yet(name: str, clause: str, why_not: str, *, column: bool = True) -> Option:
    return Option(name, name if column else None, clause, available=False, why_not=why_not)


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        option.name: option
        for option in (
            Option(CLEAN_PIXEL_DATA, None, "E.3.1", available=True, why_not=""),
            _not_yet(
                "clean-recognizable-visual-features", "E.3.2", "does not distort recognizable faces", column=False
            ),
            _not_yet("clean-graphics", "E.3.3", "removes graphics and overlays, it cannot clean them"),
            _not_yet("clean-structured-content", "E.3.4", "does not clean content items of structured reports"),
            _not_yet("clean-descriptors", "E.3.5", "removes free text, it cannot clean it"),
            _carried_out("retain-full-dates", "E.3.6"),
            _carried_out("retain-modified-dates", "E.3.6"),
            _carried_out("retain-patient-characteristics", "E.3.7"),
            _carried_out("retain-device-identity", "E.3.8"),
            _carried_out("retain-uids", "E.3.9"),
            _carried_out("retain-safe-private", "E.3.10"),
            _carried_out("retain-institution-identity", "E.3.11"),
        )
    }
)


def check(names: Iterable[str]) -> frozenset[str]:
    """These options as a set that can be carried out together. Raises BadProfile when they cannot."""
    chosen = frozenset(names)
    for name in sorted(chosen):
        option = OPTIONS.get(name)
        if option is None:
            raise BadProfile(f"unknown option {name!r}{nearest(name, OPTIONS)}")
        if not option.available:
            raise BadProfile(
                f"option {name!r} (PS3.15 {option.clause}) is refused, not ignored: this version {option.why_not}"
            )
    if {"retain-full-dates", "retain-modified-dates"} <= chosen:
        # PS3.15 E.3.6: the two options exclude each other.
        raise BadProfile("options 'retain-full-dates' and 'retain-modified-dates' exclude each other (PS3.15 E.3.6)")
    return chosen


def nearest(word: str, valid: Collection[str]) -> str:
    """The end of a message about an unknown word: the valid word that was probably meant, or all if they are few."""
    from difflib import get_close_matches  # noqa: PLC0415 - only when something is wrong

    close = [each for each in valid if each.lower() == word.lower()] or get_close_matches(word, valid, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid: {', '.join(valid)}" if len(valid) <= FEW else ""
