"""Planted values are looked for in everything that a gateway says and writes; only originals in the spool hold them."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from deid.network.context_words import NO_UID, NOT_REGISTERED
from deid.network.contexts import VERIFICATION
from deid.network.negotiation import Proposal
from deid.part10.encoding import EXPLICIT_SYNTAX
from deid.part10.source import Limits, open_source
from deid.samples.planted import PLANTED
from tests.ports import free_port

from .site import PATIENCE, Archive, Site, all_in, eventually, workers

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

# What is shorter is found in any file of this size by chance.
CANARIES = [each for each in PLANTED if len(each) > 5 or not each.isascii()]


def spellings(value: str) -> set[bytes]:
    """As text in several encodings, escaped, and as somebody might write down its bytes."""
    plain = {
        value.encode(encoding, "ignore") for encoding in ("utf-8", "latin-1", "iso2022_jp", "shift_jis", "gb18030")
    }
    plain = {each for each in plain if len(each) > 5}
    wide = {value.encode("utf-16-le"), value.encode("utf-16-be")}
    written = {each.hex().encode() for each in plain} | {base64.b64encode(each).rstrip(b"=")[:-1] for each in plain}
    return plain | wide | written | {json.dumps(value)[1:-1].encode(), repr(value)[1:-1].encode()}


NEEDLES = sorted({each.lower() for value in CANARIES for each in spellings(value)})


def found_in(content: bytes) -> list[bytes]:
    content = content.lower()
    return [needle for needle in NEEDLES if needle in content]


def running(process: subprocess.Popen[bytes]) -> Iterable[bytes]:
    """What anybody on the machine sees of its processes."""
    for each in (process.pid, *workers(process.pid)):
        here = Path(f"/proc/{each}")
        yield (here / "cmdline").read_bytes()
        yield (here / "environ").read_bytes()
        yield from (path.read_bytes() for path in here.glob("task/*/comm"))
        yield from (os.fsencode(path.readlink()) for path in here.glob("fd/*") if path.is_symlink())


def test_the_search_finds_what_is_there(files: list[Path]) -> None:
    for path in files:
        with closing(open_source(path, Limits())) as source:
            assert found_in(source.read(source.start, source.size)), path


def test_nothing_identifies_outside_of_the_spool(tmp_path: Path, files: list[Path]) -> None:
    """Objects that go out, wait, are held, refused, cut off and unreadable, and a gateway that is killed over them."""
    site = Site(tmp_path, port := free_port())
    state = site.folder / "state"
    said: list[bytes] = []
    other = tmp_path / "other.dcm"
    content = bytearray(files[0].read_bytes())
    content[-1] ^= 0xFF
    other.write_bytes(content)
    with site.serving() as process:
        site.send([*files, other])
        propose_canaries(site)
        eventually(lambda: bool(site.said("delivery paused")))
        eventually(lambda: 'state="received"} 0.0' in site.ask("/metrics")[1])
        said += [*running(process), *(site.ask(path)[1].encode() for path in ("/metrics", "/readyz", "/healthz", "/x"))]
        files_of = {path for path in all_in(state) if path.is_file()}
        originals = {path for path in files_of if path.parent.parent.name == "spool"}
        assert len(originals) == len(files) + 1
        assert {"ledger.sqlite", "ledger.sqlite-wal", "audit.jsonl", "audit.jsonl.head"} <= {
            path.name for path in files_of
        }
        for path in files_of - originals:
            assert found_in(path.read_bytes()) == [], path.relative_to(state)
        process.kill()
        process.wait(PATIENCE)
    archive = Archive(port)
    with site.serving() as process:
        eventually(lambda: len(archive.objects) == len(files))
        eventually(lambda: site.left() == 1)  # the original that is held
        said.append(site.deid("queue", "list", "--state", state).encode())
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    archive.close()
    for uid, each in archive.objects.items():
        deflated = b"1.2.840.10008.1.2.1.99" in each[:600]
        assert found_in(_inflated(each) if deflated else each) == [], uid
    names = b"\n".join(os.fsencode(path) for path in state.rglob("*"))
    for path in state.rglob("*"):
        if path.is_file() and path.parent.parent.name != "spool":
            assert found_in(path.read_bytes()) == [], path.relative_to(state)
    for each in (*said, names, site.log.read_bytes()):
        assert found_in(each) == []
    proposed = site.said("association accepted")
    assert any(NOT_REGISTERED in str(line["refused"]) and NO_UID in str(line["refused"]) for line in proposed)
    assert any(NOT_REGISTERED in str(line["accepted"]) for line in proposed)
    assert all(line["certificate"] == "none" for line in proposed)
    assert all(line["accepted"] for line in site.said("association made"))


def propose_canaries(site: Site) -> None:
    """Planted values in all that a peer may propose: UIDs that are private, that look registered, and that are none."""
    uids = [each for each in PLANTED if re.fullmatch(r"[0-9.]+", each)]
    looking_registered = [f"1.2.840.10008.5.1.4.1.1.{each}" for each in uids]
    made_up = [*uids, *looking_registered, *filter(str.isascii, PLANTED)]
    for start in range(0, len(made_up), 64):
        some = made_up[start : start + 64]
        proposals = [Proposal(each, (EXPLICIT_SYNTAX, other)) for each, other in zip(some, reversed(some), strict=True)]
        proposals += [Proposal(VERIFICATION, (each,)) for each in some]
        with site.destination.associate(proposals) as association:
            association.release()


def _inflated(file: bytes) -> bytes:
    start = 144 + int.from_bytes(file[140:144], "little")
    return file[:start] + zlib.decompress(file[start:], -zlib.MAX_WBITS)
