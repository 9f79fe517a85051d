"""Where objects go through a real gateway: a folder, a DICOMweb service, and what becomes of those that fail there."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.errors import Deferred
from deid.forward.scu import Destination, echo
from tests.ports import free_port

from .site import IN_THE_CLEAR, PATIENCE, Site, all_in, eventually

if TYPE_CHECKING:
    from tests.conftest import Pki, Programs

    from .site import Archive

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
NEAR = {"name": "near", "folder": "near"}


@pytest.fixture(autouse=True)
def near(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()


def routed(*destinations: str) -> list[dict[str, object]]:
    return [{"name": "research", "profile": "basic", "destinations": list(destinations)}]


def kept(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in all_in(folder) if path.suffix == ".dcm"}


def test_a_folder_gets_what_an_archive_gets(tmp_path: Path, archive: Archive, files: list[Path]) -> None:
    named = {"name": "archive", "ae_title": "A", "host": "localhost", "port": archive.port, "unencrypted": IN_THE_CLEAR}
    site = Site(tmp_path, archive.port, destinations=[named, NEAR], routes=routed("archive", "near"))
    with site.serving():
        site.send(files)
        eventually(lambda: len(archive.objects) == len(files) and site.left() == 0)
    assert kept(tmp_path / "near") == archive.objects
    assert {len(path.relative_to(tmp_path / "near").parts) for path in (tmp_path / "near").rglob("*.dcm")} == {4}


def test_what_is_in_the_way_waits_for_a_person(tmp_path: Path, files: list[Path]) -> None:
    site = Site(tmp_path, free_port(), destinations=[NEAR], routes=routed("near"))
    with site.serving():
        site.send(files[:1])
        eventually(lambda: len(kept(tmp_path / "near")) == 1)
    (published,) = (tmp_path / "near").rglob("*.dcm")
    published.write_bytes(b"of somebody else")
    shutil.rmtree(tmp_path / "state" / "spool")
    other = tmp_path / "other"
    other.mkdir()
    key = (tmp_path / "state" / "key").read_bytes()
    again = Site(other, free_port(), destinations=[{"name": "near", "folder": "../near"}], routes=routed("near"))
    state = other / "state"
    state.mkdir(mode=0o700)
    (state / "key").write_bytes(key)
    (state / "key").chmod(0o600)
    with again.serving():
        again.send(files[:1])
        eventually(lambda: bool(again.said("delivery failed")))
        assert "near" in again.deid("queue", "list", "--state", state)
    assert published.read_bytes() == b"of somebody else"


def test_a_folder_misses_nothing_when_the_gateway_is_killed(tmp_path: Path, files: list[Path]) -> None:
    site = Site(tmp_path, free_port(), destinations=[NEAR], routes=routed("near"))
    for path in files:
        with site.serving() as process:
            site.send([path])
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
    with site.serving():
        eventually(lambda: len(kept(tmp_path / "near")) == len(files) and site.left() == 0)
    assert not list((tmp_path / "near").rglob("*.part"))


@pytest.mark.skipif(
    not DICOMWEB.exists() or shutil.which("Orthanc") is None, reason="orthanc and orthanc-dicomweb are not installed"
)
def test_orthanc_takes_objects_over_dicomweb(tmp_path: Path, files: list[Path], programs: Programs) -> None:
    orthanc = programs.orthanc(Plugins=[str(DICOMWEB)], DicomWeb={"Enable": True})
    web = {"name": "web", "url": f"http://localhost:{orthanc.web}/dicom-web", "unencrypted": IN_THE_CLEAR}
    site = Site(tmp_path, free_port(), destinations=[web, NEAR], routes=routed("web", "near"))
    with site.serving():
        site.send(files)
        eventually(lambda: site.left() == 0 and len(kept(tmp_path / "near")) == len(files))
    there = {each["MainDicomTags"]["SOPInstanceUID"] for each in orthanc.ask("/instances?expand")}
    assert there == kept(tmp_path / "near").keys()


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_orthanc_takes_objects_over_dicom_tls(tmp_path: Path, files: list[Path], programs: Programs, pki: Pki) -> None:
    """It asks for our certificate, and has that of CT2; without TLS nobody is heard there."""
    orthanc = programs.orthanc(
        DicomTlsEnabled=True,
        DicomTlsCertificate=str(pki.folder / "ct2.pem"),
        DicomTlsPrivateKey=str(pki.folder / "ct2.key"),
        DicomTlsTrustedCertificates=str(pki.folder / "ca.pem"),
        DicomTlsRemoteCertificateRequired=True,
    )
    own = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem", "crl": "ca.crl"}
    tls = {name: str(pki.folder / file) for name, file in own.items()}
    named = {"name": "orthanc", "ae_title": "ORTHANC", "host": "localhost", "port": orthanc.port, "tls": tls}
    site = Site(tmp_path, free_port(), destinations=[named, NEAR], routes=routed("orthanc", "near"))
    with pytest.raises(Deferred):
        echo(Destination("ORTHANC", "localhost", orthanc.port))
    with site.serving():
        site.send(files)
        eventually(lambda: site.left() == 0 and len(kept(tmp_path / "near")) == len(files))
    arrived = {each["MainDicomTags"]["SOPInstanceUID"] for each in orthanc.ask("/instances?expand")}
    assert arrived == kept(tmp_path / "near").keys()
    shown = {str(line["certificate"]).split(",")[0] for line in site.said("association made")}
    assert shown == {"CN=ct2"}
