"""One folder with everything that can be wrong: each file is held or unreadable with its reason, the good ones pass."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.store.queue import Queue
from deid.store.vault import Vault

from .conftest import HEADER_ONLY, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = b"Quillfeather^Zebulon"
CT_CLASS = b"1.2.840.10008.5.1.4.1.1.2\0"
EXPLICIT, IMPLICIT, BIG, DEFLATED = (b"1.2.840.10008.1.2" + end for end in (b".1\0", b"\0", b".2\0", b".1.99"))
LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT"}
MEMORY = 150 << 20
MEASURE = [  # from a small process, because a child's peak begins with what its parent had
    sys.executable,
    "-c",
    "import resource as r, subprocess, sys; code = subprocess.call(sys.argv[1:]);"  # noqa: ISC004 - one argument
    "print(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)",
]


def element(tag: int, vr: bytes, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    value += b"\0" * (len(value) % 2)
    stated = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr
    return head + struct.pack(order + ("HI" if vr in LONG else "H"), *([0] if vr in LONG else []), stated) + value


def file(data_set: bytes, syntax: bytes = EXPLICIT) -> bytes:
    meta = element(0x00020002, b"UI", CT_CLASS) + element(0x00020010, b"UI", syntax)
    return b"\0" * 128 + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + data_set


def head(uid: bytes = b"1.2.3.4", patient: bytes = b"MRN-77193", order: str = "<") -> bytes:
    return b"".join(
        element(tag, vr, value, order=order)
        for tag, vr, value in (
            (0x00080016, b"UI", CT_CLASS),
            (0x00080018, b"UI", uid),
            (0x00100010, b"PN", NAME),
            (0x00100020, b"LO", patient),
            (0x0020000D, b"UI", b"1.2.3"),
            (0x0020000E, b"UI", b"1.2.3.1"),
        )
    )


def nested(levels: int) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    inside = element(0x00080096, b"SQ", b"", 0xFFFFFFFF) + item
    after = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return inside * levels + after * levels


def deflated_bomb() -> bytes:
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = [stream.compress(head() + element(0x00420011, b"OB", b"", 850 << 20))]
    packed += [stream.compress(bytes(1 << 20)) for _ in range(850)]
    return file(b"".join([*packed, stream.flush()]), DEFLATED)


def pixels(rows: int, columns: int, frames: bytes) -> bytes:
    return (
        element(0x00280002, b"US", struct.pack("<H", 1))
        + element(0x00280008, b"IS", frames)
        + element(0x00280010, b"US", struct.pack("<H", rows))
        + element(0x00280011, b"US", struct.pack("<H", columns))
        + element(0x00280100, b"US", struct.pack("<H", 16))
    )


BOMB = deflated_bomb()
UNREADABLE = "this is not a DICOM file"
CASES = {
    "empty": (b"", UNREADABLE),
    "text": (b"Dear " + NAME, UNREADABLE),
    "preamble only": (b"\0" * 128 + b"DICM", "the file ends with its File Meta Information"),
    "meta only": (file(b""), "the file ends with its File Meta Information"),
    "no meta": (head(), "no File Meta Information"),
    "no instance uid": (file(head(uid=b"")), "no SOPInstanceUID"),
    "truncated in a header": (file(head()[:-10]), "ends inside an element's header"),
    "truncated in a value": (file(head()[:-4]), "runs past the end of the file"),
    "hybrid byte order": (file(head(order=">")), "byte order"),
    "big endian that is little": (file(head(), BIG), "byte order"),
    "implicit that is explicit": (file(head(), IMPLICIT), "explicit VR"),
    "byte order changes": (file(head() + head(order=">")), ""),
    "private syntax": (file(head(), b"1.2.3.4.5."), "transfer syntax"),
    "length past the end": (file(head() + element(0x00204000, b"LT", NAME, 0xFFF0)), "runs past the end"),
    "4 GB past the end": (file(head() + element(0x7FE00010, b"OW", NAME, 0xFFFFFFFE)), "runs past the end"),
    "item past the end": (
        file(head() + element(0x00081140, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0x7FFFFFFF) + NAME)),
        "",
    ),
    "fragments without end": (
        file(head() + element(0x7FE00010, b"OB", struct.pack("<HHI", 0xFFFE, 0xE000, 0), 0xFFFFFFFF)),
        "no end",
    ),
    "10000 levels": (file(head() + nested(10_000)), "nested deeper than"),
    "inflates to 850 MB": (BOMB, "grows beyond"),
    "damaged deflate": (file(b"\xff" * 500, DEFLATED), "damaged"),
    "cut deflate": (BOMB[:4000], "too early"),
    "uid with slashes": (file(head(uid=b"../../../../tmp/escaped")), "is not a UID"),
    "uid with nul": (file(head(uid=b"1.2.3\x004.5")), "is not a UID"),
    "uid of 4 KB": (file(head(uid=b"1." * 2048)), "is not a UID"),
    "patient id with slashes": (file(head(patient=b"../../../escaped")), "PatientID"),
    "patient id with nul": (file(head(patient=b"MRN\x0077193")), "PatientID"),
    "patient id of 4 KB": (file(head(patient=b"7" * 4096)), "PatientID"),
    "same element twice": (file(head() + element(0x0020000E, b"UI", b"1.2.3.1")), "occurs twice"),
}
ALLOWED = {  # nothing is wrong with what these say about pixels that nobody decodes
    "65535 x 65535 x 1000000 frames": file(
        head(uid=b"1.2.3.9") + pixels(0xFFFF, 0xFFFF, b"1000000 ") + element(0x7FE00010, b"OW", b"\1\2")
    ),
}


@pytest.fixture
def bad(source: Path, ct: Callable[..., bytes]) -> Path:
    for name, (content, _) in CASES.items():
        (source / name).write_bytes(content)
    for name, content in ALLOWED.items():
        (source / name).write_bytes(content)
    for number in range(5):
        (source / f"{'aqz'[number % 3]} good {number}").write_bytes(ct(number))
    Path(os.fsdecode(os.fsencode(source) + b"/not utf-8 \xff\xfe")).write_bytes(ct(6))
    Path(os.fsdecode(os.fsencode(source) + b"/not utf-8 \xff\xfe held")).write_bytes(file(head(uid=b"")))
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
    (source / "dangling").symlink_to(source / "nowhere")
    (source / "circle").symlink_to(source)
    return source


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_ends_with_its_reason_and_the_good_ones_are_released(
    bad: Path, target: Path, tmp_path: Path, jobs: int, tree: Callable[[Path], Any]
) -> None:
    before = tree(bad)
    outside = set(tmp_path.iterdir()) | {target, tmp_path / "state", tmp_path / "said"}
    line = ["run", bad, target, *HEADER_ONLY, "--state", tmp_path / "state", "--jobs", jobs, "--json"]
    with (tmp_path / "said").open("w+b") as output:
        words = [*MEASURE, *PROGRAM, *map(str, line)]
        measured = subprocess.run(words, stdout=output, stderr=subprocess.STDOUT, check=False)
        output.seek(0)
        out, peak = output.readlines()  # no warning and no traceback
    assert measured.returncode == 3
    assert int(peak) << 10 < MEMORY  # of the largest process

    said = json.loads(out)
    assert (said["released"], said["unreadable"], said["duplicate"], said["leaks"]) == (7, 6, 0, 0)
    assert said["held"] == len(CASES) - 2 + 1
    assert said["received"] == said["released"] + said["held"] + said["unreadable"]
    with Vault.open(tmp_path / "state") as vault:
        queue = Queue(vault.connection, vault.keys)
        tickets = [queue.show(number).ticket for number in range(1, said["received"] + 1)]
    reasons = {ticket.source.name: ticket.reason for ticket in tickets}
    assert {name: reasons[name] for name, (_, reason) in CASES.items() if reason not in reasons[name]} == {}
    assert not any("defect" in reason for reason in reasons.values())
    assert len([path for path in target.rglob("*") if path.is_file()]) == 7
    assert set(tmp_path.iterdir()) == outside
    assert tree(bad) == before
    assert not Path("/tmp/escaped").exists()  # noqa: S108 - the place that a planted UID points to

    for planted in (b"Quillfeather", b"Zebulon", b"MRN-77193", b"escaped"):
        for path in (*(tmp_path / "state").rglob("*"), *target.rglob("*")):
            assert planted not in os.fsencode(path.name)
            assert path.is_dir() or planted not in path.read_bytes(), path
        assert planted not in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_an_unreadable_folder_is_one_unreadable_entry(
    source: Path, target: Path, ct: Callable[..., bytes], deid: Callable[..., Any]
) -> None:
    (source / "good").write_bytes(ct(1))
    (source / "closed").mkdir(mode=0)
    assert deid("run", source, target, "--json", code=3).counts == {"released": 1, "unreadable": 1}
    (source / "closed").chmod(0o700)
    assert deid("run", source, target, "--json").counts == {"released": 1}


def test_a_file_whose_name_is_not_utf_8_can_be_shown(source: Path, target: Path, deid: Callable[..., Any]) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\xfe")).write_bytes(file(head(uid=b"")))
    deid("run", source, target, code=3)
    assert "SOPInstanceUID" in deid("queue", "show", 1).out
