"""One file of a folder that is only looked at: what it is, and what a run would do with it, carried out to the end.

The object is made, verified and forgotten, in a folder that no other user may enter and that ends with the scan.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.attributes.rewrite import SERIES, SOP_CLASS, STUDY
from deid.errors import DeidError
from deid.model import State, Ticket
from deid.part10.outline import outline
from deid.part10.source import open_source
from deid.part10.texts import texts
from deid.scale import seconds_for
from deid.worker import work

if TYPE_CHECKING:
    from pathlib import Path

    from deid.model import Outcome, Pixels
    from deid.pipeline import Pipeline

_PATIENT, _MODALITY = 0x00100020, 0x00080060
_MOST_CREATORS: Final = 100  # of one object


@dataclass(frozen=True, slots=True)
class Facts:
    """What an object says it is. Patient and UIDs are the original ones."""

    sop_class: str
    transfer_syntax: str
    modality: str
    patient: str
    study: str
    series: str
    creators: frozenset[str]  # of private elements, at every depth


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run would do with a file."""

    state: State
    reason: str = ""
    instance: str = ""  # original SOP Instance UID, where the object would be released
    pixels: Pixels | None = None
    facts: Facts | None = None  # None where it cannot be read


class Look:
    """Looks at one file, `number` and path; what is made meanwhile has that number."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self._pipeline = pipeline
        self._folder = folder

    def __call__(self, item: tuple[int, Path]) -> Survey:
        """Raises Deferred when the world is not ready."""
        number, path = item
        unpublished = self._folder / f"{number}.part"
        outcome = work(self._pipeline, Ticket(number, path), unpublished)
        unpublished.unlink(missing_ok=True)
        return _survey(outcome, self._facts(path))

    def seconds(self, item: tuple[int, Path]) -> float:
        """As long as a run would wait."""
        return seconds_for(item[1])

    def lost(self, _item: tuple[int, Path], why: str) -> Survey:
        """As a run would end it."""
        return Survey(State.HELD, why)

    def _facts(self, path: Path) -> Facts | None:
        limits, folder = self._pipeline.limits, self._pipeline.work
        try:
            with closing(open_source(path, limits, folder)) as source:
                layout = outline(source, limits)
                found = (value for tag, _, value in texts(layout) if _is_creator(tag))
                creators = {value.decode("latin-1").strip(" \0") for value in found}
                return Facts(
                    sop_class=layout.text(SOP_CLASS),
                    transfer_syntax=source.transfer_syntax,
                    modality=layout.text(_MODALITY),
                    patient=layout.text(_PATIENT),
                    study=layout.text(STUDY),
                    series=layout.text(SERIES),
                    creators=frozenset(sorted(creators - {""})[:_MOST_CREATORS]),
                )
        except DeidError:
            return None


def _is_creator(tag: int) -> bool:
    """PS3.5 7.8.1: (gggg,0010-00FF) of an odd group."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def _survey(outcome: Outcome, facts: Facts | None) -> Survey:
    result = outcome.result
    if result is None:
        return Survey(outcome.state, outcome.reason, facts=facts)
    return Survey(outcome.state, outcome.reason, result.original_instance, result.pixels, facts)
