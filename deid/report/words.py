"""What a report says in words: the meaning of a profile and its options, and what to do about what was held."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from deid.model import State
from deid.standard.table import EDITION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deid.model import Chosen
    from deid.report.account import Group

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clean-pixel-data": "Text in the images is searched for and masked; none is stored.",
        "retain-full-dates": "True dates and times stay.",
        "retain-modified-dates": "Dates stay, moved by a number of days that is the patient's own.",
        "retain-patient-characteristics": "Sex, age, size, weight and the like stay.",
        "retain-device-identity": "Names and numbers of the devices stay.",
        "retain-uids": "The original UIDs stay: whoever has access to the archive finds the originals by them.",
        "retain-safe-private": "Private attributes stay of which their makers say that they are safe.",
        "retain-institution-identity": "Names and addresses of the institutions stay.",
    }
)
"""What each option of PS3.15 that is carried out means for the output."""
_BASIC: Final = (
    f"The headers follow the Basic Profile of DICOM PS3.15 ({EDITION}): what identifies a person, a place or a time is"
    " removed, made empty or replaced, in every sequence, and private attributes are removed."
)
_NO_PIXELS: Final = "The profile does not ask for the images: text in them stays."
_NO_CLAIM: Final = (
    "The profile keeps identifiers on purpose, so the objects do not say that the patient's identity was removed."
)
_NOT_RECORDED: Final = "An earlier version of the program wrote this batch, and did not record the name of the profile."


def meaning(chosen: Chosen | None) -> list[str]:
    """What the profile and its options mean for the output, in sentences."""
    if chosen is None:
        return [_NOT_RECORDED]
    said = [_BASIC]
    said += [OPTIONS[option] for option in chosen.options if option in OPTIONS]
    if "clean-pixel-data" not in chosen.options:
        said.append(_NO_PIXELS)
    if chosen.rules:
        said.append(f"The profile makes {chosen.rules} exceptions of its own; the table of actions tells them.")
    if not chosen.claims:
        said.append(_NO_CLAIM)
    return said


def name_of(chosen: Chosen | None) -> str:
    """What the profile is called. A file's own name may name a project or a patient."""
    if chosen is None:
        return "not recorded"
    return chosen.profile or "a profile file of your own"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person may do about objects that were kept back."""

    title: str
    advice: str
    commands: tuple[str, ...]


_SHOW, _RETRY, _RELEASE, _DISCARD = (
    "deid queue show ID",
    "deid queue retry ID",
    'deid queue release ID --reason "..."',
    'deid queue discard ID --reason "..."',
)
SURVIVES: Final = Decision(
    "An identifying value was still there",
    "If you see that it is harmless, such as a common word, accept it: the next run releases the object, while its file"
    " stays as it is. If not, change the profile, or discard the object.",
    (_SHOW, _RELEASE, _DISCARD),
)
CANNOT: Final = Decision(
    "Cannot be cleaned or checked",
    "There is nothing to accept. Remove the cause and retry, or discard the object.",
    (_SHOW, _RETRY, _DISCARD),
)
FAILED: Final = Decision(
    "The program failed",
    "The object stays where it is. Report the line, and retry with a new version.",
    (_SHOW, _RETRY, _DISCARD),
)
NO_OBJECT: Final = Decision(
    "Unreadable",
    "Each run tries again. If these are no DICOM files, take them out of the input folder, or discard them.",
    (_SHOW, _DISCARD),
)


def decision(group: Group) -> Decision:
    """What is to be decided about tickets that were kept back for the same reason."""
    if group.state is State.UNREADABLE:
        return NO_OBJECT
    if group.attributes:
        return SURVIVES
    return FAILED if group.reason.startswith("defect:") else CANNOT


def decisions(groups: Iterable[Group]) -> list[tuple[Decision, list[Group]]]:
    """All of them, the most urgent first, each with its groups."""
    found: dict[Decision, list[Group]] = {each: [] for each in (SURVIVES, FAILED, CANNOT, NO_OBJECT)}
    for group in groups:
        found[decision(group)].append(group)
    return [(each, of_it) for each, of_it in found.items() if of_it]
