"""A batch in small groups: across their borders, and when it stops between any two steps."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid import batch, samples
from deid.attributes import identifiers
from deid.attributes.keys import derive
from deid.errors import Deferred
from deid.forward.folder import IN_THE_WAY, UNPUBLISHED, Folder
from deid.forward.release import ONE_OF_TWO
from deid.profile.plan import load_plan
from deid.samples.patients import GRUENWALD
from deid.store.queue import Queue

if TYPE_CHECKING:
    from deid.model import Summary

INSTANCE = b"2.25.264681962108898903464577784891660788833.1.1.1"
OBJECTS = 7
KEY = bytes(range(32))

Run = Callable[..., "Summary"]


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("samples")
    samples.make(folder)
    return (folder / "CT/IM000001").read_bytes()


@pytest.fixture
def source(tmp_path: Path, sample: bytes) -> Path:
    """Seven objects, the first of them three times, once with another comment in its pixels' place."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(OBJECTS):
        (folder / f"b{number}").write_bytes(sample.replace(INSTANCE, b"2.25.%d.1.1.1" % (10**38 + number)))
    (folder / "c same").write_bytes((folder / "b0").read_bytes())
    at = sample.index(b"\xe0\x7f\x10\0OW\0\0") + 12
    first = (folder / "b0").read_bytes()
    (folder / "d other").write_bytes(first[:at] + bytes([first[at] ^ 1]) + first[at + 1 :])
    return folder


@pytest.fixture
def run(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(batch, "GROUP", 2)

    def call(
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        *,
        stopped: Callable[[Summary], None] = lambda _: None,
        out: str = "out",
        state: str = "state",
        dicomdir: bool = False,
        profile: str = "basic",
    ) -> Summary:
        folders = source, tmp_path / out, tmp_path / state, tmp_path / "key"
        return batch.run(*folders, load_plan(profile), 1, progress, stopped, dicomdir=dicomdir)

    return call


def balance(summary: Summary) -> tuple[int, ...]:
    assert summary.received == summary.released + summary.held + summary.duplicate + summary.waiting
    return summary.released, summary.duplicate, summary.held


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_object_in_other_groups(run: Run, tmp_path: Path) -> None:
    assert balance(run()) == (OBJECTS, 1, 1)
    assert len(tree(tmp_path / "out")) == OBJECTS


def test_two_patients_never_get_one_new_id(run: Run, source: Path, tmp_path: Path, sample: bytes) -> None:
    """With six digits, of 1,200 patients two get the same number more often than not."""
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "short.yaml").write_text("version: 1\nbase: basic\npatient_id: {digits: 6}\n")
    original = GRUENWALD.person["PatientID"].encode()
    seen: dict[str, str] = {}
    for number in range(10**5):
        patient = f"{number:0{len(original)}d}"
        new = identifiers.pseudonym(derive(KEY).identifiers, "patient", patient, "", 6)
        if seen.setdefault(new, patient) != patient:
            break
    for path in source.iterdir():
        path.unlink()
    for name, each, instance in (("a", seen[new], 1), ("b", patient, 2), ("c", seen[new], 3), ("d", patient, 4)):
        uid = b"2.25.%d.1.1.1" % (10**38 + instance)
        (source / name).write_bytes(sample.replace(INSTANCE, uid).replace(original, each.encode()))
        if name == "b":  # two in one group
            assert balance(run(profile=str(tmp_path / "short.yaml"))) == (1, 0, 1)
    summary = run(profile=str(tmp_path / "short.yaml"))
    assert balance(summary) == (2, 0, 2)
    assert summary.reasons == ((ONE_OF_TWO, 2),)
    assert {path.parts[-4] for path in (tmp_path / "out").rglob("*.dcm")} == {new}


def test_progress_is_told_for_each_group(run: Run) -> None:
    told: list[tuple[int, int]] = []
    run(lambda done, total: told.append((done, total)))
    assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]


def test_progress_of_a_resumed_run_begins_where_it_stopped(run: Run) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 4:
            raise Crash

    with pytest.raises(Crash):
        run(stop)
    told: list[int] = []
    run(lambda done, _total: told.append(done))
    assert told == [6, 8, 9]


@pytest.mark.parametrize(
    ("where", "what"),
    [(Queue, "record_ends"), (Folder, "publish"), (Folder, "discard"), (Queue, "enrol"), (Queue, "reopen")],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("time", [1, 3])
def test_a_crash_at_a_step_leaves_only_whole_objects_and_is_made_good(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    what: str,
    after: bool,  # noqa: FBT001 - a column of the table
    time: int,
) -> None:
    assert balance(run(out="undisturbed", state="its state")) == (OBJECTS, 1, 1)
    whole = tree(tmp_path / "undisturbed")
    step, calls = getattr(where, what), 0

    def crashing(*words: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < time:
            return step(*words)
        if after:
            step(*words)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(where, what, crashing)
        patch.setattr(Folder, "close", lambda folder: os.close(folder._descriptor))  # nobody tidies up after a crash
        try:
            run()
        except Crash:
            pass
        else:
            assert calls < time
    visible = {name: content for name, content in tree(tmp_path / "out").items() if not name.startswith(UNPUBLISHED)}
    assert visible.items() <= whole.items()
    assert balance(run()) == (OBJECTS, 1, 1)
    assert tree(tmp_path / "out") == whole


def test_a_full_disk_defers_everything_and_the_next_run_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = os.write, 0

    def filling(descriptor: int, content: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", filling)
        told: list[Summary] = []
        with pytest.raises(Deferred, match="No space left on device"):
            run(stopped=told.append)
    assert [summary.released for summary in told] == [len(tree(tmp_path / "out"))]
    assert told[0].waiting > 0
    balance(told[0])
    assert 0 < len(tree(tmp_path / "out")) < OBJECTS
    assert balance(run()) == (OBJECTS, 1, 1)


def test_how_far_an_interrupted_run_came_is_told(run: Run) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    told: list[Summary] = []
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, stopped=told.append)
    assert [(summary.released, summary.waiting) for summary in told] == [(4, 5)]


def test_what_has_left_both_folders_is_not_in_the_file_set(run: Run, tmp_path: Path, source: Path) -> None:
    assert run().released == OBJECTS
    for path in source.iterdir():
        path.unlink()
    next((tmp_path / "out").rglob("*.dcm")).unlink()
    assert run(dicomdir=True).released == OBJECTS
    assert len(list((tmp_path / "out/MEDIA").rglob("I*"))) == OBJECTS - 1


def test_an_output_folder_that_cannot_be_looked_into_defers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()

    told: list[Summary] = []
    exists = Path.exists

    def closed(path: Path) -> bool:
        if path.suffix == ".dcm":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return exists(path)

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(Deferred, match=r"the output folder cannot be read \(Permission denied\)"):
        run(stopped=told.append)
    assert [summary.released for summary in told] == [OBJECTS]


def test_a_file_that_stands_in_the_way_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    run(out="undisturbed", state="its state")
    name, content = min(tree(tmp_path / "undisturbed").items())
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_bytes(content[:-1])
    summary = run()
    assert IN_THE_WAY in dict(summary.reasons)
    assert (tmp_path / "out" / name).read_bytes() == content[:-1]


def test_a_file_in_the_way_of_a_folder_holds_what_would_go_there_and_nothing_else(
    run: Run, tmp_path: Path, source: Path
) -> None:
    run(out="undisturbed", state="its state")
    patient = next((tmp_path / "undisturbed").iterdir()).name
    (source / "b0").write_bytes((source / "b0").read_bytes().replace(b"SGB-570312-07", b"SGB-570312-08"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / patient).touch()
    assert balance(run()) == (1, 0, OBJECTS + 1)


def test_a_source_that_changes_while_it_is_compared_is_held(run: Run, source: Path) -> None:
    def vanish(done: int, _total: int) -> None:
        if done == 2:
            (source / "b0").unlink()

    summary = run(vanish)
    assert balance(summary) == (OBJECTS, 0, 2)
    assert summary.reasons == (
        ("its SOP Instance UID was released before, and that file cannot be compared any more", 2),
    )


def test_seconds_are_the_only_thing_that_differs_the_second_time(run: Run) -> None:
    assert replace(run(), seconds=0) == replace(run(), seconds=0)


def test_what_another_profile_left_in_the_same_folder_is_counted(run: Run) -> None:
    first = run()
    assert first.beside == 0
    assert run(profile="teleradiology").beside == first.released
