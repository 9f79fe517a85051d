"""Device rules: rectangles that are masked in every frame of whatever comes from a device; read strictly from files.

`profiles/devices/ultrasound.yaml` tells the format to those who write one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.profile import conditions, strict_yaml
from deid.profile.options import nearest
from deid.profile.shipped import WORD, shipped

if TYPE_CHECKING:
    from deid.profile.conditions import Condition
    from deid.profile.strict_yaml import Node

Rectangle = tuple[int, int, int, int]
"""Column, row, width, height; a negative column or row counts from the right or lower edge."""

RULE_KEYS: Final = ("name", "match", "unless", "mask")
_MOST_PIXELS: Final = 0xFFFF  # Rows and Columns are US


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """Rectangles that are masked in objects which satisfy all of `match` and none of `unless`."""

    name: str
    match: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    mask: tuple[Rectangle, ...]
    where: str = field(default="", compare=False, repr=False)  # in the script that it was converted from


def load(node: Node, folder: Path) -> tuple[DeviceRule, ...]:
    """The rules that a profile in this folder names: shipped files by name, files or folders by path; one, or a list.

    Raises BadProfile.
    """
    named = node.items("devices") if node.kind == "a list" else (node,)
    if not named:
        raise node.place.bad("devices is an empty list; leave it out to name no rules")
    files = [file for each in named for file in _files(each, folder)]
    return tuple(rule for file in files for rule in parse(strict_yaml.text_of(file, file.name), file.name))


def _files(node: Node, folder: Path) -> list[Path]:
    word = node.text("devices")
    if WORD.fullmatch(word):
        known = shipped("devices")
        if word not in known:
            raise node.place.bad(
                f"unknown devices {word!r}{nearest(word, known)}; a file is named with its ending (.yaml), "
                "a folder with a '/'"
            )
        return [known[word]]
    path = folder / word
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise node.place.bad(f"the folder {word!r} holds no file that ends in .yaml")
    if not path.exists():
        raise node.place.bad(f"there is no file or folder {word!r}")
    return files


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
        match=tuple(map(conditions.read, given["match"].items("match"))),
        unless=tuple(map(conditions.read, given["unless"].items("unless"))) if "unless" in given else (),
        mask=mask,
    )


def _rectangle(node: Node) -> Rectangle:
    numbers = [item.integer("a rectangle") for item in node.items("a rectangle")]
    if len(numbers) != 4:
        raise node.place.bad("a rectangle is four whole numbers: column, row, width and height")
    x, y, width, height = numbers
    if width <= 0 or height <= 0 or max(map(abs, numbers)) > _MOST_PIXELS:
        raise node.place.bad(f"width and height of a rectangle are positive, and no number exceeds {_MOST_PIXELS}")
    return x, y, width, height
