"""The contact sheets: a few pictures of each series, drawn in processes of their own, for a damaged file may kill one.

Their number and their bytes are bounded, however many series there are.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from deid.errors import DeidError, where
from deid.part10.source import Limits
from deid.pixels.scope import NO_PIXEL_DATA
from deid.pixels.sheet import Sheet, sheet_of
from deid.scale import each
from deid.standard.uids import is_registered, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from deid.model import Masked, Pixels
    from deid.pixels.sheet import Picture
    from deid.report.series import Series

_MOST: Final = 600
_MOST_OF_A_SERIES: Final = 12
_MOST_BYTES: Final = 12 << 20  # of JPEG; a third more as text in the page
_MOST_FRAMES: Final = 3  # of an object that has its series nearly for itself
_FEW_OBJECTS: Final = 2
_SECONDS: Final = 60  # for the few frames of one file
_GROUP: Final = 4  # files for a process at a time
_LOST: Final = "the file cannot be decoded: its decoder crashed, or took too long"
_FULL: Final = "left out, for the report would become too large"


@dataclass(frozen=True, slots=True)
class Member:
    """One object of a series, to be shown."""

    number: int  # of its ticket, or of its file
    path: Path
    pixels: Pixels | None
    label: str  # what people call it


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of an object, or why there is none."""

    member: Member
    frames: int
    picture: Picture | None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A series and its pictures."""

    series: Series
    kind: str = ""  # name of its SOP Class, as far as one was looked at
    figures: tuple[Figure, ...] = ()
    because: str = ""  # why there are no figures


def cards(
    found: Sequence[Series], member: Callable[[int], Member], jobs: int, progress: Callable[[int, int], None]
) -> list[Card]:
    """A card for each series, in their order; `member` finds an object by its number."""
    most = max(1, min(_MOST_OF_A_SERIES, _MOST // max(1, len(found))))
    requests = [
        (at, member(number), frames)
        for at, series in enumerate(found[:_MOST])
        for number, frames in _requests(series, most)
    ]
    items = [(shown.path, shown.pixels.masked if shown.pixels else (), frames) for _, shown, frames in requests]
    sheets: list[list[tuple[Member, Sheet]]] = [[] for _ in found]
    done = used = 0
    with closing(each(_Draw(Limits()), _grouped(items), jobs, apart=True)) as drawn:
        for sheet in (sheet for group in drawn for sheet in group):
            at, shown, _ = requests[done]
            used += sum(len(picture.jpeg) for picture in sheet.pictures)
            fits = used <= _MOST_BYTES
            sheets[at].append((shown, sheet if fits else replace(sheet, pictures=(), because=_FULL)))
            done += 1
            progress(done, len(requests))
    return [_card(series, drawn_of) for series, drawn_of in zip(found, sheets, strict=True)]


def _requests(series: Series, most: int) -> Iterator[tuple[int, int]]:
    """The objects to be shown, and how many frames of each."""
    frames = min(_MOST_FRAMES, most) if series.objects <= _FEW_OBJECTS else 1
    for number in series.shown(max(1, most // frames)):
        yield number, frames


def _grouped(items: Sequence[_Item]) -> Iterator[tuple[_Item, ...]]:
    waiting = iter(items)
    while group := tuple(islice(waiting, _GROUP)):
        yield group


def _card(series: Series, sheets: Sequence[tuple[Member, Sheet]]) -> Card:
    classes = [
        name_of(sheet.sop_class).removesuffix(" Storage") for _, sheet in sheets if is_registered(sheet.sop_class)
    ]
    figures: list[Figure] = []
    for member, sheet in sheets:
        if sheet.because and sheet.because != NO_PIXEL_DATA:
            figures.append(Figure(member, sheet.frames, None, sheet.because))
        figures += [Figure(member, sheet.frames, picture) for picture in sheet.pictures]
    because = "" if figures else (sheets[0][1].because if sheets else _FULL)
    return Card(series, classes[0] if classes else "", tuple(figures), because)


_Item = tuple["Path", "Sequence[Masked]", int]


class _Draw:
    """Draws one file; whatever happens there, it ends with a sheet that says so."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def __call__(self, item: _Item) -> Sheet:
        try:
            return sheet_of(*item, self._limits)
        except DeidError as reason:
            return Sheet(because=str(reason))
        except Exception as defect:  # noqa: BLE001 - its text may quote a value
            return Sheet(because=f"defect: {where(defect)}")

    def seconds(self, _item: _Item) -> float:
        return _SECONDS

    def lost(self, _item: _Item, _why: str) -> Sheet:
        return Sheet(because=_LOST)
