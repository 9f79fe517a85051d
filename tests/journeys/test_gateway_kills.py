"""The gateway and its workers are killed at any moment under load: what was acknowledged arrives, and nothing else.

DEID_KILLS is how often, 500 for a long look.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING

from pydicom import dcmread

from deid.attributes.keys import derive
from deid.attributes.uids import replace
from deid.errors import Deferred

from .site import PATIENCE, Archive, Site, workers

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

KILLS = int(os.environ.get("DEID_KILLS", "8"))


def kill(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """The gateway, or one of its workers."""
    victims = sorted(workers(process.pid)) if chance.random() < 0.5 else []
    with suppress(ProcessLookupError):
        os.kill(chance.choice(victims or [process.pid]), signal.SIGKILL)


def look(site: Site, missing: int) -> None:
    """What lies there while no gateway runs: whole files, and the original of all that has not arrived."""
    state = site.folder / "state"
    originals = list((state / "spool").rglob("*.dcm"))
    assert all(path.stat().st_size == int(path.stem.rpartition("-")[2]) for path in originals)
    assert len(originals) >= missing
    for path in (state / "outbox").rglob("*.dcm"):
        image = dcmread(path)
        assert len(image.PixelData) == image.Rows * image.Columns * 2


def retry_what_is_held(site: Site) -> None:
    """A worker that is killed twice over one object holds it: it may have been its fault."""
    state = ("--state", site.folder / "state")
    held = json.loads(site.deid("queue", "list", "--json", *state))["held"]
    assert all("died" in each["reason"] for each in held)
    if held:
        site.deid("queue", "retry", *(str(each["ticket"]) for each in held), *state)


def test_what_is_acknowledged_arrives(site: Site, archive: Archive, tmp_path: Path, ct: Callable[..., bytes]) -> None:
    chance = random.Random(KILLS)  # noqa: S311 - no secret
    attempted: list[str] = []
    acknowledged: set[str] = set()
    path = tmp_path / "object.dcm"
    new: dict[str, str] = {}

    def send_one() -> None:
        number = len(attempted)
        path.write_bytes(ct(number))
        attempted.append(f"2.25.{10**38 + number}.1.1.1")
        site.send([path])
        acknowledged.add(attempted[-1])

    kills = 0
    while kills < KILLS:
        with site.serving() as process:
            while process.poll() is None and kills < KILLS:
                timer = Timer(chance.uniform(0.02, 0.6), kill, (process, chance))
                timer.start()
                with suppress(Deferred):
                    while timer.is_alive():
                        send_one()
                timer.join()
                kills += 1
                with suppress(Deferred):
                    send_one()
            process.kill()
            process.wait(PATIENCE)
            key = bytes.fromhex((site.folder / "state" / "key").read_text())
            new |= {uid: replace(derive(key).uids, uid) for uid in attempted if uid not in new}
            look(site, sum(new[uid] not in archive.objects for uid in acknowledged))
    with site.serving():
        by = time.monotonic() + PATIENCE + KILLS
        while missing := {uid for uid in acknowledged if new[uid] not in archive.objects}:
            assert time.monotonic() < by, f"{len(missing)} of {len(acknowledged)} have not arrived"
            retry_what_is_held(site)
            time.sleep(0.5)
        while site.left():
            assert time.monotonic() < by, "originals stay, although all has arrived"
            retry_what_is_held(site)
            time.sleep(0.5)
    assert archive.objects.keys() <= set(new.values())
    assert archive.changed == set()
    assert len(acknowledged) > KILLS
    assert "whole" in site.deid("audit", "verify", "--state", site.folder / "state")
    # Python itself says so where the parent of a worker that starts is killed; nothing else is no line of JSON.
    others = [line for line in site.log.read_text().splitlines() if not line.startswith("{")]
    assert not any("/deid/" in line for line in others)
