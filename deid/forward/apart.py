"""An object converted in a process apart: a codec that crashes or hangs is the fate of this object, and of no other."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deid.errors import DeidError, Rejected, fate, where
from deid.forward.fall_back import NOT_HERE, put
from deid.part10.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.forward.scu import Convert


class Order(NamedTuple):
    """What is to be converted, and the file for it, which is there already and has no name that stays."""

    path: Path
    into: str
    made: Path
    work: Path | None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What that process does: it fills the file, or gives back why it cannot."""

    allowed: Callable[[Path], float]  # seconds for a file

    def __call__(self, order: Order) -> DeidError | None:
        """Do it."""
        try:
            with order.made.open("r+b") as file:
                put(order.path, order.into, file, order.work)
        except DeidError as reason:
            return reason
        except OSError as error:
            return fate(error, NOT_HERE)
        except Exception as defect:  # noqa: BLE001 - told by type and place only: its text may hold a value
            return Rejected(f"defect: {where(defect)}")
        return None

    def seconds(self, order: Order) -> float:
        """How long it may take."""
        return self.allowed(order.path)

    def lost(self, _: Order, why: str) -> DeidError:
        """What becomes of an object whose process died."""
        return Rejected(
            "the destination refuses its transfer syntax, and it cannot be converted; have the destination accept it"
            f" as it is, or discard it: {why}"
        )


def converting(done: Callable[[Order], DeidError | None]) -> Convert:
    """`fall_back.convert`, by whoever carries out the orders."""

    def convert(path: Path, into: str, work: Path | None = None) -> Source:
        try:
            with tempfile.TemporaryFile(dir=work) as file:  # a kill leaves nothing of it
                failed = done(Order(path, into, Path(f"/proc/{os.getpid()}/fd/{file.fileno()}"), work))
                if failed:
                    raise failed
                return Source(os.dup(file.fileno()), 0, os.fstat(file.fileno()).st_size, into, "")
        except OSError as error:
            raise fate(error, NOT_HERE) from None

    return convert
