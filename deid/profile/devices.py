"""Device rules: rectangles that are masked in every frame of whatever comes from a device; read strictly from files.

`profiles/devices/ultrasound.yaml` tells the format to those who write one.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.profile import strict_yaml
from deid.profile.options import nearest
from deid.profile.rule_line import tag_named
from deid.profile.shipped import WORD, shipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.profile.strict_yaml import Node

Rectangle = tuple[int, int, int, int]
"""Column, row, width, height; a negative column or row counts from the right or lower edge."""

OPERATORS: Final = ("equals", "contains", "starts", "ends", "matches")
RULE_KEYS: Final = ("name", "match", "unless", "mask")
INTEGERS: Final[Mapping[str, int]] = {"US": 2, "SS": 2, "UL": 4, "SL": 4}
"""VRs of binary integers that can be compared, and their bytes."""
_TEXTS: Final = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())
_MOST_PIXELS: Final = 0xFFFF  # Rows and Columns are US


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
            return re.fullmatch(self.text, value, re.ASCII) is not None
        text = self.text if self.case else self.text.casefold()
        value = value if self.case else value.casefold()
        if self.operator == "equals":
            return value == text
        if self.operator == "contains":
            return text in value
        return value.startswith(text) if self.operator == "starts" else value.endswith(text)


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """Rectangles that are masked in objects which satisfy all of `match` and none of `unless`."""

    name: str
    match: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    mask: tuple[Rectangle, ...]
    where: str = field(default="", compare=False, repr=False)  # "file:line"; two plans differ by what they say alone


def load(node: Node, folder: Path) -> tuple[DeviceRule, ...]:
    """The rules that a profile in this folder names: a shipped file by its name, or a file or folder by its path.

    Raises BadProfile.
    """
    word = node.text("devices")
    if WORD.fullmatch(word):
        known = shipped("devices")
        if word not in known:
            raise node.place.bad(
                f"unknown devices {word!r}{nearest(word, known)}; a file is named with its ending (.yaml), "
                "a folder with a '/'"
            )
        files = [known[word]]
    else:
        path = folder / word
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not files:
            raise node.place.bad(f"the folder {word!r} holds no file that ends in .yaml")
        if not path.exists():
            raise node.place.bad(f"there is no file or folder {word!r}")
    return tuple(rule for file in files for rule in parse(strict_yaml.text_of(file, file.name), file.name))


def parse(text: str, name: str) -> tuple[DeviceRule, ...]:
    """The rules in a text; `name` is what errors call it. Raises BadProfile."""
    given = strict_yaml.read(text, name).fields("the file", ("version", "devices"), required=("version", "devices"))
    if given["version"].integer("version") != 1:
        raise given["version"].place.bad("version must be 1, the only version of the format there is")
    return tuple(map(_rule, given["devices"].items("devices")))


def _rule(node: Node) -> DeviceRule:
    given = node.fields("a device", RULE_KEYS, required=("name", "match", "mask"))
    name = given["name"].text("name").strip()
    if not name:
        raise given["name"].place.bad("name is empty; it is recorded with each object that the rule matched")
    mask = tuple(map(_rectangle, given["mask"].items("mask")))
    if not mask:
        raise given["mask"].place.bad("mask is empty; a device without rectangles needs no rule")
    return DeviceRule(
        name=name,
        match=tuple(map(_condition, given["match"].items("match"))),
        unless=tuple(map(_condition, given["unless"].items("unless"))) if "unless" in given else (),
        mask=mask,
        where=f"{node.place.file}:{node.place.line}",
    )


def _condition(node: Node) -> Condition:
    given = node.fields("a condition", ("attribute", *OPERATORS, "case"), required=("attribute",))
    operators = [word for word in OPERATORS if word in given]
    if len(operators) != 1:
        raise node.place.bad(f"a condition has one of {', '.join(OPERATORS)}")
    operator = operators[0]
    text = given[operator].text(operator)
    if operator == "matches":
        if "case" in given:
            raise given["case"].place.bad("case counts in a regular expression; '(?i)' before it says otherwise")
        if wrong := unlike_regular(text):
            raise given[operator].place.bad(f"not a regular expression: {wrong}")
    attribute = tag_named(given["attribute"].text("attribute"), given["attribute"].place)
    if not can_be_compared(attribute):
        raise given["attribute"].place.bad("only a text or an integer can be compared, and this attribute is neither")
    return Condition(attribute, operator, text, "case" in given and given["case"].truth("case"))


def unlike_regular(text: str) -> str:
    """Why a text is no regular expression; "" where it is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of what a later Python will read otherwise
        try:
            re.compile(text, re.ASCII)
        except (re.error, FutureWarning) as error:
            return str(error)
    return ""


def can_be_compared(tag: int) -> bool:
    """Whether the values of an attribute are texts or integers."""
    from deid.standard.dictionary import vr_of  # noqa: PLC0415 - its table is not needed for a profile without rules

    return vr_of(tag) in _TEXTS or vr_of(tag) in INTEGERS


def _rectangle(node: Node) -> Rectangle:
    numbers = [item.integer("a rectangle") for item in node.items("a rectangle")]
    if len(numbers) != 4:
        raise node.place.bad("a rectangle is four whole numbers: column, row, width and height")
    x, y, width, height = numbers
    if width <= 0 or height <= 0 or max(map(abs, numbers)) > _MOST_PIXELS:
        raise node.place.bad(f"width and height of a rectangle are positive, and no number exceeds {_MOST_PIXELS}")
    return x, y, width, height
