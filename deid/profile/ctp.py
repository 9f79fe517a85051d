"""Device rules out of a script for CTP's DicomPixelAnonymizer, a file of signatures and rectangles.

`{ Modality.equals("US") * [0008,1090].containsIgnoreCase("iU22") } (0,0,640,47)`: what stands in neither braces nor,
behind a signature, in parentheses is a comment. In a signature `+` is or, `*` is and, `!` is not, which binds most.
What cannot be said in our rules is an error that names its place, never left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from deid.profile.conditions import Condition, can_be_compared, unlike_regular
from deid.profile.devices import DeviceRule
from deid.profile.rule_line import tag_named
from deid.profile.strict_yaml import Place
from deid.standard.dictionary import name_of, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.errors import BadProfile
    from deid.profile.devices import Rectangle

_OPERATORS: Final = {
    "equals": "equals",
    "matches": "matches",
    "contains": "contains",
    "startsWith": "starts",
    "endsWith": "ends",
}
_IGNORE_CASE: Final = "IgnoreCase"
_SPACE: Final = re.compile(r"(?:\s|//[^\n]*)*")
_TERM: Final = re.compile(
    r"(?P<attribute>\[[^\]\s]*\]|\w+)\s*\.\s*(?P<method>\w+)\s*\(\s*\"(?P<text>[^\"]*)\"\s*\)", re.ASCII
)
_CONSTANT: Final = re.compile(r"(true|false)\s*\.")
_REGULAR: Final = re.compile(
    r"(?:[^\\\[\](){}]|\\[dDwWsS.\\*+?()\[\]{}|^$/-]|\[\^?(?:[\w ./:,-]|\\[dws.\\-])+\]|\((?!\?)|\))*",
    re.ASCII,
)
"""What means the same in the regular expressions of Java and of Python."""
_RECTANGLE: Final = re.compile(r"\s*(-?\d+)\s*,\s*(-?\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", re.ASCII)
_MOST: Final = 256  # alternatives of one signature
_LONGEST_NAME: Final = 80
_DEEPEST: Final = 50  # parentheses within each other

Term = tuple[bool, Condition]
"""A condition, and whether it has to hold or must not."""
Alternatives = list[tuple[Term, ...]]
"""Any of them is enough; all terms of it together."""


def rules_of(script: str, name: str) -> tuple[DeviceRule, ...]:
    """The rules that a script stands for; `name` is what errors call it. Raises BadProfile.

    Of all signatures that match, CTP takes the first; here all of them count.
    """
    found: list[DeviceRule] = []
    text = _Text(script, name)
    comment = ""
    while (at := script.find("{", text.at)) >= 0:
        comment = script[text.at : at]
        text.at = at + 1
        end = script.find("}", at)
        if end < 0:
            raise text.bad("the signature has no end", at)
        alternatives = _Signature(replace(text, script=script[:end])).alternatives()
        text.at = end + 1
        rectangles = tuple(_rectangles(text))
        if not rectangles:
            raise text.bad("a signature without rectangles: in CTP it is an exception, and our rules know none", at)
        if not alternatives:
            raise text.bad("this signature never matches", at)
        rule = DeviceRule(_title(comment, text.place(at)), (), (), rectangles, where=f"line {text.place(at).line}")
        found += [_rule(rule, terms) for terms in alternatives]
    if not found:
        raise text.bad("there is no signature in this script", 0)
    return tuple(found)


def as_yaml(rules: tuple[DeviceRule, ...], name: str) -> str:
    """The rules as a file that a profile can name under `devices`."""
    lines = [f"# Made from {name}, a script for CTP's DicomPixelAnonymizer.", "", "version: 1", "devices:"]
    for rule in rules:
        lines += [f"  - name: {_quoted(rule.name)}    # {rule.where}", *_conditions("match", rule.match)]
        lines += _conditions("unless", rule.unless) if rule.unless else []
        lines += [f"    mask: [{', '.join(map(str, map(list, rule.mask)))}]", ""]
    return "\n".join(lines)


def _conditions(key: str, conditions: tuple[Condition, ...]) -> Iterator[str]:
    yield f"    {key}:" if conditions else f"    {key}: []"
    for each in conditions:
        keyword = name_of(each.attribute)
        if tag_of(keyword) != each.attribute:  # of a repeating group, whose first one the keyword means
            keyword = f"({each.attribute >> 16:04X},{each.attribute & 0xFFFF:04X})"
        case = ", case: true" if each.case else ""
        yield f"      - {{attribute: {_quoted(keyword)}, {each.operator}: {_quoted(each.text)}{case}}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a text in quotes is the same in JSON and in YAML


def _title(comment: str, place: Place) -> str:
    """What a person may know the device by: the comment before its signature."""
    said = [line.strip(" \t*:/") for line in re.sub(r"\([^)]*\)", "\n", comment).splitlines()]
    last = next((line for line in reversed(said) if line), "")
    return last if last.isprintable() and 0 < len(last) <= _LONGEST_NAME else f"{place.file}, line {place.line}"


def _rule(rule: DeviceRule, terms: tuple[Term, ...]) -> DeviceRule:
    return replace(
        rule,
        # Which letters are capitals is never what tells devices apart: a mask too many is better than one too few.
        match=tuple(dict.fromkeys(replace(each, case=False) for wanted, each in terms if wanted)),
        unless=tuple(each for wanted, each in terms if not wanted),
    )


@dataclass(slots=True)
class _Text:
    """A script, and where it is being read."""

    script: str
    name: str
    at: int = 0

    def place(self, at: int) -> Place:
        before = self.script[:at]
        return Place(self.name, before.count("\n") + 1, at - before.rfind("\n"))

    def bad(self, message: str, at: int | None = None) -> BadProfile:
        return self.place(self.at if at is None else at).bad(message)


def _rectangles(text: _Text) -> Iterator[Rectangle]:
    """What stands in parentheses up to the next signature."""
    after = text.script.find("{", text.at)
    after = len(text.script) if after < 0 else after
    while (at := text.script.find("(", text.at, after)) >= 0:
        end = text.script.find(")", at, after)
        numbers = _RECTANGLE.fullmatch(text.script, at + 1, max(end, at + 1))
        if not numbers:
            raise text.bad("in parentheses stands no rectangle: left, top, width and height", at)
        left, top, width, height = map(int, numbers.groups())
        # Its rectangles take in their far edges.
        yield left, top, width + 1, height + 1
        text.at = end + 1


class _Signature:
    """The expression in one pair of braces; reading ends where the script given ends."""

    def __init__(self, text: _Text) -> None:
        self.text = text
        self.depth = 0

    def alternatives(self) -> Alternatives:
        found = self._row("+", wanted=True)
        if self._next():
            raise self.text.bad("an operator (+ or *) or the end of the signature is missing before this")
        return found

    def _next(self) -> str:
        """The character that stands next, "" at the end."""
        space = _SPACE.match(self.text.script, self.text.at)
        self.text.at = space.end() if space else self.text.at
        return self.text.script[self.text.at : self.text.at + 1]

    def _row(self, operator: str, *, wanted: bool) -> Alternatives:
        """Operands with `+` or `*` between them; where they are not wanted, or is and, and the other way round."""
        found = self._operand(operator, wanted=wanted)
        while self._next() == operator:
            self.text.at += 1
            other = self._operand(operator, wanted=wanted)
            if (operator == "+") is wanted:
                found += other
            else:
                found = [tuple(dict.fromkeys((*one, *two))) for one in found for two in other]
            if len(found) > _MOST:
                raise self.text.bad(f"a signature with more than {_MOST} alternatives")
        return found

    def _operand(self, operator: str, *, wanted: bool) -> Alternatives:
        return self._row("*", wanted=wanted) if operator == "+" else self._one(wanted=wanted)

    def _one(self, *, wanted: bool) -> Alternatives:
        while (begins := self._next()) == "!":
            self.text.at += 1
            wanted = not wanted
        if begins == "(":
            return self._in_parentheses(wanted=wanted)
        if constant := _CONSTANT.match(self.text.script, self.text.at):
            self.text.at = constant.end()
            return [()] if (constant[1] == "true") is wanted else []
        return [((wanted, self._term()),)]

    def _in_parentheses(self, *, wanted: bool) -> Alternatives:
        self.text.at += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.text.bad("parentheses are nested too deeply")
        found = self._row("+", wanted=wanted)
        if self._next() != ")":
            raise self.text.bad("a parenthesis that is open has to be closed before this")
        self.text.at += 1
        self.depth -= 1
        return found

    def _term(self) -> Condition:
        term = _TERM.match(self.text.script, self.text.at)
        if not term:
            sequence = re.compile(r"[\w\[\],]+::").match(self.text.script, self.text.at)
            raise self.text.bad(
                "an attribute within a sequence cannot be compared, only one at the top level"
                if sequence
                else 'no term of the form attribute.method("text") stands here'
            )
        tag = tag_named(term["attribute"].strip("[]"), self.text.place(term.start()))
        if not can_be_compared(tag):
            raise self.text.bad("only a text or an integer can be compared, and this attribute is neither")
        method, text = term["method"], term["text"]
        operator = _OPERATORS.get(method.removesuffix(_IGNORE_CASE))
        if operator is None or method == f"matches{_IGNORE_CASE}":
            raise self.text.bad(f"unknown method {method!r}", term.start("method"))
        if not text.isprintable():
            raise self.text.bad("the text is more than one line, or holds a control character", term.start("text"))
        if operator == "matches" and (not _REGULAR.fullmatch(text) or unlike_regular(text)):
            raise self.text.bad("this regular expression may mean something else here", term.start("text"))
        self.text.at = term.end()
        has_letters = text.upper() != text.lower()
        return Condition(tag, operator, text, has_letters and method in _OPERATORS and operator != "matches")
