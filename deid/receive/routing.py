"""Which route an object takes: that of the first rule that holds for it, else that of its peer, else none.

It is decided when the object has arrived and before it has a ticket, from nothing but its file: the AE titles in the
File Meta Information, and the beginning of the data set. So it can be decided again when the rules have changed.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.errors import Rejected
from deid.part10.outline import beginning
from deid.part10.source import Limits, open_source
from deid.profile.conditions import Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from deid.profile.conditions import Condition

NO_ROUTE: Final = "no rule is for it, and its peer has no route: when the settings have one, start again and retry it"
_SOP_CLASS, _MODALITY = 0x00080016, 0x00080060
_LIMITS: Final = Limits(
    header=1 << 20
)  # up to the last attribute that a rule looks at; large binary values not counted


@dataclass(frozen=True, slots=True)
class Rule:
    """What takes a route: all that is given must hold."""

    route: str
    calling: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    sop_classes: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    match: tuple[Condition, ...] = ()

    @property
    def last(self) -> int:
        """The highest tag of an attribute that it looks at; 0 where it looks at none."""
        classes, modalities = _SOP_CLASS if self.sop_classes else 0, _MODALITY if self.modalities else 0
        return max(classes, modalities, *(each.attribute for each in self.match))

    def concerns(self, calling: str, called: str) -> bool:
        """Whether it may hold for what comes by an association between these AE titles."""
        return calling in (self.calling or (calling,)) and called in (self.called or (called,))

    def holds(self, values: Values) -> bool:
        """Whether it holds for an object that says so."""
        return (
            (not self.sop_classes or not self.sop_classes.isdisjoint(values[_SOP_CLASS]))
            and (not self.modalities or not self.modalities.isdisjoint(values[_MODALITY]))
            and all(any(map(each.holds, values[each.attribute])) for each in self.match)
        )


class Routing:
    """The rules in their order, and the routes of peers by AE title."""

    def __init__(self, rules: Iterable[Rule], routes: Mapping[str, str], work: Path) -> None:
        """What is deflated is inflated into an unnamed file in the folder `work`."""
        self._rules = tuple(rules)
        self._routes = routes
        self._work = work

    def route(self, calling: str, called: str, file: Path) -> str:
        """The route of an object in a file. Raises Rejected where it has none, or where nobody can know."""
        rules = [rule for rule in self._rules if rule.concerns(calling, called)]
        last = max((rule.last for rule in rules), default=0)
        values: Values | None = None
        for rule in rules:
            if not rule.last:
                return rule.route
            values = values or self._values(file, last)
            if rule.holds(values):
                return rule.route
        if calling not in self._routes:
            raise Rejected(NO_ROUTE)
        return self._routes[calling]

    def _values(self, file: Path, last: int) -> Values:
        try:
            with closing(open_source(file, _LIMITS, self._work)) as source:
                return Values(beginning(source, _LIMITS, last))
        except Rejected as reason:
            raise Rejected(f"its route cannot be told: {reason}") from None
