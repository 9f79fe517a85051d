"""One line under `rules` of a profile: an exception for an attribute, and how it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deid.profile.options import nearest

if TYPE_CHECKING:
    from deid.profile.strict_yaml import Node, Place

ACTIONS = ("D", "Z", "X", "K", "U")
PRIVATE_ACTIONS = ("K", "X")
RULE_KEYS = ("attribute", "private", "group", "element", "action", "reason", "allow_identifiers")
LONG_STRING = 64  # characters in an LO (PS3.5 6.2): Patient ID and private creators
FILE_META = 0x0002
ITEMS = 0xFFFE
# PS3.5 7.8.1: odd groups that no private data element may use.
NOT_PRIVATE = (0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One exception from the profile; names either an attribute or a private element, never both."""

    attribute: tuple[int, ...] | None  # a path of tags; a single tag holds at every depth
    private: tuple[str, int, int] | None  # private creator, group, low byte of the element
    action: str
    reason: str
    allow_identifiers: bool = False
    where: str = field(default="", compare=False, repr=False)  # "file:line"; two plans differ by what they say alone

    @property
    def because(self) -> str:
        """What is recorded with each object, and reported: a file's name may name a project, or a patient."""
        return f"line {self.where.rpartition(':')[2]} of the profile: {self.reason}"


def overridden(node: Node, inherited: tuple[RuleLine, ...]) -> tuple[RuleLine, ...]:
    """The rules in a list, and before them those of the base that they leave in place. Raises BadProfile."""
    written: dict[object, RuleLine] = {}
    for item in node.items("rules"):
        rule = _rule(item)
        earlier = written.setdefault(rule.attribute or rule.private, rule)
        if earlier is not rule:
            raise item.place.bad(f"this attribute has a rule already, at {earlier.where}")
    # A profile overrides its base: one rule is left for each attribute.
    return (*(rule for rule in inherited if (rule.attribute or rule.private) not in written), *written.values())


def _rule(node: Node) -> RuleLine:
    given = node.fields("a rule", RULE_KEYS, required=("action", "reason"))
    if ("attribute" in given) == ("private" in given):
        raise node.place.bad("a rule names either an 'attribute' or a 'private' creator")
    for word in ("group", "element"):
        if ("private" in given) != (word in given):
            raise given.get(word, node).place.bad(f"{word!r} and 'private' belong together")
    action = given["action"].text("action")
    if action not in ACTIONS:
        raise given["action"].place.bad(f"unknown action {action!r}{nearest(action, ACTIONS)}")
    reason = given["reason"].text("reason").strip()
    if not reason:
        raise given["reason"].place.bad("reason is empty; every exception needs one")
    if "private" in given and action not in PRIVATE_ACTIONS:
        raise given["action"].place.bad("a private attribute is kept (K) or removed (X), nothing else")
    allow = "allow_identifiers" in given and given["allow_identifiers"].truth("allow_identifiers")
    if allow and action != "K":
        raise given["allow_identifiers"].place.bad("allow_identifiers has a meaning with action K only")
    return RuleLine(
        attribute=_attribute(given["attribute"]) if "attribute" in given else None,
        private=_private(given["private"], given["group"], given["element"]) if "private" in given else None,
        action=action,
        reason=reason,
        allow_identifiers=allow,
        where=f"{Path(node.place.file).name}:{node.place.line}",
    )


def _attribute(node: Node) -> tuple[int, ...]:
    from deid.standard import dictionary  # noqa: PLC0415 - its table is not needed for a profile without rules

    path = tuple(tag_named(word, node.place) for word in node.text("attribute").split("."))
    for tag in path[:-1]:
        if dictionary.vr_of(tag) != "SQ":
            raise node.place.bad(f"{dictionary.name_of(tag)} is not a sequence, no path leads through it")
    return path


def tag_named(word: str, place: Place) -> int:
    """The tag of an attribute that a profile may name. Raises BadProfile for another word."""
    from deid.standard import dictionary  # noqa: PLC0415 - as above

    tag = dictionary.tag_of(word)
    if tag is not None and tag >> 16 & 1:
        raise place.bad(f"{word} is private; only a rule names such a one, by 'private', 'group' and 'element'")
    if tag is None or dictionary.name_of(tag).startswith("("):
        raise place.bad(f"unknown attribute {word!r}{nearest(word, dictionary.keywords())}")
    if tag >> 16 <= FILE_META or tag >> 16 == ITEMS:
        # PS3.10 7.1: the File Meta Information is written anew; PS3.5 7.5: items are structure, not attributes.
        raise place.bad(f"attribute {word!r} cannot have a rule: it is part of the file's structure")
    return tag


def _private(creator: Node, group: Node, element: Node) -> tuple[str, int, int]:
    name = creator.text("private")
    if not 0 < len(name) <= LONG_STRING or name != name.strip() or "\\" in name:
        raise creator.place.bad(
            f"private must be a creator's name of 1 to {LONG_STRING} characters without spaces around"
        )
    number = _hexadecimal(group, "group", 4)
    if not number & 1:
        raise group.place.bad("group must be odd: private data elements have odd groups (PS3.5 7.8)")
    if number in NOT_PRIVATE:
        raise group.place.bad("group is one that no private data element may use (PS3.5 7.8)")
    return name, number, _hexadecimal(element, "element", 2)


def _hexadecimal(node: Node, what: str, digits: int) -> int:
    written = node.content if node.kind == "a quoted text" and isinstance(node.content, str) else ""
    if not re.fullmatch(f"0x[0-9A-Fa-f]{{{digits}}}", written):
        raise node.place.bad(f'{what} must be quoted hexadecimal with {digits} digits, such as "0x{"0055"[-digits:]}"')
    return int(written, 16)
