"""What may stand where in a settings file: each declaration reads a value strictly and describes it to editors.

One declaration does both, so that what an editor accepts is what the service accepts.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from deid.profile.options import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deid.profile.strict_yaml import Node, Place

Schema = dict[str, Any]


class Shape(Protocol):
    """The form of a value."""

    def read(self, node: Node, what: str) -> Any:  # noqa: ANN401 - each form has its own
        """The value that stands there; `what` is what errors call it. Raises BadProfile."""

    def schema(self) -> Schema:
        """The same in JSON Schema."""


class Given(dict[str, Any]):
    """The values of a mapping, and where each stands."""

    def __init__(self, place: Place, nodes: Mapping[str, Node], values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.place = place
        self._nodes = nodes

    def at(self, key: str, item: int | None = None) -> Place:
        """Where the value of a key stands, or an item of its list; the mapping itself where the key is left out."""
        if key not in self._nodes:
            return self.place
        node = self._nodes[key]
        return node.place if item is None else node.items(key)[item].place


@dataclass(frozen=True, slots=True)
class Text:
    """One line that follows a pattern; `rule` completes "it must be ..."."""

    pattern: str
    rule: str

    def read(self, node: Node, what: str) -> str:
        """The text."""
        text = node.text(what)
        if not re.fullmatch(self.pattern, text):
            raise node.place.bad(f"{what} must be {self.rule}")
        return text

    def schema(self) -> Schema:
        """A string with the pattern."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True, slots=True)
class File:
    """A path; one that is not absolute starts at the folder of the settings file."""

    def read(self, node: Node, what: str) -> Path:
        """The path."""
        return Path(node.place.file).parent / node.text(what)

    def schema(self) -> Schema:
        """Any text."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, what: str) -> str:
        """The word."""
        word = node.text(what)
        if word not in self.words:
            raise node.place.bad(f"unknown {what} {word!r}{nearest(word, self.words)}")
        return word

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words that somebody has to write down in full, so that nobody can say he did not know."""

    words: str

    def read(self, node: Node, what: str) -> bool:
        """True, if it stands there to the letter."""
        if node.content != self.words:
            raise node.place.bad(f'{what} must say, in quotes: "{self.words}"')
        return True

    def schema(self) -> Schema:
        """The sentence."""
        return {"const": self.words}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def read(self, node: Node, what: str) -> int:
        """The number."""
        number = node.integer(what)
        if not self.low <= number <= self.high:
            raise node.place.bad(f"{what} must be from {self.low} to {self.high}")
        return number

    def schema(self) -> Schema:
        """An integer with its bounds."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address or a network; needs no quotes: no YAML makes another address of 192.0.2.7 or 2001:db8::1."""

    convert: Callable[[str], Any]  # of ipaddress
    rule: str

    def read(self, node: Node, what: str) -> Any:  # noqa: ANN401 - what `convert` makes
        """The address as `ipaddress` has it."""
        try:
            return self.convert(node.content if isinstance(node.content, str) else "")
        except ValueError:
            raise node.place.bad(f"{what} must be {self.rule}") from None

    def schema(self) -> Schema:
        """Any text; JSON Schema has no word for networks."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Host:
    """A host name, or an IP address, which needs no quotes either."""

    def read(self, node: Node, what: str) -> str:
        """The name or the address."""
        try:
            return str(ipaddress.ip_address(node.content if isinstance(node.content, str) else ""))
        except ValueError:
            return self._name.read(node, what)

    def schema(self) -> Schema:
        """A string with the pattern of names, into which addresses fit."""
        return self._name.schema()

    @property
    def _name(self) -> Text:
        return Text("[A-Za-z0-9._:-]{1,253}", "a host name or an IP address")


HOST_ADDRESS = Address(ipaddress.ip_address, "an IP address of this machine, such as 0.0.0.0 for all of them")
NETWORK = Address(ipaddress.ip_network, "an IP address or a network such as 192.0.2.0/24")


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one form."""

    of: Shape
    each: str  # what errors call one of them
    least: int = 1

    def read(self, node: Node, what: str) -> tuple[Any, ...]:
        """The values in their order."""
        items = node.items(what)
        if len(items) < self.least:
            raise node.place.bad(f"{what} must not be empty")
        return tuple(self.of.read(item, self.each) for item in items)

    def schema(self) -> Schema:
        """An array."""
        return {"type": "array", "items": self.of.schema(), "minItems": self.least}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping."""

    shape: Shape
    about: str  # what an editor shows
    required: bool = False
    default: int | str | None = None  # what holds where the key is left out


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with known keys; of the keys in `one_of` exactly one is given, of those in `together` all or none."""

    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()
    some_of: tuple[str, ...] = ()
    together: tuple[str, ...] = ()

    def read(self, node: Node, what: str) -> Given:
        """The values by key, with defaults; keys that are left out and have none are missing."""
        nodes = node.fields(what, self.keys, [name for name, key in self.keys.items() if key.required])
        if self.one_of and sum(name in nodes for name in self.one_of) != 1:
            raise node.place.bad(f"{what} needs one of the keys {_listed(self.one_of)}, and only one")
        if self.some_of and not any(name in nodes for name in self.some_of):
            raise node.place.bad(f"{what} needs one of the keys {_listed(self.some_of)}, or several")
        if self.together and 0 < sum(name in nodes for name in self.together) < len(self.together):
            raise node.place.bad(f"in {what} the keys {_listed(self.together)} belong together")
        values = self.defaults() | {name: self.keys[name].shape.read(value, name) for name, value in nodes.items()}
        return Given(node.place, nodes, values)

    def defaults(self) -> dict[str, Any]:
        """What holds where nothing is said."""
        return {name: key.default for name, key in self.keys.items() if key.default is not None}

    def schema(self) -> Schema:
        """An object without other keys."""
        properties = {name: _described(key) for name, key in self.keys.items()}
        told: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
        if required := [name for name, key in self.keys.items() if key.required]:
            told["required"] = required
        if self.one_of:
            told["oneOf"] = [{"required": [name]} for name in self.one_of]
        if self.some_of:
            told["anyOf"] = [{"required": [name]} for name in self.some_of]
        if self.together:
            told["dependentRequired"] = {
                name: [other for other in self.together if other != name] for name in self.together
            }
        return told


@dataclass(frozen=True, slots=True)
class OneOf:
    """A mapping of one of several kinds; each is told by a key that no other has."""

    kinds: Mapping[str, Table]

    def read(self, node: Node, what: str) -> Given:
        """The values, as the table of its kind reads them."""
        known = dict.fromkeys(key for table in self.kinds.values() for key in table.keys)
        telling = [key for key in self.kinds if key in node.fields(what, known)]
        if len(telling) != 1:
            raise node.place.bad(f"{what} needs one of the keys {_listed(tuple(self.kinds))}, and only one")
        return self.kinds[telling[0]].read(node, what)

    def schema(self) -> Schema:
        """One of several objects."""
        return {"oneOf": [table.schema() for table in self.kinds.values()]}


def _described(key: Key) -> Schema:
    default = {} if key.default is None else {"default": key.default}
    return {"description": key.about, **key.shape.schema(), **default}


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
