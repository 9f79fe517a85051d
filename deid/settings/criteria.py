"""The forms in which a rule says what an object has to be: a SOP Class, a condition on the value of an attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.attributes.uids import is_well_formed
from deid.network.contexts import is_storage
from deid.profile import conditions
from deid.profile.options import nearest
from deid.standard.uids import registered

if TYPE_CHECKING:
    from deid.profile.conditions import Condition
    from deid.profile.strict_yaml import Node
    from deid.settings.shape import Schema


@dataclass(frozen=True, slots=True)
class SopClass:
    """A SOP Class by the name that PS3.6 gives it, or by its UID."""

    def read(self, node: Node, what: str) -> str:
        """The UID."""
        word = node.text(what)
        if re.fullmatch("[0-9.]+", word):
            if not is_well_formed(word):
                raise node.place.bad(f"{what} must be a UID (PS3.5 9.1), or the name of a storage SOP Class in PS3.6")
            return word
        known = {name: uid for uid, name in registered().items() if is_storage(uid)}
        if word not in known:
            raise node.place.bad(f"unknown SOP Class {word!r}{nearest(word, known)}")
        return known[word]

    def schema(self) -> Schema:
        """Any text."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition as device rules have them."""

    def read(self, node: Node, what: str) -> Condition:  # noqa: ARG002 - errors have a word of their own for it
        """The condition."""
        return conditions.read(node)

    def schema(self) -> Schema:
        """An object with an attribute and one operator."""
        text = {"type": "string"}
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {"attribute": text, "case": {"type": "boolean"}} | dict.fromkeys(conditions.OPERATORS, text),
            "required": ["attribute"],
            "oneOf": [{"required": [word]} for word in conditions.OPERATORS],
        }
