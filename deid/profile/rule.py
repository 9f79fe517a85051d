"""What happens to an attribute and by whose authority, from Table E.1-1's code and the attribute's Type in the IOD."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Action(StrEnum):
    """What a rule does. The functions are in attributes/; rules are data and travel between processes."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    KEEP = "K"
    SHIFT = "C"  # dates and times, moved by the patient's own number of days (PS3.15 E.3.6)
    IDENTIFIER = "pseudonym"
    COLOURS = "colours"  # an ICC profile, without what it says
    PRIVATE = "private"  # removed, unless the plan knows the element as safe


MEANING: Mapping[str, str] = MappingProxyType(
    {
        Action.REMOVE: "removed",
        Action.EMPTY: "made empty",
        Action.DUMMY: "replaced by a value that means nothing",
        Action.UID: "replaced by a new UID, the same one wherever the old one stands",
        Action.KEEP: "kept as it is",
        Action.SHIFT: "moved by a number of days that is the patient's own",
        Action.IDENTIFIER: "replaced by a pseudonym, the same one for the same original under the same key",
        Action.COLOURS: "left with what transforms colours; its texts, dates, devices and private tags are removed",
        Action.PRIVATE: "removed, except for elements that are known to be safe",
    }
)


@dataclass(frozen=True, slots=True, eq=False)  # compared and hashed by identity: millions of times per run
class Rule:
    """One decision. `because` names the clause, the option, or the line of the profile that made it."""

    action: Action
    because: str
    identifies: str = ""  # the kind of what such an attribute identifies; its values are what verification looks for


_PER_TYPE: dict[str, tuple[str, str, str]] = {
    # code: for Type 1 and 1C, Type 2 and 2C, Type 3 and attributes outside the IOD (PS3.15 Table E.1-1a, note 13)
    "X": ("D", "Z", "X"),
    "Z": ("D", "Z", "Z"),
    "D": ("D", "D", "D"),
    "U": ("U", "U", "U"),
    "X/Z": ("D", "Z", "X"),
    "X/D": ("D", "D", "X"),  # the table offers no Z here; a dummy is legal for Type 2 as well
    "Z/D": ("D", "Z", "Z"),
    "X/Z/D": ("D", "Z", "X"),
    # Kept, with the UIDs in the items replaced; for Type 2 as well: Z allows any valid value, and without these
    # references Common Instance Reference (PS3.3 C.12.2) would list instances that the object does not refer to.
    "X/Z/U*": ("K", "K", "X"),
}


def resolve(code: str, attribute_type: str | None) -> tuple[Action, bool]:
    """The action for a code at a Type, and whether the code alone would have broken the IOD (PS3.15 E.1.1)."""
    column = 2 if attribute_type is None else {"1": 0, "2": 1, "3": 2}[attribute_type[0]]
    letter = _PER_TYPE[code][column]
    return Action(letter), code == "X" and letter != "X"
