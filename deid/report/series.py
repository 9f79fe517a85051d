"""The objects of one series: how many there are, and the few of them that are worth a picture, by their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.pixels.sheet import spread

if TYPE_CHECKING:
    from deid.model import Pixels

_ENDS_AND_MIDDLE: Final = 3
_KEPT: Final = 16  # objects remembered of a series at least, where it has so many; at most twice as many


@dataclass(slots=True)
class _Sample:
    """Objects of a series that are evenly apart; memory does not grow with their number."""

    count: int = 0
    _step: int = 1
    _kept: list[int] = field(default_factory=list)
    _last: int | None = None

    def add(self, number: int) -> None:
        if self.count % self._step == 0:
            self._kept.append(number)
            if len(self._kept) == 2 * _KEPT:
                del self._kept[1::2]
                self._step *= 2
        self._last = number
        self.count += 1

    def spread(self, most: int) -> list[int]:
        """The first, the last, and as many in between as make `most` of them."""
        there = [*self._kept]
        if self._last is not None and there[-1] != self._last:
            there.append(self._last)
        return spread(there, most)


@dataclass(slots=True)
class Series:
    """What is told of a series. The names are new ones; "" for one that is the original's."""

    patient: str
    study: str
    uid: str
    searched: int = 0  # objects
    share: float = 0.0  # of the pixels, in the object with the largest mask
    _all: _Sample = field(default_factory=_Sample)
    _masked: _Sample = field(default_factory=_Sample)

    @property
    def objects(self) -> int:
        """How many there are."""
        return self._all.count

    @property
    def masked(self) -> int:
        """In how many objects something was masked."""
        return self._masked.count

    def add(self, number: int, pixels: Pixels | None) -> None:
        """Count an object; its number, of a ticket or a file, is larger than that of the one before."""
        self._all.add(number)
        if pixels is None:
            return
        self.searched += pixels.searched
        if pixels.masked:
            self._masked.add(number)
            self.share = max(self.share, pixels.share)

    def shown(self, most: int) -> list[int]:
        """At most so many objects to look at, in their order: those with a mask first of all, then all over."""
        chosen = set(self._masked.spread(most))
        rest = min(_ENDS_AND_MIDDLE, most - len(chosen))
        if rest > 0:
            chosen.update(self._all.spread(rest))
        return sorted(chosen)
