"""A strict part of YAML in which every value knows its place: no tags, anchors, aliases, merges or double meanings.

A word that some YAML version reads as a number, a truth value or a date is taken as text only when it is quoted.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deid.errors import BadProfile
from deid.profile.options import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

LIMIT = 100_000  # bytes in a document
DEPTH = 6  # levels in a document; the deepest that has a meaning is 3
# What YAML 1.1 or 1.2 may read as something else than text, in lower case: truth values and null; numbers (octal,
# hexadecimal and sexagesimal too) and dates.
NOT_TEXT = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "="))
NUMBER = re.compile(r"[-+]?(\.inf|\.nan|\.?[0-9][0-9a-fxotz_.:+-]*)")
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def bad(self, message: str) -> BadProfile:
        """The error to raise about what stands here."""
        return BadProfile(f"{self.file}:{self.line}:{self.column}: {message}")


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a sequence or a mapping (pairs of key and value), and the typed readings of it."""

    place: Place
    content: str | tuple[Node, ...] | tuple[tuple[Node, Node], ...]
    kind: str  # "text", "a quoted text", "a list", "a mapping"

    def text(self, what: str) -> str:
        """One line of text, quoted wherever it could be read as something else."""
        if not isinstance(self.content, str):
            raise self.place.bad(f"{what} must be text, not {self.kind}")
        if self.kind == "text":
            if not self.content:
                raise self.place.bad(f"{what} has no value")
            if self.content.lower() in NOT_TEXT or NUMBER.fullmatch(self.content.lower()):
                raise self.place.bad(f"{what} must be text; quote {self.content}, it can mean something else in YAML")
        if not self.content.isprintable():
            raise self.place.bad(f"{what} must be one line without control characters")
        return self.content

    def integer(self, what: str) -> int:
        """A whole number in plain decimal, so that nobody has to guess about 010 or 0x10."""
        if self.kind != "text" or not isinstance(self.content, str) or not INTEGER.fullmatch(self.content):
            raise self.place.bad(f"{what} must be a whole number in plain decimal, without quotes or leading zeros")
        return int(self.content)

    def truth(self, what: str) -> bool:
        """The word true or false, and no other way to say it."""
        if self.kind != "text" or self.content not in ("true", "false"):
            raise self.place.bad(f"{what} must be true or false")
        return self.content == "true"

    def items(self, what: str) -> tuple[Node, ...]:
        """The items of a sequence."""
        if self.kind != "a list":
            raise self.place.bad(f"{what} must be a list")
        return self.content  # type: ignore[return-value]  # its kind says so

    def fields(self, what: str, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """The values of a mapping by key: only known keys, each once, and all that are required."""
        if self.kind != "a mapping":
            raise self.place.bad(f"{what} must be a mapping of {', '.join(known)}")
        found: dict[str, Node] = {}
        pairs: tuple[tuple[Node, Node], ...] = self.content  # type: ignore[assignment]  # its kind says so
        for key, value in pairs:
            word = key.content
            if not isinstance(word, str):
                raise key.place.bad(f"a key of {what} must be a word, not {key.kind}")
            if word == "<<" and key.kind == "text":
                raise key.place.bad("merge keys are not accepted")
            if word not in known:
                # {attribute: (0010,0020)} is two keys to YAML: the comma ends the value.
                hint = (
                    ""
                    if value.content or value.kind != "text"
                    else "; if it belongs to the value before it, put that whole value in quotes"
                )
                raise key.place.bad(f"unknown key {word!r} in {what}{hint or nearest(word, known)}")
            if word in found:
                raise key.place.bad(f"duplicate key {word!r}, given before on line {found[word].place.line}")
            found[word] = value
        for word in required:
            if word not in found:
                raise self.place.bad(f"{what} needs the key {word!r}")
        return found


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would be waited for


def text_of(path: Path, name: str) -> str:
    """What stands in a file; `name` is what errors call it. Raises BadProfile."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadProfile(f"{name}: not a file")
            encoded = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadProfile(f"{name}: {getattr(error, 'strerror', None) or 'not a path'}") from None
    if len(encoded) > LIMIT:
        raise Place(name, 1, 1).bad(f"larger than {LIMIT} bytes")
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        before = encoded[: error.start]
        place = Place(name, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise place.bad("not UTF-8 text") from None


def read(text: str, name: str) -> Node:
    """The one document in a text; `name` is what its errors call the file. Raises BadProfile."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 25 ms, not needed to print help
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - as above
    from ruamel.yaml.reader import ReaderError  # noqa: PLC0415 - as above

    start = Place(name, 1, 1)
    if len(text.encode(errors="surrogatepass")) > LIMIT:
        raise start.bad(f"larger than {LIMIT} bytes")
    text = text.removeprefix("\ufeff")
    try:
        return _document(YAML(typ="safe", pure=True).parse(text), name)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else start
        raise place.bad(f"not valid YAML: {error.problem or error.context}") from None
    except ReaderError as error:
        before = text[: error.position]
        place = Place(name, before.count("\n") + 1, error.position - before.rfind("\n"))
        raise place.bad("a character that YAML does not allow") from None
    except (YAMLError, ValueError, OverflowError):  # the last two: escapes such as "\UFFFFFFFF"
        raise start.bad("not valid YAML") from None


def _document(events: Iterator[Any], name: str) -> Node:
    from ruamel.yaml.events import DocumentStartEvent, StreamEndEvent  # noqa: PLC0415 - see read

    next(events)  # the stream starts
    first = next(events)
    if not isinstance(first, DocumentStartEvent):
        raise Place(name, 1, 1).bad("the file is empty")
    if first.version or first.tags:
        raise _place(first, name).bad("YAML directives are not accepted")
    node = _node(next(events), events, name, DEPTH)
    next(events)  # the document ends
    last = next(events)
    if not isinstance(last, StreamEndEvent):
        raise _place(last, name).bad("a second document in the file is not accepted")
    return node


def _node(event: Any, events: Iterator[Any], name: str, depth: int) -> Node:  # noqa: ANN401 - ruamel's events are untyped
    from ruamel.yaml.events import (  # noqa: PLC0415 - see read
        AliasEvent,
        MappingEndEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
    )

    place = _place(event, name)
    if isinstance(event, AliasEvent) or event.anchor:
        raise place.bad("anchors and aliases are not accepted")
    if event.tag:
        raise place.bad("YAML tags are not accepted")
    if isinstance(event, ScalarEvent):
        return Node(place, event.value, "a quoted text" if event.style else "text")
    if not depth:
        raise place.bad("nested too deeply")
    end = SequenceEndEvent if isinstance(event, SequenceStartEvent) else MappingEndEvent
    inside = []
    while not isinstance(following := next(events), end):
        inside.append(_node(following, events, name, depth - 1))
    if end is SequenceEndEvent:
        return Node(place, tuple(inside), "a list")
    pairs = zip(inside[::2], inside[1::2], strict=True)
    return Node(place, tuple((key, _at_key(key, value)) for key, value in pairs), "a mapping")


def _at_key(key: Node, value: Node) -> Node:
    """The value; where there is none it stands at its key, not wherever the parser noticed it."""
    return Node(key.place, "", "text") if value.kind == "text" and not value.content else value


def _place(event: Any, name: str) -> Place:  # noqa: ANN401 - ruamel's events are untyped
    return Place(name, event.start_mark.line + 1, event.start_mark.column + 1)
