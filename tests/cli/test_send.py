from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deid.cli.destination import destination_of
from deid.errors import BadProfile
from deid.forward import parallel, scu
from deid.forward.parallel import Sendings
from deid.network.negotiation import CALLING_NOT_RECOGNIZED, Refused
from deid.network.status import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.forward.scu import Destination


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was to be sent, and where to; "sendings" is what it gives back."""
    asked: dict[str, Any] = {"sendings": Sendings(sent=3)}

    def send_all(
        destination: Destination, paths: list[Path], associations: int, progress: object, _converted: object
    ) -> Sendings:
        asked.update(destination=destination, paths=paths, associations=associations, progress=progress)
        sendings = asked["sendings"]
        assert isinstance(sendings, Sendings)
        return sendings

    monkeypatch.setattr(parallel, "send_all", send_all)
    return asked


def test_all_files_below_the_paths_are_sent(deid: Callable[..., Any], asked: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    files = [tmp_path / "a/2.dcm", tmp_path / "a/b/1.dcm", tmp_path / "3.dcm"]
    for file in files:
        file.touch()
    said = deid("send", tmp_path / "a", files[2], "PACS@[::1]:104", "--calling", "US", "--associations", 3)
    assert said.code == 0
    assert said.err == "deid: the files are sent as they are: nothing is de-identified\n"
    assert (asked["paths"], asked["associations"]) == (files, 3)
    destination = asked["destination"]
    assert (destination.ae_title, destination.host, destination.port) == ("PACS", "::1", 104)
    assert (destination.calling, destination.tls) == ("US", None)


def test_what_was_not_sent_is_told_with_its_reasons(
    deid: Callable[..., Any], asked: dict[str, Any], tmp_path: Path
) -> None:
    reasons = {"the destination refuses the object: cannot understand (C000)": 2, "the destination is away": 1}
    asked["sendings"] = Sendings(5, 1, 2, 1, 4, 1000, 0, reasons)
    said = deid("send", tmp_path, "PACS@host:104")
    assert said.code == 3
    assert [line.split() for line in said.out.splitlines()[:6]] == [
        ["found", "8"],
        ["sent", "5"],
        ["converted", "4"],
        ["with", "a", "warning", "1"],
        ["failed", "2"],
        ["not", "sent", "1"],
    ]
    assert said.out.index("cannot understand") < said.out.index("is away")
    assert "run the same command again" in said.out
    said = deid("send", tmp_path, "PACS@host:104", "--json")
    assert json.loads(said.out.splitlines()[-1]) == {
        "sent": 5, "warnings": 1, "failed": 2, "waiting": 1, "converted": 4, "bytes": 1000, "dicomdir": 0,
        "reasons": reasons,
    }  # fmt: skip


def test_a_dicomdir_is_told_apart(deid: Callable[..., Any], asked: dict[str, Any], tmp_path: Path) -> None:
    asked["sendings"] = Sendings(sent=1, dicomdir=2)
    said = deid("send", tmp_path, "PACS@host:104")
    assert said.code == 0
    assert "Not counted: 2 DICOMDIR" in said.out


def test_nothing_is_sent_to_a_peer_that_is_not_named(
    deid: Callable[..., Any], asked: dict[str, Any], tmp_path: Path
) -> None:
    for name in (
        "host:104",
        "A@host",
        "A@host:0",
        "A@host:70000",
        "A@:1",
        "THIS IS TOO LONG A@h:1",
        "A\\B@h:1",
        "A@::1:5",
    ):
        said = deid("send", tmp_path, name)
        assert said.code == 2
        assert "AE@HOST:PORT" in said.err
    assert deid("send", tmp_path / "absent", "A@host:1").code == 2
    assert deid("send", tmp_path, "A@host:1", "--calling", "A\\B").code == 2
    assert "destination" not in asked


@pytest.mark.parametrize("words", ["certificate", "key", "certificate key", "password", "authorities password"])
def test_what_tls_needs_is_asked_for_together(tmp_path: Path, words: str) -> None:
    given = {name: tmp_path / name if name in words else None for name in ("authorities", "certificate", "key")}
    with pytest.raises(BadProfile, match="go together"):
        destination_of("A@b:1", "C", **given, password=tmp_path if "password" in words else None)


def test_echo_tells_what_the_peer_says(deid: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scu, "echo", lambda _: judge(0))
    said = deid("echo", "PACS@host:104")
    assert (said.code, said.out) == (0, "PACS@host:104 answers: success (0000)\n")
    monkeypatch.setattr(scu, "echo", lambda _: judge(0x0122))
    assert deid("echo", "PACS@host:104").code == 3


def test_echo_tells_why_there_is_no_association(deid: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Destination) -> None:
        raise Refused(CALLING_NOT_RECOGNIZED)

    monkeypatch.setattr(scu, "echo", refuse)
    said = deid("echo", "PACS@host:104")
    assert said.code == 1
    assert "the association was refused permanently: the calling AE title is not recognized" in said.err
    said = deid("echo", "PACS@127.0.0.1:1")
    assert said.code == 1
