"""What a destination may say or do: nothing is lost, and nothing that it has taken is sent again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from threading import Event, Lock
from typing import TYPE_CHECKING

import pytest

from deid.network import dimse, status
from deid.network.context_words import named
from deid.network.contexts import LOSSLESS
from deid.network.status import Kind, judge

from .site import PATIENCE, Archive, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.network.association import Association, Message

NOBODY_WRITES = "1.2.840.10008.1.2.4.50"  # a syntax with loss
WARNINGS = (0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0xB00F)
REFUSALS = (0x0105, 0x0111, 0x0115, 0x0117, 0x0122, 0x0124, 0x0211, 0x0212, 0xA900, 0xA9FF, 0xC000, 0xCFFF, 0xFE00)
LATER = (0xA700, 0xA7FF, 0x0110, 0x0213)


class Moody(Archive):
    """Answers the first object that comes with each of these, and all others with success; or does as it likes."""

    def __init__(self, answers: tuple[int, ...] = ()) -> None:
        self.left = list(answers)
        self.ends = 0  # how many associations it still aborts in the middle of an object
        self.cannot_take = ""  # an instance at which it aborts; "the first" is the one that comes first
        super().__init__()

    def take(self, association: Association, message: Message) -> None:
        if self.cannot_take == "the first":
            self.cannot_take = message.text(dimse.AFFECTED_SOP_INSTANCE)
        if self.ends or message.text(dimse.AFFECTED_SOP_INSTANCE) == self.cannot_take:
            self.ends -= bool(self.ends)
            next(message.chunks(), None)
            association.abort()
            return
        uid = message.text(dimse.AFFECTED_SOP_INSTANCE)
        for _ in message.chunks():
            pass
        answer = self.left.pop() if self.left else status.SUCCESS
        if judge(answer).is_stored:
            self.came.append(uid)
        association.send(message.context.id, message.response(answer))


class Slow(Archive):
    """Has objects in its hands until it is told to answer."""

    def __init__(self) -> None:
        self.answers = Event()
        self.at_once = self.most = 0
        self._count = Lock()
        super().__init__()

    def take(self, association: Association, message: Message) -> None:
        with self._count:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.answers.wait(PATIENCE)
        with self._count:
            self.at_once -= 1
        super().take(association, message)


@pytest.fixture
def many(tmp_path: Path, ct: Callable[..., bytes]) -> list[Path]:
    paths = []
    for number in range(len(REFUSALS)):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(ct(number))
    return paths


def undeliverable(site: Site) -> list[dict[str, object]]:
    listed = json.loads(site.deid("queue", "list", "--json", "--state", site.folder / "state"))
    failed: list[dict[str, object]] = listed["undeliverable"]
    return failed


def test_what_it_has_with_a_warning_it_has(tmp_path: Path, many: list[Path]) -> None:
    archive = Moody(WARNINGS)
    site = Site(tmp_path, archive.port)
    with site.serving():
        site.send(many[: len(WARNINGS)])
        eventually(lambda: len(archive.came) == len(WARNINGS))
        eventually(lambda: site.left() == 0)
        assert undeliverable(site) == []
    assert len(set(archive.came)) == len(archive.came)
    archive.close()


def test_what_it_refuses_for_good_waits_for_a_person_one_by_one(tmp_path: Path, many: list[Path]) -> None:
    assert {judge(code).kind for code in REFUSALS} == {Kind.PERMANENT}
    archive = Moody(REFUSALS)
    site = Site(tmp_path, archive.port)
    with site.serving():
        site.send(many)
        eventually(lambda: archive.left == [])
        eventually(lambda: len(undeliverable(site)) == len(REFUSALS))
        assert site.left() == 2 * len(REFUSALS)  # originals and what was made of them
        tickets = (str(each["ticket"]) for each in undeliverable(site))
        site.deid("queue", "retry", *tickets, "--state", site.folder / "state")
        eventually(lambda: len(archive.came) == len(REFUSALS))
        eventually(lambda: site.left() == 0)
    archive.close()


def test_what_it_puts_off_or_breaks_off_comes_again(tmp_path: Path, many: list[Path]) -> None:
    assert {judge(code).kind for code in LATER} == {Kind.TRANSIENT}
    archive = Moody(LATER[:1])
    archive.ends = 2
    site = Site(tmp_path, archive.port)
    with site.serving():
        site.send(many[:4])
        eventually(lambda: len(archive.came) == 4)
        eventually(lambda: site.left() == 0)
        assert undeliverable(site) == []
    assert len(set(archive.came)) == 4
    archive.close()


def test_an_object_at_which_it_always_breaks_off_keeps_no_others_here_and_waits_for_a_person(
    tmp_path: Path, many: list[Path]
) -> None:
    archive = Moody()
    archive.cannot_take = "the first"
    site = Site(tmp_path, archive.port)
    with site.serving():
        site.send(many[:8])
        eventually(lambda: len(archive.came) == 7)
        eventually(lambda: site.left() == 2)
        assert undeliverable(site) == []
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as ledger, ledger:  # days later
        ledger.execute("UPDATE deliveries SET due = 0, attempts = 0")
        ledger.execute("DELETE FROM declined")
        ledger.execute(
            "INSERT INTO declined (ticket, destination, times, since)"
            " SELECT ticket, destination, 19, 0 FROM deliveries WHERE state = 'waiting'"
        )
    with site.serving():
        site.send(many[8:9])
        eventually(lambda: len(archive.came) == 8)
        eventually(lambda: bool(undeliverable(site)))
        (failed,) = undeliverable(site)
        assert "ended while it was sent this object" in str(failed["reason"])
        assert "see the log of the destination" in str(failed["reason"])
        archive.cannot_take = ""
        site.deid("queue", "retry", str(failed["ticket"]), "--state", site.folder / "state")
        eventually(lambda: len(archive.came) == 9)
    archive.close()


def test_what_it_accepts_nothing_for_is_named_in_the_log_and_by_the_queue(tmp_path: Path, many: list[Path]) -> None:
    archive = Archive()
    archive.takes = {NOBODY_WRITES}
    site = Site(tmp_path, archive.port)
    with site.serving():
        site.send(many[:1])
        eventually(lambda: bool(undeliverable(site)))
    archive.close()
    (failed,) = undeliverable(site)
    why = "CT Image Storage, neither in Explicit VR Little Endian nor otherwise without loss"
    assert str(failed["reason"]).endswith(why)
    (line,) = site.said("delivery failed")
    assert str(line["reason"]).endswith(why)
    assert why in " ".join(site.deid("queue", "show", str(failed["ticket"]), "--state", tmp_path / "state").split())
    (made,) = site.said("association made")
    assert (made["destination"], made["address"], made["certificate"]) == ("archive", "127.0.0.1", "none")
    assert (made["proposed"], made["accepted"]) == (5, [])
    syntaxes = ("Explicit VR Little Endian", "Implicit VR Little Endian", *map(named, LOSSLESS))
    assert made["refused"] == {
        "none of the transfer syntaxes is supported": [["CT Image Storage", syntax] for syntax in syntaxes]
    }


@pytest.mark.parametrize("associations", [1, 3])
def test_it_gets_objects_over_as_many_associations_as_the_settings_say(
    tmp_path: Path, many: list[Path], associations: int
) -> None:
    """One object at a time comes, so that none of them can take all."""
    archive = Slow()
    site = Site(tmp_path, archive.port)
    named = json.loads(site.settings.read_text())["destinations"][0]
    site.change(destinations=[named | {"associations": associations}])
    with site.serving():
        for number, path in enumerate(many[:associations], 1):
            site.send([path])
            eventually(lambda number=number: archive.at_once == number, f"{number} at once")  # type: ignore[misc]
        site.send(many[associations:5])
        eventually(lambda: 'deid_tickets{route="research",state="released"} 5.0' in site.ask("/metrics")[1])
        archive.answers.set()
        eventually(lambda: len(archive.came) == 5)
    archive.close()
    assert archive.most == associations
    assert len(set(archive.came)) == 5
