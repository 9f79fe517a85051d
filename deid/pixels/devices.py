"""Which device rules match an object: by the values at its top level, however it encodes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from deid.part10.charsets import readings
from deid.profile.devices import INTEGERS
from deid.standard.dictionary import vr_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.part10.outline import Outline
    from deid.profile.devices import DeviceRule

_CHARACTER_SET: Final = 0x00080005


def matching(layout: Outline, rules: Iterable[DeviceRule]) -> tuple[DeviceRule, ...]:
    """The rules whose rectangles are masked in an object."""
    values = _Values(layout)
    return tuple(
        rule
        for rule in rules
        if all(any(map(each.holds, values[each.attribute])) for each in rule.match)
        # What may be read in two ways is excepted only if both say so: a mask too many is better than one too few.
        and not any(all(map(each.holds, values[each.attribute])) for each in rule.unless)
    )


class _Values(dict[int, list[str]]):
    """What each attribute may say; read when a condition asks for it, for many ask for the same."""

    def __init__(self, layout: Outline) -> None:
        super().__init__()
        self._layout = layout

    def __missing__(self, tag: int) -> list[str]:
        self[tag] = found = self._read(tag)
        return found

    def _read(self, tag: int) -> list[str]:
        value, vr = self._layout.value(tag) or b"", vr_of(tag) or ""
        if vr not in INTEGERS:
            return [text.strip(" \0") for text in readings(value, self._layout.text(_CHARACTER_SET))]
        size, signed = INTEGERS[vr], vr.startswith("S")
        order: Literal["big", "little"] = "big" if self._layout.encoding.big_endian else "little"
        parts = (value[at : at + size] for at in range(0, len(value), size))
        return ["\\".join(str(int.from_bytes(part, order, signed=signed)) for part in parts)]
