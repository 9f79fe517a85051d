"""A codec that crashes or hangs while an object is converted for its destination: one delivery fails, and no other."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from deid.part10.encoding import IMPLICIT_SYNTAX

from .site import PATIENCE, SERVE, Archive, Site, eventually, workers

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE, ABORTS, HANGS = 64, 65, 66  # rows of an image, and what its codec does then

# Python runs a module of this name when it starts: in the gateway, and in each process that it makes.
INJECTED = """
import ctypes, os, pathlib
from deid import scale
from deid.pixels import frames

scale._SECONDS = {seconds}
decode = frames.decode

def faulty(content, image, syntax):
    if image.rows == 65:
        os.abort()
    if image.rows == 66:
        pathlib.Path({hanging!r}).touch()
        ctypes.PyDLL(None).sleep(600)  # in native code, and no other thread runs meanwhile
    return decode(content, image, syntax)

frames.decode = faulty
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """The environment of a gateway with such codecs, which have so many seconds; "hanging" is there once one hangs."""

    def faulty(seconds: int) -> dict[str, str]:
        (tmp_path / "injected").mkdir()
        injected = INJECTED.format(seconds=seconds, hanging=str(tmp_path / "hanging"))
        (tmp_path / "injected" / "sitecustomize.py").write_text(injected)
        return {**os.environ, "PYTHONPATH": str(tmp_path / "injected")}

    return faulty


@pytest.fixture
def compressed(tmp_path: Path, ct: Callable[..., bytes]) -> Callable[[int, int], Path]:
    """A CT image in RLE Lossless, with so many rows."""

    def compressed(number: int, rows: int) -> Path:
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(ct(number))
        image = dcmread(path)
        image.Rows = rows
        image.PixelData = np.arange(rows * image.Columns, dtype="<u2").tobytes()
        image.compress(RLELossless, generate_instance_uid=False)
        image.save_as(path)
        return path

    return compressed


def is_there(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_one_delivery_fails_and_the_next_object_goes(
    site: Site, archive: Archive, compressed: Callable[..., Path], faulty: Callable[..., dict[str, str]]
) -> None:
    archive.takes = {IMPLICIT_SYNTAX}
    state = ("--state", site.folder / "state")
    rows = (WHOLE, ABORTS, HANGS, WHOLE)
    with site.serving(env=faulty(3)) as process:
        site.send([compressed(number, each) for number, each in enumerate(rows)])
        eventually(lambda: len(archive.objects) == rows.count(WHOLE))
        eventually(lambda: len(site.said("delivery failed")) == 2)
        site.send([compressed(9, WHOLE)])
        eventually(lambda: len(archive.objects) == rows.count(WHOLE) + 1)
        failed = json.loads(site.deid("queue", "list", "--json", *state))["undeliverable"]
        assert "the process that worked on this object died" in failed[0]["reason"]
        assert "took too long" in failed[1]["reason"]
        children = workers(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        eventually(lambda: not any(map(is_there, children)))
    assert list((site.folder / "state" / "work").iterdir()) == []
    with site.serving():  # with codecs that are whole
        site.deid("queue", "retry", *(str(each["ticket"]) for each in failed), *state)
        eventually(lambda: len(archive.objects) == len(rows) + 1)
        eventually(lambda: site.left() == 0)


def test_what_hangs_does_not_keep_the_gateway_from_ending_and_is_not_to_blame(
    site: Site, archive: Archive, compressed: Callable[..., Path], faulty: Callable[..., dict[str, str]]
) -> None:
    archive.takes = {IMPLICIT_SYNTAX}
    sooner = "from deid.gateway import service; service._SECONDS_TO_FINISH = 3.0; from deid.cli import main; main()"
    with site.serving((sys.executable, "-c", sooner, "serve"), env=faulty(600)) as process:
        site.send([compressed(1, HANGS)])
        eventually((site.folder / "hanging").exists)
        children = workers(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        eventually(lambda: not any(map(is_there, children)))
    assert len(children) >= 2
    assert site.said("delivery failed") == []
    with site.serving(SERVE):
        eventually(lambda: len(archive.objects) == 1)
        eventually(lambda: site.left() == 0)
