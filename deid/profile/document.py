"""A profile file as its author wrote it, read strictly; what it means for an attribute is the plan's business."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deid.errors import BadProfile
from deid.profile import options, pixel_policy, strict_yaml
from deid.profile.options import nearest
from deid.profile.rule_line import LONG_STRING, RuleLine, overridden
from deid.profile.shipped import WORD, shipped

if TYPE_CHECKING:
    from deid.profile.pixel_policy import PixelPolicy
    from deid.profile.strict_yaml import Node

PROFILE_KEYS = ("version", "base", "options", "patient_id", "dates", "pixels", "rules")
MOST_DAYS = 36_500
SHIFT_DAYS = (-1825, -30)  # unless a profile says otherwise


@dataclass(frozen=True, slots=True)
class PatientIdForm:
    """How a new Patient ID looks: a prefix, then so many digits."""

    prefix: str = ""
    digits: int = 16


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """A profile, complete: what the file does not say is taken from its base."""

    name: str
    version: int = 1
    base: str = "basic"
    options: tuple[str, ...] = ()
    patient_id: PatientIdForm = PatientIdForm()
    shift_days: tuple[int, int] = SHIFT_DAYS
    pixels: PixelPolicy = pixel_policy.USUAL
    rules: tuple[RuleLine, ...] = ()


def load(name_or_path: str) -> ProfileDocument:
    """A shipped profile by its name, or a profile file by its path. Raises BadProfile."""
    if not WORD.fullmatch(name_or_path):
        path = Path(name_or_path)
        return parse(strict_yaml.text_of(path, name_or_path), name_or_path, path.parent)
    known = shipped()
    if name_or_path not in known:
        raise BadProfile(
            f"unknown profile {name_or_path!r}; shipped: {', '.join(known)}; a file is named with its ending (.yaml)"
        )
    path = known[name_or_path]
    return parse(strict_yaml.text_of(path, name_or_path), name_or_path, path.parent)


def parse(text: str, name: str, folder: Path = Path()) -> ProfileDocument:
    """The profile in a text; `name` is what errors and rules call it, files are named from `folder`.

    Raises BadProfile.
    """
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
        pixels=pixel_policy.read(given["pixels"], base.pixels, folder) if "pixels" in given else base.pixels,
        rules=overridden(given["rules"], base.rules) if "rules" in given else base.rules,
    )


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
