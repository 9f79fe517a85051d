"""Which device rules match an object: by the values at its top level, however it encodes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.profile.conditions import Values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.part10.outline import Outline
    from deid.profile.devices import DeviceRule


def matching(layout: Outline, rules: Iterable[DeviceRule]) -> tuple[DeviceRule, ...]:
    """The rules whose rectangles are masked in an object."""
    values = Values(layout)
    return tuple(
        rule
        for rule in rules
        if all(any(map(each.holds, values[each.attribute])) for each in rule.match)
        # What may be read in two ways is excepted only if both say so: a mask too many is better than one too few.
        and not any(all(map(each.holds, values[each.attribute])) for each in rule.unless)
    )
