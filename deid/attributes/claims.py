"""What the object says of its de-identification, computed from what was done (PS3.15 E.1.1 step 6, PS3.3 C.7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.part10.encoding import encode, encode_items
from deid.profile.options import CLEAN_PIXEL_DATA
from deid.standard.codes import CODES
from deid.standard.dictionary import vr_of
from deid.standard.table import EDITION
from deid.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.part10.encoding import Encoding
    from deid.profile.plan import Plan

PATIENT_IDENTITY_REMOVED: Final = 0x00120062
METHOD: Final = 0x00120063
METHOD_CODES: Final = 0x00120064
TEMPORAL_INFORMATION: Final = 0x00280303
OURS: Final = f"deid-gateway {__version__}, PS3.15 {EDITION}"
"""The value of De-identification Method (0012,0063)."""
_TEMPORAL: Final = frozenset({"DA", "TM", "DT"})
_TEMPORAL_STEPS: Final = (b"", b"UNMODIFIED", b"MODIFIED", b"REMOVED")
TAGS: Final = frozenset({PATIENT_IDENTITY_REMOVED, METHOD, METHOD_CODES, TEMPORAL_INFORMATION})


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to this very object, as far as the plan does not tell."""

    private_kept: bool  # at least one private element stays
    times_kept: bool  # at least one true date or time stays
    pixels_cleaned: bool


def elements(plan: Plan, encoding: Encoding, standing: Mapping[int, bytes], done: Done) -> list[tuple[int, bytes]]:
    """The encoded elements to be put at the top level, sorted by tag.

    `standing` holds the values that the object had before; they tell successive steps, so ours are appended, and what
    an earlier step took away is not claimed to be there again.
    """
    options = set(plan.options)
    if not done.private_kept:
        options.discard("retain-safe-private")
    if not done.pixels_cleaned:
        options.discard(CLEAN_PIXEL_DATA)
    temporal = b"REMOVED"
    if done.times_kept or "retain-full-dates" in options or _keeps_times(plan):
        temporal = b"UNMODIFIED"
    elif "retain-modified-dates" in options:
        temporal = b"MODIFIED"
    before = standing.get(TEMPORAL_INFORMATION, b"").strip(b" \0")
    method, codes = standing.get(METHOD, b"").strip(b" \0"), standing.get(METHOD_CODES, b"")
    found: list[tuple[int, str, bytes]] = [
        (METHOD, "LO", b"\\".join(filter(None, (method, OURS.encode())))),
        (
            TEMPORAL_INFORMATION,
            "CS",
            max(temporal, before if before in _TEMPORAL_STEPS else b"", key=_TEMPORAL_STEPS.index),
        ),
    ]
    if plan.claims_removed_identity:
        items = [_code(name, encoding) for name in ("basic", *sorted(options, key=lambda name: CODES[name][0]))]
        found.append((PATIENT_IDENTITY_REMOVED, "CS", b"YES"))
        found.append((METHOD_CODES, "SQ", codes + encode_items(items, encoding)))
    else:
        found.append((PATIENT_IDENTITY_REMOVED, "CS", b"NO"))
        if codes:
            found.append((METHOD_CODES, "SQ", codes))
    return [(tag, encode(tag, vr, value, encoding)) for tag, vr, value in sorted(found)]


def _keeps_times(plan: Plan) -> bool:
    """Whether a rule of the profile keeps true dates or times without the option that is named after them."""
    kept = (line.attribute[-1] for line in plan.document.rules if line.attribute and line.action == "K")
    return any(vr_of(tag) in _TEMPORAL for tag in kept)


def _code(name: str, encoding: Encoding) -> bytes:
    """One item of PS3.16 CID 7050."""
    value, meaning = CODES[name]
    return b"".join(
        encode(tag, vr, text.encode(), encoding)
        for tag, vr, text in (
            (0x00080100, "SH", value),
            (0x00080102, "SH", "DCM"),
            (0x00080104, "LO", meaning),
        )
    )
