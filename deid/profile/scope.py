"""The rules of one data set as the walk asks for them: each tag is decided once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from deid.part10.output import DESCEND, Verdict
from deid.profile.identifying import kind_of
from deid.profile.rule import Action, Rule
from deid.standard.dictionary import vr_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.profile.plan import Plan
    from deid.profile.rule_line import RuleLine
    from deid.standard.iods import Attributes

_MOST_CACHED: Final = 4096  # rules per scope: a file with ever new tags must not fill the memory


class Scope(dict[int, Rule | Verdict | None]):
    """The rules of one data set: the top level of a SOP Class, or the items of one sequence. Filled as tags are met."""

    def __init__(self, plan: Plan, attributes: Attributes | None, paths: Mapping[tuple[int, ...], RuleLine]) -> None:
        super().__init__()
        self._plan = plan
        self._attributes = attributes
        self._paths = paths
        self._within: dict[int, Scope] = {}

    def __missing__(self, tag: int) -> Rule | Verdict | None:
        rule = self._plan.decide(tag, self._attributes, self._paths)
        found: Rule | Verdict | None = replace(rule, identifies=kind_of(tag))
        if rule.action is Action.KEEP and not kind_of(tag):
            found = DESCEND if vr_of(tag) == "SQ" else None
        if len(self) < _MOST_CACHED:
            self[tag] = found
        return found

    def items_of(self, tag: int) -> Scope:
        """The rules in the items of a sequence of this data set."""
        found = self._within.get(tag)
        if found is None:
            within = self._attributes.items_of(tag) if self._attributes else None
            below = {path[1:]: line for path, line in self._paths.items() if path[0] == tag}
            found = self._plan.scope(within, below)
            if len(self._within) < _MOST_CACHED:
                self._within[tag] = found
        return found
