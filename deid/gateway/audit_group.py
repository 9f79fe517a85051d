"""Lines of the audit trail that say the same of several objects, so that one message tells all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deid.store.audit import Line

WITHHELD: Final = "withheld"
_OF_NEW_OBJECTS: Final = frozenset({"released", "delivered", "delivery failed", "committed", "not committed"})


class Identity(NamedTuple):
    """Who a released object belongs to, in new values, or nobody that may be told."""

    patient: str = WITHHELD
    study: str = WITHHELD


@dataclass(slots=True)
class Group:
    """Lines that say the same but for the time and the ticket."""

    event: str
    fields: Mapping[str, str | int]
    identity: Identity
    time: str = ""  # of the last: "when the transfer has completed" (A.5.3.7)
    tickets: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many objects it was."""
        return int(self.fields.get("count", 0)) or len(self.tickets)

    def said(self, name: str) -> str:
        """A field, "" if it is not there."""
        return str(self.fields.get(name, ""))

    def ranges(self) -> str:
        """1-3,7: the numbers of the tickets, in as little room as they need."""
        ranges: list[list[int]] = []
        for number in sorted(set(self.tickets)):
            if ranges and number == ranges[-1][1] + 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        return ",".join(f"{first}-{last}" if first != last else str(first) for first, last in ranges)


def grouped(lines: Iterable[Line], identities: Mapping[int, Identity]) -> Iterable[Group]:
    """The groups of these lines, in the order in which they began; `identities` of tickets that were released."""
    groups: dict[object, Group] = {}
    for number, (time, event, fields) in enumerate(lines):
        ticket = int(fields.get("ticket", 0))
        same = {name: value for name, value in fields.items() if name != "ticket"}
        identity = identities.get(ticket, Identity()) if event in _OF_NEW_OBJECTS else Identity()
        alike = (event, tuple(sorted(same.items())), identity) if ticket else number
        group = groups.setdefault(alike, Group(event, same, identity))
        group.time = time
        if ticket:
            group.tickets.append(ticket)
    return groups.values()
