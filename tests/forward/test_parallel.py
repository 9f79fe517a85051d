from __future__ import annotations

import threading
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from deid.errors import DeidError
from deid.forward import parallel
from deid.forward.parallel import Sendings, send_all
from deid.forward.scu import need_of
from deid.network.negotiation import CALLED_NOT_RECOGNIZED, LIMIT_EXCEEDED
from deid.part10.source import open_stored

from .conftest import SECONDARY_CAPTURE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.network.association import Association

    from .conftest import Archive


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def paths(write: Callable[..., Path]) -> list[Path]:
    return [write(f"{at}.dcm", RLELossless if at % 2 else ExplicitVRLittleEndian) for at in range(12)]


def test_several_associations_share_the_work(archive: Archive, paths: list[Path]) -> None:
    together = threading.Barrier(3, timeout=10)

    def wait(_: Association, number: int) -> None:
        if number <= 3:  # only if three objects are on their way at a time
            together.wait()

    archive.before = wait
    seen: list[tuple[int, int]] = []
    sendings = send_all(archive.destination, paths, 3, lambda done, total: seen.append((done, total)))
    assert (sendings.sent, sendings.reasons) == (12, {})
    assert archive.most_at_once == len(archive.requests) == 3
    assert len({instance for instance, _, _ in archive.stored}) == 12
    assert seen == [(done, 12) for done in range(1, 13)]
    assert sendings.bytes == sum(len(content) for _, _, content in archive.stored)


def test_everything_is_accounted_for(archive: Archive, paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no object")
    archive.takes = lambda syntax: syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    archive.says = lambda number: {2: 0xB000, 3: 0xC000, 4: 0xA700}.get(number, 0)
    sendings = send_all(archive.destination, [*paths, tmp_path / "notes.txt"], 1)
    assert (sendings.sent, sendings.warnings, sendings.failed, sendings.waiting) == (10, 1, 2, 1)
    assert sendings.converted == 6
    assert set(sendings.reasons.values()) == {1}
    assert len(sendings.reasons) == 4


def test_an_association_that_is_refused_leaves_its_work_to_the_others(
    archive: Archive, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_PAUSES", (0.1, 0.1, 0.1))
    archive.refuses = lambda _: LIMIT_EXCEEDED if archive.at_once else None
    sendings = send_all(archive.destination, paths, 4)
    assert (sendings.sent, sendings.waiting) == (12, 0)


def test_a_destination_that_stays_away_is_given_up(archive: Archive, paths: list[Path]) -> None:
    sendings = send_all(replace(archive.destination, port=1), paths, 2)
    assert (sendings.sent, sendings.waiting) == (0, 12)
    ((reason, count),) = sendings.reasons.items()
    assert "cannot be reached" in reason
    assert count == 12
    archive.refuses = lambda _: CALLED_NOT_RECOGNIZED
    assert send_all(archive.destination, paths, 1).waiting == 12
    assert len(archive.requests) == 1


def test_an_association_that_ends_now_and_then_is_made_anew(archive: Archive, paths: list[Path]) -> None:
    def abort(association: Association, number: int) -> None:
        if number % 4 == 0:
            association.abort()

    archive.before = abort
    assert send_all(archive.destination, paths, 1).sent == 12
    assert len({instance for instance, _, _ in archive.stored}) == 12


@pytest.mark.parametrize("associations", [1, 3])
def test_an_object_at_which_associations_end_keeps_no_others_here(
    archive: Archive, paths: list[Path], associations: int
) -> None:
    bad = dcmread(paths[0]).SOPInstanceUID

    def abort(association: Association, _: int) -> None:
        if archive.last == bad:
            association.abort()

    archive.before = abort
    sendings = send_all(archive.destination, paths, associations)
    assert (sendings.sent, sendings.waiting) == (11, 1)
    assert ["this object" in reason for reason in sendings.reasons] == [True]


def test_a_destination_at_which_every_association_ends_is_given_up(archive: Archive, paths: list[Path]) -> None:
    archive.before = lambda association, _: association.abort()
    assert send_all(archive.destination, paths, 1).waiting == 12
    assert len(archive.requests) < 20


def test_nothing_to_send_is_nothing_sent(archive: Archive) -> None:
    assert send_all(archive.destination, [], 4) == Sendings()
    assert archive.requests == []


def test_a_dicomdir_is_not_sent(archive: Archive, write: Callable[..., Path]) -> None:
    path = write("DICOMDIR")
    path.write_bytes(
        path.read_bytes().replace(SECONDARY_CAPTURE.encode() + b"\0", b"1.2.840.10008.1.3.10".ljust(26, b"\0"), 1)
    )
    sendings = send_all(archive.destination, [path, write("1.dcm")], 2)
    assert (sendings.sent, sendings.dicomdir, sendings.failed) == (1, 1, 0)


def test_every_object_of_the_corpus_arrives_as_it_is_encoded(archive: Archive, corpus: Path) -> None:
    sendings = send_all(archive.destination, sorted(corpus.rglob("*.dcm")), 2)
    assert sendings.sent == len(archive.stored)
    assert (sendings.converted, sendings.waiting) == (0, 0)
    sent = sorted((syntax, content) for _, syntax, content in archive.stored)
    expected: list[tuple[str, bytes]] = []
    for path in corpus.rglob("*.dcm"):
        with suppress(DeidError):
            if need_of(path):
                with closing(open_stored(path)) as source:
                    expected.append((source.transfer_syntax, source.read(source.start, source.size)))
    assert sent == sorted(expected)
    assert len(sent) > 200
    assert len({syntax for syntax, _ in sent}) >= 15
