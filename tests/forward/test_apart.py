"""What crashes or hangs while it is converted is the fate of one object, and the next one goes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from deid.errors import Deferred, Rejected
from deid.forward import apart as module
from deid.forward.apart import Conversion, Order, converting
from deid.forward.fall_back import convert
from deid.forward.parallel import send_all
from deid.scale import apart, seconds_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.errors import DeidError
    from deid.part10.source import Source

    from .conftest import Archive


class Faulty(Conversion):
    """A codec does with an object what its name says."""

    def __call__(self, order: Order) -> DeidError | None:
        match order.path.stem:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "aborts":
                os.abort()
            case "hangs":
                ctypes.PyDLL(None).sleep(600)  # in native code, and no other thread runs meanwhile
            case "once" if not order.path.with_suffix(".again").exists():
                order.path.with_suffix(".again").touch()
                os._exit(1)
        return super().__call__(order)


def seconds(path: Path) -> float:
    return 3 if path.stem == "hangs" else 60


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_it_is_what_is_made_in_this_process(write: Callable[..., Path], work: Path) -> None:
    path = write("1.dcm", JPEG2000Lossless)
    with apart(Conversion(seconds_for)) as done:
        for into in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless):
            with closing(convert(path, into)) as here, closing(converting(done)(path, into, work)) as there:
                assert there.read(0, there.size + 1) == here.read(0, here.size + 1)
                assert (there.start, there.size, there.transfer_syntax) == (0, here.size, into)
                assert list(work.iterdir()) == []
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []


def test_nothing_of_it_has_a_name_that_a_kill_would_leave(write: Callable[..., Path], work: Path) -> None:
    path = write("1.dcm", RLELossless)
    there: list[Path] = []

    def done(order: Order) -> DeidError | None:
        failed = Conversion(seconds_for)(order)
        there.extend(work.iterdir())
        return failed

    with closing(converting(done)(path, ExplicitVRLittleEndian, work)) as source:
        assert source.size > 65 * 47 * 2
    assert there == []


@pytest.mark.parametrize(
    ("name", "why"), [("killed", "died"), ("aborts", "died"), ("hangs", "took too long"), ("gone", "cannot be opened")]
)
def test_a_delivery_that_fails_is_followed_by_the_next(
    archive: Archive, write: Callable[..., Path], name: str, why: str
) -> None:
    archive.takes = ImplicitVRLittleEndian.__eq__
    paths = [write("1.dcm", RLELossless), write(f"{name}.dcm", RLELossless), write("2.dcm", RLELossless)]
    with apart(Faulty(seconds)) as done:

        def converted(path: Path, into: str, work: Path | None) -> Source:
            path.unlink() if path.stem == "gone" else None
            return converting(done)(path, into, work)

        sendings = send_all(archive.destination, paths, 1, converted=converted)
    assert (sendings.sent, sendings.failed, sendings.waiting) == (2, 1, 0)
    ((reason, _),) = sendings.reasons.items()
    assert why in reason
    assert name == "gone" or "the destination refuses its transfer syntax" in reason
    assert multiprocessing.active_children() == []


def test_a_process_that_was_killed_for_anothers_sake_is_no_fault_of_the_object(
    write: Callable[..., Path], work: Path
) -> None:
    with apart(Faulty(seconds)) as done:
        converting(done)(write("once.dcm", RLELossless), ImplicitVRLittleEndian, work).close()
        (process,) = multiprocessing.active_children()
        process.kill()  # while it has nothing to do
        process.join()
        converting(done)(write("2.dcm", RLELossless), ImplicitVRLittleEndian, work).close()
    assert list(work.iterdir()) == []


def test_without_room_it_is_for_later(write: Callable[..., Path], tmp_path: Path) -> None:
    with apart(Conversion(seconds_for)) as done, pytest.raises(Deferred, match="cannot be converted here"):
        converting(done)(write("1.dcm", RLELossless), ImplicitVRLittleEndian, tmp_path / "no folder")


def test_a_defect_is_told_without_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(*_: object) -> None:
        raise ValueError("it quotes QUILL^FEATHER")

    monkeypatch.setattr(module, "put", put)
    (tmp_path / "made").touch()
    end = Conversion(seconds_for)(Order(tmp_path / "1.dcm", ImplicitVRLittleEndian, tmp_path / "made", None))
    assert isinstance(end, Rejected)
    assert str(end).startswith("defect: ValueError at deid/forward/apart.py:")
