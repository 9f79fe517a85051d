"""A profile file as its author wrote it, read strictly; what it means for an attribute is the plan's business."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from deid.errors import BadProfile
from deid.profile import options, strict_yaml
from deid.profile.options import nearest
from deid.profile.strict_yaml import Node, Place

ACTIONS = ("D", "Z", "X", "K", "U")
PRIVATE_ACTIONS = ("K", "X")
PROFILE_KEYS = ("version", "base", "options", "patient_id", "dates", "rules")
RULE_KEYS = ("attribute", "private", "group", "element", "action", "reason", "allow_identifiers")
LONG_STRING = 64  # characters in an LO (PS3.5 6.2): Patient ID and private creators
MOST_DAYS = 36_500
SHIFT_DAYS = (-1825, -30)  # unless a profile says otherwise
WORD = re.compile(r"[A-Za-z0-9_-]+")
FILE_META = 0x0002
ITEMS = 0xFFFE
# PS3.5 7.8.1: odd groups that no private data element may use.
NOT_PRIVATE = (0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF)


@dataclass(frozen=True, slots=True)
class PatientIdForm:
    """How a new Patient ID looks: a prefix, then so many digits."""

    prefix: str = ""
    digits: int = 16


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One exception from the profile; names either an attribute or a private element, never both."""

    attribute: tuple[int, ...] | None  # a path of tags; a single tag holds at every depth
    private: tuple[str, int, int] | None  # private creator, group, low byte of the element
    action: str
    reason: str
    allow_identifiers: bool = False
    where: str = field(default="", compare=False, repr=False)  # "file:line"; two plans differ by what they say alone


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """A profile, complete: what the file does not say is taken from its base."""

    name: str
    version: int = 1
    base: str = "basic"
    options: tuple[str, ...] = ()
    patient_id: PatientIdForm = PatientIdForm()
    shift_days: tuple[int, int] = SHIFT_DAYS
    rules: tuple[RuleLine, ...] = ()


def load(name_or_path: str) -> ProfileDocument:
    """A shipped profile by its name, or a profile file by its path. Raises BadProfile."""
    if not WORD.fullmatch(name_or_path):
        return parse(_text(Path(name_or_path), name_or_path), name_or_path)
    known = shipped()
    if name_or_path not in known:
        raise BadProfile(
            f"unknown profile {name_or_path!r}; shipped: {', '.join(known)}; a file is named with its ending (.yaml)"
        )
    return parse(_text(known[name_or_path], name_or_path), name_or_path)


def shipped() -> dict[str, Path]:
    """The profiles that come with the package, by name."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "profiles"
    folder = installed if installed.is_dir() else package.parent / "profiles"
    return {path.stem: path for path in sorted(folder.glob("[a-z]*.yaml"))}


def parse(text: str, name: str) -> ProfileDocument:
    """The profile in a text; `name` is what errors and rules call it. Raises BadProfile."""
    given = strict_yaml.read(text, name).fields("the profile", PROFILE_KEYS, required=("version",))
    if given["version"].integer("version") != 1:
        raise given["version"].place.bad("version must be 1, the only version of the format there is")
    base = _base(given["base"], name) if "base" in given else ProfileDocument("basic")
    chosen = _options(given["options"], base.options) if "options" in given else base.options
    if "dates" in given and "retain-full-dates" in chosen:
        raise given["dates"].place.bad("dates are not shifted with option 'retain-full-dates'; leave one of them out")
    return ProfileDocument(
        name=name,
        base=base.name,
        options=chosen,
        patient_id=_patient_id(given["patient_id"], base.patient_id) if "patient_id" in given else base.patient_id,
        shift_days=_shift_days(given["dates"]) if "dates" in given else base.shift_days,
        rules=_rules(given["rules"], base.rules) if "rules" in given else base.rules,
    )


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would be waited for


def _text(path: Path, name: str) -> str:
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadProfile(f"{name}: not a file")
            encoded = file.read(strict_yaml.LIMIT + 1)  # one more: read refuses what is too large
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadProfile(f"{name}: {getattr(error, 'strerror', None) or 'not a path'}") from None
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        before = encoded[: error.start]
        place = Place(name, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise place.bad("not UTF-8 text") from None


def _base(node: Node, name: str) -> ProfileDocument:
    word = node.text("base")
    if word == "basic":  # the root of all: the Basic Profile of PS3.15 and nothing else
        return ProfileDocument("basic")
    known = shipped()
    if word not in known:
        raise node.place.bad(f"unknown base {word!r}{nearest(word, known)}")
    if word == name:
        raise node.place.bad(f"profile {word!r} cannot be its own base")
    return load(word)


def _options(node: Node, inherited: tuple[str, ...]) -> tuple[str, ...]:
    chosen = inherited
    written: set[str] = set()
    for item in node.items("options"):
        word = item.text("an option")
        if word in written:
            raise item.place.bad(f"option {word!r} is given twice")
        written.add(word)
        try:
            options.check((*chosen, word))
        except BadProfile as error:
            raise item.place.bad(str(error)) from None
        if word not in chosen:
            chosen = (*chosen, word)
    return chosen


def _patient_id(node: Node, inherited: PatientIdForm) -> PatientIdForm:
    given = node.fields("patient_id", ("prefix", "digits"))
    form = inherited
    if "prefix" in given:
        form = replace(form, prefix=given["prefix"].text("prefix"))
        if form.prefix and not WORD.fullmatch(form.prefix):
            raise given["prefix"].place.bad("prefix may hold letters A-Z and a-z, digits, '_' and '-' only")
    if "digits" in given:
        form = replace(form, digits=given["digits"].integer("digits"))
        if not 6 <= form.digits <= 40:
            raise given["digits"].place.bad("digits must be from 6 to 40")
    if len(form.prefix) + form.digits > LONG_STRING:
        raise node.place.bad(f"prefix and digits together are longer than the {LONG_STRING} characters of a Patient ID")
    return form


def _shift_days(node: Node) -> tuple[int, int]:
    days = node.fields("dates", ("shift_days",), required=("shift_days",))["shift_days"]
    items = days.items("shift_days")
    if len(items) != 2:
        raise days.place.bad("shift_days must be two whole numbers: the least and the greatest shift")
    low, high = (item.integer("shift_days") for item in items)
    if low > high:
        raise days.place.bad("shift_days must begin with the smaller number")
    if low <= 0 <= high:
        raise days.place.bad("shift_days must not include 0: a shift by 0 days leaves the true date")
    if max(abs(low), abs(high)) > MOST_DAYS:
        raise days.place.bad(f"shift_days must not exceed {MOST_DAYS} days")
    return low, high


def _rules(node: Node, inherited: tuple[RuleLine, ...]) -> tuple[RuleLine, ...]:
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
        where=f"{Path(node.place.file).name}:{node.place.line}",  # recorded with each object: no folders
    )


def _attribute(node: Node) -> tuple[int, ...]:
    from deid.standard import dictionary  # noqa: PLC0415 - its table is not needed for a profile without rules

    path = tuple(_tag(word, node.place) for word in node.text("attribute").split("."))
    for tag in path[:-1]:
        if dictionary.vr_of(tag) != "SQ":
            raise node.place.bad(f"{dictionary.name_of(tag)} is not a sequence, no path leads through it")
    return path


def _tag(word: str, place: Place) -> int:
    from deid.standard import dictionary  # noqa: PLC0415 - as above

    tag = dictionary.tag_of(word)
    if tag is not None and tag >> 16 & 1:
        raise place.bad(f"{word} is private; name it by 'private' (its creator), 'group' and 'element'")
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
