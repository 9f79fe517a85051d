"""What the value of an attribute at the top level of an object has to be, and what it is, however it is encoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from deid.profile.rule_line import tag_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.part10.outline import Outline
    from deid.profile.strict_yaml import Node

OPERATORS: Final = ("equals", "contains", "starts", "ends", "matches")
KEYS: Final = ("attribute", *OPERATORS, "case")
_INTEGERS: Final[Mapping[str, int]] = {"US": 2, "SS": 2, "UL": 4, "SL": 4}
"""VRs of binary integers that can be compared, and their bytes."""
_TEXTS: Final = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())
_CHARACTER_SET: Final = 0x00080005


@dataclass(frozen=True, slots=True)
class Condition:
    """What the value of an attribute at the top level of an object has to be."""

    attribute: int
    operator: str
    text: str
    case: bool = False  # whether lower and upper case differ

    def holds(self, value: str) -> bool:
        """Whether a value is such a one; "" stands for an attribute that is not there."""
        if self.operator == "matches":
            return _compiled(self.text).fullmatch(value) is not None
        text = self.text if self.case else self.text.casefold()
        value = value if self.case else value.casefold()
        if self.operator == "equals":
            return value == text
        if self.operator == "contains":
            return text in value
        return value.startswith(text) if self.operator == "starts" else value.endswith(text)


def read(node: Node) -> Condition:
    """The condition that stands there. Raises BadProfile."""
    given = node.fields("a condition", KEYS, required=("attribute",))
    operators = [word for word in OPERATORS if word in given]
    if len(operators) != 1:
        raise node.place.bad(f"a condition has one of {', '.join(OPERATORS)}")
    operator = operators[0]
    text = given[operator].text(operator)
    if operator == "matches":
        if "case" in given:
            raise given["case"].place.bad("case counts in a regular expression; '(?i)' before it says otherwise")
        if wrong := unlike_regular(text):
            raise given[operator].place.bad(f"not a regular expression of RE2: {wrong}")
    attribute = tag_named(given["attribute"].text("attribute"), given["attribute"].place)
    if not can_be_compared(attribute):
        raise given["attribute"].place.bad("only a text or an integer can be compared, and this attribute is neither")
    return Condition(attribute, operator, text, "case" in given and given["case"].truth("case"))


def unlike_regular(text: str) -> str:
    """Why a text is no regular expression; "" where it is one."""
    import re2  # noqa: PLC0415 - not needed for a profile without rules

    try:
        _compiled(text)
    except re2.error as error:
        return str(error.args[0], "utf-8")
    return ""


@cache
def _compiled(text: str) -> Any:  # noqa: ANN401 - re2 has no types
    """RE2 takes time in proportion to the value, whatever the expression is; that of Python may take for ever."""
    import re2  # noqa: PLC0415 - as above

    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


def can_be_compared(tag: int) -> bool:
    """Whether the values of an attribute are texts or integers."""
    from deid.standard.dictionary import vr_of  # noqa: PLC0415 - its table is not needed for a profile without rules

    return vr_of(tag) in _TEXTS or vr_of(tag) in _INTEGERS


class Values(dict[int, list[str]]):
    """What each attribute of an object may say; read when a condition asks for it, for many ask for the same."""

    def __init__(self, layout: Outline) -> None:
        super().__init__()
        self._layout = layout

    def __missing__(self, tag: int) -> list[str]:
        self[tag] = found = self._read(tag)
        return found

    def _read(self, tag: int) -> list[str]:
        from deid.part10.charsets import readings  # noqa: PLC0415 - not needed for a profile without rules
        from deid.standard.dictionary import vr_of  # noqa: PLC0415 - as above

        value, vr = self._layout.value(tag) or b"", vr_of(tag) or ""
        if vr not in _INTEGERS:
            return [text.strip(" \0") for text in readings(value, self._layout.text(_CHARACTER_SET))]
        size, signed = _INTEGERS[vr], vr.startswith("S")
        order: Literal["big", "little"] = "big" if self._layout.encoding.big_endian else "little"
        parts = (value[at : at + size] for at in range(0, len(value), size))
        return ["\\".join(str(int.from_bytes(part, order, signed=signed)) for part in parts)]
