"""Sending to programs of others: dcmtk's storescp and Orthanc, where they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from deid.errors import DeidError
from deid.forward.fall_back import convert
from deid.forward.parallel import send_all
from deid.forward.scu import Destination, Sender, Unreachable, echo, need_of
from deid.network.contexts import LOSSLESS, is_storage
from deid.network.pdu import Ended, Limits
from deid.network.tls import LiveContext
from deid.part10.identity import identity_in
from deid.part10.source import open_stored
from deid.pixels.codecs import quiet
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.conftest import Pki, Programs

dcmtk = pytest.mark.skipif(shutil.which("storescp") is None, reason="dcmtk is not installed")
orthanc = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
LIMITS = Limits(setup=20.0, idle=20.0, stall=20.0)
IMPLICIT = "1.2.840.10008.1.2"
UNKNOWN_TO_DCMTK = (
    ".4.53",
    ".4.55",
    ".4.57",
    ".4.201",
    ".4.202",
    ".4.203",
    ".8.1",
)  # transfer syntaxes retired or too new


@dataclass(frozen=True)
class Storescp:
    destination: Destination
    folder: Path

    def stored(self) -> dict[str, tuple[str, bytes]]:
        """Transfer syntax and data set by SOP Instance UID."""
        return {instance: (syntax, content) for instance, syntax, content in map(read, self.folder.iterdir())}


def read(path: Path) -> tuple[str, str, bytes]:
    with closing(open_stored(path)) as source:
        content = source.read(source.start, source.size)
        return identity_in(content, source.transfer_syntax).instance, source.transfer_syntax, content


@pytest.fixture
def storescp(tmp_path: Path, programs: Programs) -> Callable[..., Storescp]:
    """dcmtk's storescp, or another one of its receivers, with these options, which keeps data sets to the bit."""

    def start(*options: str, program: str = "storescp") -> Storescp:
        port, folder = free_port(), tmp_path / "stored"
        folder.mkdir()
        programs.start([program, "--bit-preserving", "-od", str(folder), *options, str(port)], port)
        return Storescp(Destination("STORESCP", "localhost", port, "DEID", limits=LIMITS), folder)

    return start


@pytest.fixture(scope="module")
def sample(corpus: Path) -> list[Path]:
    """Up to three of the smallest files of the corpus for each transfer syntax, each another standard object."""
    found: dict[str, list[Path]] = {}
    seen: set[str] = set()
    for path in sorted(corpus.rglob("*.dcm"), key=lambda path: path.stat().st_size):
        with suppress(DeidError):
            need = need_of(path)
            instance, syntax, content = read(path)
            if need is None or not is_storage(need.sop_class) or len(content) % 2:
                continue
            if instance not in seen and len(found.setdefault(syntax, [])) < 3:
                found[syntax].append(path)
                seen.add(instance)
    assert len(found) >= 15
    return [path for paths in found.values() for path in paths]


@dcmtk
def test_every_transfer_syntax_arrives_to_the_bit(storescp: Callable[..., Storescp], sample: list[Path]) -> None:
    peer = storescp("--accept-all")
    assert echo(peer.destination).is_stored
    known = [path for path in sample if not read(path)[1].endswith(UNKNOWN_TO_DCMTK)]
    sendings = send_all(peer.destination, known, 2)
    assert (sendings.reasons, sendings.sent, sendings.converted) == ({}, len(known), 0)
    assert peer.stored() == {instance: (syntax, content) for instance, syntax, content in map(read, known)}
    assert len({read(path)[1] for path in known}) >= 12


def as_converted(sample: list[Path], into: str) -> tuple[dict[str, tuple[str, bytes]], dict[str, Path]]:
    """What should arrive of those that can be had in one transfer syntax, and the files of which it was converted."""
    expected: dict[str, tuple[str, bytes]] = {}
    originals: dict[str, Path] = {}
    for path in sample:
        instance, syntax, content = read(path)
        if syntax != into:
            try:
                with closing(convert(path, into)) as source:
                    content = source.read(0, source.size)
            except DeidError:
                continue
            originals[instance] = path
        expected[instance] = (into, content)
    return expected, originals


@dcmtk
def test_a_peer_that_takes_implicit_vr_alone_gets_all_that_can_be_converted(
    storescp: Callable[..., Storescp], sample: list[Path]
) -> None:
    peer = storescp("--implicit")
    sendings = send_all(peer.destination, sample, 2)
    expected, _ = as_converted(sample, IMPLICIT)
    assert peer.stored() == expected
    assert (sendings.sent, sendings.failed) == (len(expected), len(sample) - len(expected))
    assert len(expected) > len(sample) * 2 // 3


def profile(folder: Path, transfer_syntax: str, sop_classes: Iterable[str]) -> list[str]:
    """Options by which dcmtk takes these SOP classes in this transfer syntax, and nothing else."""
    lines = ["[[TransferSyntaxes]]", "[Only]", f"TransferSyntax1 = {transfer_syntax}"]
    lines += ["[[PresentationContexts]]", "[Only]"]
    lines += [f"PresentationContext{at} = {sop_class}\\Only" for at, sop_class in enumerate(sop_classes, 1)]
    lines += ["[[Profiles]]", "[Only]", "PresentationContexts = Only"]
    (folder / "only.cfg").write_text("\n".join(lines) + "\n")
    return ["--config-file", str(folder / "only.cfg"), "Only"]


@dcmtk
@pytest.mark.parametrize("into", LOSSLESS)
def test_a_peer_that_takes_one_lossless_syntax_alone_gets_all_that_can_be_converted(
    storescp: Callable[..., Storescp], sample: list[Path], tmp_path: Path, into: str
) -> None:
    sop_classes = {need.sop_class for path in sample if (need := need_of(path))}
    peer = storescp(*profile(tmp_path, into, sop_classes))
    sendings = send_all(peer.destination, sample, 2)
    expected, originals = as_converted(sample, into)
    assert peer.stored() == expected
    assert (sendings.sent, sendings.failed) == (len(expected), len(sample) - len(expected))
    assert sendings.converted == len(originals) > len(sample) // 3
    compared = 0
    for arrived in peer.folder.iterdir():
        if original := originals.get(read(arrived)[0]):
            with quiet():
                try:
                    values = pixel_array(dcmread(original), raw=True)
                except Exception:  # noqa: BLE001, S112 - what pydicom cannot decode, it cannot compare
                    continue
                assert np.array_equal(pixel_array(dcmread(arrived), raw=True), values), original
            compared += 1
    assert compared >= len(originals) - 2


@dcmtk
@pytest.mark.parametrize(("into", "decoder"), [(RLELossless, "dcmdrle"), (JPEGLSLossless, "dcmdjpls")])
def test_a_peer_that_refuses_an_association_without_any_context_gets_it_too(
    storescp: Callable[..., Storescp], write: Callable[..., Path], tmp_path: Path, into: str, decoder: str
) -> None:
    path = write("1.dcm")
    peer = storescp(*profile(tmp_path, into, ["1.2.840.10008.5.1.4.1.1.7"]), program="dcmrecv")
    with Sender(peer.destination) as sender:
        assert sender.send(path).transfer_syntax == into
    (arrived,) = peer.folder.iterdir()
    subprocess.run([decoder, arrived, tmp_path / "decoded.dcm"], check=True, capture_output=True)
    assert dcmread(tmp_path / "decoded.dcm").PixelData == dcmread(path).PixelData


@dcmtk
@pytest.mark.parametrize("most", ["4096", "131072"])
def test_large_objects_go_in_the_pdus_that_the_peer_takes(
    storescp: Callable[..., Storescp], write: Callable[..., Path], most: str
) -> None:
    path = write("1.dcm")
    content = path.read_bytes()
    pixels = b"OW\0\0" + (5 << 20).to_bytes(4, "little") + b"pixels.." * (5 << 17)
    path.write_bytes(content[: content.rindex(b"OW")] + pixels)
    peer = storescp("--max-pdu", most)
    with Sender(peer.destination) as sender:
        assert sender.send(path).status.is_stored
    assert list(peer.stored().values()) == [read(path)[1:]]


@dcmtk
def test_over_tls_with_certificates_on_both_sides(
    storescp: Callable[..., Storescp], write: Callable[..., Path], pki: Pki
) -> None:
    files = [str(pki.folder / name) for name in ("gateway.key", "gateway.pem", "ca.pem")]
    peer = storescp("+tls", files[0], files[1], "+cf", files[2])
    ours = LiveContext(pki.tls("ct1"), server=False, say=print)
    destination = replace(peer.destination, tls=ours)
    paths = [write(f"{at}.dcm") for at in range(3)]
    with Sender(destination) as sender:
        for path in paths:
            sender.send(path)
    assert len(peer.stored()) == 3
    elsewhere = replace(pki.tls("ct1", crl=None), authorities=pki.folder / "stranger-ca.pem")
    for wrong in (
        replace(destination, tls=LiveContext(elsewhere, server=False, say=print)),
        replace(destination, host="127.0.0.2"),  # not a name of the certificate
    ):
        with pytest.raises(Unreachable, match="no secure connection"):
            echo(wrong)
    with pytest.raises(Ended):
        echo(replace(destination, tls=None))


@dcmtk
def test_the_program_sends(storescp: Callable[..., Storescp], write: Callable[..., Path], tmp_path: Path) -> None:
    peer = storescp("--accept-all")
    (tmp_path / "in").mkdir()
    for at, syntax in enumerate((ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless)):
        write(f"in/{at}.dcm", syntax)
    command = [sys.executable, "-m", "deid", "send", str(tmp_path / "in"), f"ANY@localhost:{peer.destination.port}"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["sent"]) == (0, 3)
    assert "nothing is de-identified" in done.stderr
    assert len(peer.stored()) == 3


@orthanc
def test_orthanc_takes_every_transfer_syntax(programs: Programs, sample: list[Path]) -> None:
    archive = programs.orthanc()
    destination = Destination("ORTHANC", "127.0.0.1", archive.port, "DEID", limits=LIMITS)
    assert echo(destination).is_stored
    sendings = send_all(destination, sample, 3)
    assert archive.ask("/statistics")["CountInstances"] == sendings.sent
    # What has no patient, study or series it calls "out of resources".
    assert sendings.sent > len(sample) * 2 // 3, sendings.reasons
