"""What the object says of its de-identification, computed from what was done (PS3.15 E.1.1 step 6, PS3.3 C.7.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.part10.encoding import encode, encode_items
from deid.standard.codes import CODES
from deid.standard.dictionary import vr_of
from deid.standard.table import EDITION
from deid.version import __version__

if TYPE_CHECKING:
    from deid.part10.encoding import Encoding
    from deid.profile.plan import Plan

PATIENT_IDENTITY_REMOVED: Final = 0x00120062
METHOD: Final = 0x00120063
METHOD_CODES: Final = 0x00120064
TEMPORAL_INFORMATION: Final = 0x00280303
_TEMPORAL: Final = frozenset({"DA", "TM", "DT"})
TAGS: Final = frozenset({PATIENT_IDENTITY_REMOVED, METHOD, METHOD_CODES, TEMPORAL_INFORMATION})


def elements(
    plan: Plan, encoding: Encoding, method: bytes, codes: bytes, *, private_kept: bool
) -> list[tuple[int, bytes]]:
    """The encoded elements to be put at the top level, sorted by tag.

    `method` and `codes` are the values the object had before; ours are appended, because they tell successive steps.
    """
    options = plan.options - {"retain-safe-private"} | ({"retain-safe-private"} if private_kept else set())
    temporal = "REMOVED"
    if "retain-full-dates" in options or _keeps_times(plan):
        temporal = "UNMODIFIED"
    elif "retain-modified-dates" in options:
        temporal = "MODIFIED"
    ours = f"deid-gateway {__version__}, PS3.15 {EDITION}".encode()
    found: list[tuple[int, str, bytes]] = [
        (METHOD, "LO", b"\\".join(filter(None, (method.strip(b" \0"), ours)))),
        (TEMPORAL_INFORMATION, "CS", temporal.encode()),
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
