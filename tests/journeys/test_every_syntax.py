"""Every transfer syntax of the real files goes through the gateway as it is, or as a peer takes it that refuses it."""

from __future__ import annotations

import json
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RLELossless

from deid.attributes.keys import derive
from deid.attributes.uids import replace
from deid.forward.scu import Sender, need_of
from deid.network.contexts import is_storage
from deid.part10.encoding import IMPLICIT_SYNTAX
from deid.part10.source import open_stored
from deid.pixels.codecs import quiet
from deid.pixels.enclosed import DEFLATED

from .site import Archive, Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset

EACH = 4  # files of a transfer syntax
MOST = 8 << 20  # bytes of one


@pytest.fixture(scope="session")
def by_syntax(corpus: Path) -> dict[str, list[Path]]:
    """The smallest files of each transfer syntax, those first that can be decoded here; each is another object."""
    found: dict[str, list[tuple[bool, int, Path]]] = {}
    known: set[str] = set()
    for path in sorted(path for path in corpus.rglob("*.dcm") if path.stat().st_size < MOST):
        try:
            need = need_of(path)
            with quiet():
                uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        except Exception:  # noqa: BLE001, S112 - what is no object is for other tests
            continue
        if need is not None and is_storage(need.sop_class) and uid not in known:
            known.add(uid)
            found.setdefault(need.transfer_syntax, []).append((not is_decoded(path), path.stat().st_size, path))
    return {syntax: _of_many_folders(sorted(files)) for syntax, files in found.items()}


def _of_many_folders(files: list[tuple[bool, int, Path]]) -> list[Path]:
    """Files of a folder are alike."""
    first = {path.parent: path for _, _, path in reversed(files)}
    return [path for _, _, path in files if first[path.parent] is path][:EACH]


def is_decoded(path: Path) -> bool:
    try:
        with quiet():
            pixel_array(dcmread(path), raw=True)
    except Exception:  # noqa: BLE001 - for whatever reason
        return False
    return True


def read(content: bytes) -> Dataset:
    with quiet():
        return dcmread(BytesIO(content))


def went_through(site: Site, archive: Archive, paths: list[Path]) -> dict[Path, Dataset]:
    """What arrived of each that was taken; what is held has a reason that is known."""
    taken = {}
    needs = {need for path in paths if (need := need_of(path))}
    with site.serving():
        with Sender(site.destination, needs) as sender:
            for path in paths:
                with closing(open_stored(path)) as source:
                    syntax = source.transfer_syntax
                assert sender.send(path).transfer_syntax == syntax
                taken[path] = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        eventually(lambda: 'state="received"} 0.0' in site.ask("/metrics")[1])
        eventually(lambda: 'state="waiting"} 0.0' in site.ask("/metrics")[1])
        kept_back = json.loads(site.deid("queue", "list", "--json", "--state", site.folder / "state"))
    uids = derive(bytes.fromhex((site.folder / "state" / "key").read_text())).uids
    new = {path: replace(uids, uid) for path, uid in taken.items()}
    arrived = {path: read(archive.objects[uid]) for path, uid in new.items() if uid in archive.objects}
    assert len(arrived) + sum(map(len, kept_back.values())) == len(paths)
    return arrived


def test_what_comes_in_a_transfer_syntax_goes_out_in_it(
    site: Site, archive: Archive, by_syntax: dict[str, list[Path]]
) -> None:
    arrived = went_through(site, archive, [path for paths in by_syntax.values() for path in paths])
    for path, made in arrived.items():
        with quiet():
            original = dcmread(path)
        assert made.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert made.get("PixelData") == original.get("PixelData"), path
    gone = {str(made.file_meta.TransferSyntaxUID) for made in arrived.values()}
    assert gone == by_syntax.keys()


def test_a_peer_that_takes_implicit_vr_alone_gets_the_same_pixels(
    site: Site, archive: Archive, by_syntax: dict[str, list[Path]]
) -> None:
    archive.takes = {IMPLICIT_SYNTAX}
    arrived = went_through(site, archive, [path for paths in by_syntax.values() for path in paths])
    decoded = set()
    for path, made in arrived.items():
        assert made.file_meta.TransferSyntaxUID == IMPLICIT_SYNTAX
        if not is_decoded(path):
            continue
        with quiet():
            original = dcmread(path)
            assert np.array_equal(pixel_array(original, raw=True), pixel_array(made, raw=True)), path
        decoded.add(str(original.file_meta.TransferSyntaxUID))
    assert decoded == {syntax for syntax, paths in by_syntax.items() if any(map(is_decoded, paths))}
    assert len(decoded) >= 12


def test_a_peer_that_takes_rle_alone_gets_the_same_pixels(
    site: Site, archive: Archive, by_syntax: dict[str, list[Path]]
) -> None:
    archive.takes = {RLELossless}
    arrived = went_through(site, archive, [path for paths in by_syntax.values() for path in paths])
    decoded = set()
    for path, made in arrived.items():
        assert made.file_meta.TransferSyntaxUID == RLELossless
        with quiet():
            original = dcmread(path)
            assert original.SOPClassUID == made.SOPClassUID
            if not is_decoded(path):
                continue
            assert np.array_equal(pixel_array(original, raw=True), pixel_array(made, raw=True)), path
        decoded.add(str(original.file_meta.TransferSyntaxUID))
    could = {syntax for syntax, paths in by_syntax.items() if any(map(is_decoded, paths))}
    assert could - decoded <= {IMPLICIT_SYNTAX, DEFLATED}  # no VRs; its files are of one bit
    assert len(decoded) >= 12
