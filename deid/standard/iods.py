"""PS3.3 and PS3.4: which attributes an object of a SOP Class has, at every depth, and of which Type.

Content Sequence nests to any depth, because the macro that defines its items includes itself (PS3.3 C.17.3).
Attributes that the standard gained after 2024c are missing from the data, so they have no Type here.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from deid.standard import data_files

_STRICTEST: Final = {"1": 0, "1C": 1, "2": 2, "2C": 3, "3": 4}
_OVERLAYS: Final = tuple(f"{group:04X}" for group in range(0x6000, 0x6020, 2))  # PS3.5 7.6


class Attributes:
    """The attributes that may stand side by side in a data set or an item, as the modules of one IOD define them.

    Made by this module only, one for each set of definitions; so they are compared and hashed by identity.
    """

    __slots__ = ("_items", "_types")

    def __init__(self, definitions: frozenset[int]) -> None:
        self._types: dict[int, str] = {}
        items: dict[int, set[int]] = {}
        for definition in definitions:
            for tag, (kind, within) in _definition(definition).items():
                known = self._types.get(tag)
                if known is None or _STRICTEST[kind] < _STRICTEST[known]:
                    self._types[tag] = kind
                if within is not None:
                    items.setdefault(tag, set()).add(within)
        self._items = {tag: frozenset(within) for tag, within in items.items()}

    def type_of(self, tag: int) -> str | None:
        """The strictest Type that any module gives the attribute; None if the IOD does not have it here."""
        return self._types.get(tag)

    def items_of(self, tag: int) -> Attributes | None:
        """What the items of a sequence may hold, over all modules; None if the IOD does not say."""
        within = self._items.get(tag)
        return None if within is None else _attributes(within)

    def tags(self) -> frozenset[int]:
        """Every attribute that has a Type here; those of overlays once for each of the sixteen groups."""
        return frozenset(self._types)


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(data_files.text("iods.json"))
    return tables


def edition() -> str:
    """Of which edition the data are."""
    return str(_tables()["edition"])


@cache  # as many as the data file has nodes
def _definition(number: int) -> dict[int, tuple[str, int | None]]:
    return {
        int(tag, 16): (entry, None) if isinstance(entry, str) else (entry[0], entry[1])
        for pattern, entry in _tables()["nodes"][number].items()
        for tag in ([group + pattern[4:] for group in _OVERLAYS] if pattern.startswith("60xx") else [pattern])
    }


@cache  # as many as there are sets of nodes that modules of one IOD define together: the data bounds it
def _attributes(definitions: frozenset[int]) -> Attributes:
    return Attributes(definitions)


@cache  # one for each IOD
def _of_iod(iod: str) -> Attributes:
    modules = _tables()["modules"]
    return _attributes(frozenset(modules[module] for module in _tables()["iod_to_modules"][iod]))


def attributes_of(sop_class_uid: str) -> Attributes | None:
    """The attributes of an object of this SOP Class; None for private SOP Classes and others PS3.4 does not know."""
    # Not cached by UID: it comes from a file, and files may bring any number of different ones.
    iod = _tables()["sop_to_iod"].get(sop_class_uid)
    return None if iod is None else _of_iod(iod)
