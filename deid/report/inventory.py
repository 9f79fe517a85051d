"""What is in a folder, and what a run would do with it; nothing of it is changed, and nothing is kept."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deid.attributes.keys import KEY_BYTES, derive
from deid.errors import DeidError
from deid.model import State
from deid.part10.source import Limits, same_data_set
from deid.pipeline import Pipeline
from deid.receive.folder import files_below
from deid.report.account import Images
from deid.report.pictures import Member
from deid.report.series import Series
from deid.report.survey import Look
from deid.scale import each
from deid.standard.uids import is_registered, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deid.model import Pixels
    from deid.profile.plan import Plan
    from deid.report.survey import Facts, Survey

_GROUP: Final = 16  # files for a process at a time
_EXAMPLES: Final = 40  # files named for one reason
_MOST_NAMES: Final = 1000  # of one kind told apart; hostile files must not fill the memory
_OTHERS: Final = "others"


@dataclass(slots=True)
class KeptBack:
    """Files that would be held or are unreadable for the same reason."""

    state: State
    reason: str
    files: int = 0
    examples: list[str] = field(default_factory=list)  # below the folder


@dataclass(slots=True)
class Inventory:
    """All that is told of a folder. A file has the number of its path."""

    source: Path
    paths: Sequence[Path]
    files: int = 0  # that were looked at
    states: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    patients: set[bytes] = field(default_factory=set)  # digests
    studies: set[bytes] = field(default_factory=set)
    series: dict[bytes, Series] = field(default_factory=dict)
    sop_classes: Counter[str] = field(default_factory=Counter)
    modalities: Counter[str] = field(default_factory=Counter)
    transfer_syntaxes: Counter[str] = field(default_factory=Counter)
    creators: Counter[str] = field(default_factory=Counter)  # of private elements, in objects
    images: Images = field(default_factory=Images)
    kept_back: dict[tuple[State, str], KeptBack] = field(default_factory=dict)
    _searched: dict[int, Pixels] = field(default_factory=dict)
    _held: set[int] = field(default_factory=set)

    @property
    def dicomdir(self) -> int:
        """Indexes of files: never copied, and not counted as objects."""
        return self.states[State.DICOMDIR]

    def add(self, survey: Survey) -> None:
        """Count the next file."""
        number = self.files
        self.files += 1
        self.states[survey.state] += 1
        if survey.state in (State.HELD, State.UNREADABLE):
            key = (survey.state, survey.reason)
            group = self.kept_back.setdefault(key, KeptBack(*key))
            group.files += 1
            if len(group.examples) < _EXAMPLES:
                group.examples.append(self._label(number))
        if survey.state is State.HELD:
            self._held.add(number)
        if survey.state is State.RELEASED:
            self.images.add(survey.pixels)
        if survey.facts and survey.state is not State.DICOMDIR:
            self._describe(number, survey.facts, survey.pixels)

    def member(self, number: int) -> Member:
        """A file to be shown."""
        label = self._label(number) + (" (would be held)" if number in self._held else "")
        return Member(number, self.paths[number], self._searched.get(number), label)

    def _label(self, number: int) -> str:
        path = self.paths[number]
        return path.name if path == self.source else os.path.relpath(path, self.source)

    def _describe(self, number: int, facts: Facts, pixels: Pixels | None) -> None:
        _count(self.sop_classes, _name(facts.sop_class, "no SOP Class").removesuffix(" Storage"))
        _count(self.modalities, facts.modality or "no modality")
        _count(self.transfer_syntaxes, _name(facts.transfer_syntax, "none"))
        for creator in facts.creators:
            _count(self.creators, creator)
        self.patients.add(_digest(facts.patient))
        self.studies.add(_digest(facts.patient, facts.study))
        key = _digest(facts.patient, facts.study, facts.series)
        found = self.series.get(key)
        if found is None:
            found = self.series[key] = Series(facts.patient, facts.study, facts.series)
        found.add(number, pixels)
        if pixels and pixels.searched:
            self._searched[number] = pixels

    def groups(self) -> list[KeptBack]:
        """What would be kept back, held first, most frequent first."""
        order = (State.HELD, State.UNREADABLE).index
        return sorted(self.kept_back.values(), key=lambda group: (order(group.state), -group.files, group.reason))


def take_stock(source: Path, plan: Plan, jobs: int, progress: Callable[[int, int], None]) -> Inventory:
    """Look at every file below `source` as a run with this plan would. Raises Deferred when the world is not ready."""
    paths = [path for path, _ in files_below(source)]
    found, released = Inventory(source, paths), dict[bytes, Path]()
    with tempfile.TemporaryDirectory(prefix="deid-") as folder:
        # The key ends with the scan: nobody can be found by the pseudonyms, which nobody sees.
        pipeline = Pipeline(plan, derive(secrets.token_bytes(KEY_BYTES)), Limits(), Path(folder))
        with closing(
            each(Look(pipeline, Path(folder)), _grouped(paths), jobs, apart=plan.pixels is not None)
        ) as surveys:
            for number, survey in enumerate(survey for group in surveys for survey in group):
                found.add(_again(survey, paths[number], released, pipeline))
                progress(number + 1, len(paths))
    return found


def _grouped(paths: Sequence[Path]) -> Iterator[tuple[tuple[int, Path], ...]]:
    waiting = iter(enumerate(paths))
    while group := tuple(islice(waiting, _GROUP)):
        yield group


def _again(survey: Survey, path: Path, released: dict[bytes, Path], pipeline: Pipeline) -> Survey:
    """The same SOP Instance UID again is a duplicate, or held if it is another object."""
    if survey.state is not State.RELEASED:
        return survey
    first = released.setdefault(_digest(survey.instance), path)
    if first is path:
        return survey
    try:
        same = same_data_set(first, path, pipeline.limits, pipeline.work or Path(tempfile.gettempdir()))
    except DeidError:
        same = False
    if same:
        return replace(survey, state=State.DUPLICATE)
    return replace(survey, state=State.HELD, reason=_ANOTHER, pixels=None)


_ANOTHER: Final = "another object with the same SOP Instance UID and different content would be released before"


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_NAMES else _OTHERS] += 1


def _name(uid: str, without: str) -> str:
    if not uid:
        return without
    return name_of(uid) if is_registered(uid) else "not one of the standard's"


def _digest(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]
