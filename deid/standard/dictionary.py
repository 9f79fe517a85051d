"""PS3.6 data dictionary: the VR and the name of an attribute, and the attribute a name means.

A tag is an int, group << 16 | element. Nothing a data set holds is remembered here.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

from deid.standard import data_files

_Entry: TypeAlias = tuple[str, str]  # VR, keyword; a bare tuple, because five thousand named ones take twice as long
_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)|([0-9A-F]{4}),?([0-9A-F]{4})", re.IGNORECASE)


class _Dictionary(NamedTuple):
    exact: dict[int, _Entry]
    repeating: dict[int, dict[int, _Entry]]  # mask of the fixed digits -> those digits -> entry


@cache
def _dictionary() -> _Dictionary:
    _notice, _columns, *lines = data_files.text("dictionary.csv").splitlines()
    exact: dict[int, _Entry] = {}
    repeating: dict[int, dict[int, _Entry]] = {}
    for line in lines:
        tag, vr, keyword = line.split(",")
        if "x" in tag:
            mask = int("".join("0" if digit == "x" else "F" for digit in tag), 16)
            repeating.setdefault(mask, {})[int(tag.replace("x", "0"), 16)] = (vr, keyword)
        else:
            exact[int(tag, 16)] = (vr, keyword)
    return _Dictionary(exact, repeating)


def _repeated(tag: int) -> _Entry | None:
    """The entry of a repeating group or element such as (60xx,3000) or (0020,31xx)."""
    group = tag >> 16
    # PS3.5 7.6: curves and overlays repeat over the even groups 00 to 1E; what lies above is not assigned.
    if group & 1 or (group >> 8 in (0x50, 0x60) and group & 0xFF > 0x1E):
        return None
    for mask, entries in _dictionary().repeating.items():
        if entry := entries.get(tag & mask):
            return entry
    return None


def vr_of(tag: int) -> str | None:
    """The VR, "US or SS" where the standard leaves a choice; None for what the standard does not define."""
    if entry := _dictionary().exact.get(tag):
        return entry[0] or None  # item and delimiters have no VR
    if not tag & 0xFFFF:
        return "UL"  # PS3.5 7.2: group length
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else None  # PS3.5 7.8.1: private creator
    entry = _repeated(tag)
    return entry[0] if entry else None


@lru_cache(maxsize=1 << 13)  # bounded: a file with ever new tags must not fill the memory
def unstated_vr(tag: int) -> str:
    """The VR of an element that does not state one: OW for tables, which may hold anything; UN for what nobody knows.

    Of any other choice the first.
    """
    choice = (vr_of(tag) or "UN").split()
    return "OW" if choice[0] == "US" and "OW" in choice else choice[0]


def name_of(tag: int) -> str:
    """The keyword, or "(gggg,eeee)" where there is none."""
    entry = _dictionary().exact.get(tag) or (_repeated(tag) if tag & 0xFFFF else None)
    return entry[1] if entry and entry[1] else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _tags() -> dict[str, int]:
    exact, repeating = _dictionary()
    # A keyword of a repeating group means its first one; elements that repeat, all retired, have no single tag to mean.
    first = {
        keyword: tag
        for mask, entries in repeating.items()
        if mask == 0xFF00FFFF
        for tag, (_, keyword) in entries.items()
    }
    return first | {keyword: tag for tag, (_, keyword) in exact.items() if keyword}


def tag_of(word: str) -> int | None:
    """The tag that a person means by a keyword, "(gggg,eeee)", "gggg,eeee" or "ggggeeee"."""
    if (tag := _tags().get(word)) is not None:
        return tag
    digits = _TAG.fullmatch(word)
    return int("".join(filter(None, digits.groups())), 16) if digits else None


def keywords() -> tuple[str, ...]:
    """Every keyword that `tag_of` knows, to find the nearest one to a misspelt word."""
    return tuple(_tags())
