"""The journey through the gateway, in by DICOMweb: what is answered is safe, and arrives like all else."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import signal
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from deid.forward.stow import Service, Stow
from deid.network.passcodes import line
from deid.samples.planted import PLANTED
from tests.ports import free_port

from .site import IN_THE_CLEAR, PATIENCE, SERVE, Archive, Site, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.conftest import Pki, Programs

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
RELATED = 'multipart/related; type="application/dicom"; boundary="of the tests"'
NOTHING: Mapping[str, str] = MappingProxyType({})
TOKEN = {"Authorization": "Bearer open-sesame"}
STORED, FAILED = "00081199", "00081198"


def body(contents: Iterable[bytes]) -> bytes:
    parts = (b"--of the tests\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n" for each in contents)
    return b"".join(parts) + b"--of the tests--\r\n"


class Door:
    """The port for DICOMweb of a site."""

    def __init__(self, site: Site, **more: object) -> None:
        self.port = free_port()
        settings = json.loads(site.settings.read_text())
        tls = {} if "tls" in more else {"unencrypted": IN_THE_CLEAR}
        listener = {"port": self.port, "address": "127.0.0.1", "dicomweb": "/dicom-web", **tls, **more}
        site.change(listen=[*settings["listen"], listener])

    def connect(self, pki: Pki | None = None, name: str = "") -> http.client.HTTPConnection:
        if pki is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        return http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=pki.client(name))

    def store(self, contents: Iterable[bytes]) -> tuple[int, dict[str, Any]]:
        with closing(self.connect()) as connection:
            return post(connection, contents)


def post(
    connection: http.client.HTTPConnection, contents: Iterable[bytes], headers: Mapping[str, str] = NOTHING
) -> tuple[int, dict[str, Any]]:
    connection.request("POST", "/dicom-web/studies", body(contents), {"Content-Type": RELATED, **headers})
    answer = connection.getresponse()
    said = answer.read()
    return answer.status, json.loads(said) if said else {}


def uids(answer: dict[str, Any], of: str = STORED) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(of, {}).get("Value", [])]


def test_both_ways_in_lead_to_the_same_objects(site: Site, archive: Archive, files: list[Path]) -> None:
    door = Door(site)
    with site.serving() as process:
        site.send(files[:4])
        eventually(lambda: len(archive.objects) == 4)
        code, answer = door.store(file.read_bytes() for file in files)
        assert (code, len(uids(answer))) == (200, len(files))
        eventually(lambda: len(archive.objects) == len(files))
        eventually(lambda: site.left() == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(archive.came) == len(files), "what has come before by association is a duplicate"
    trail = (site.folder / "state" / "audit.jsonl").read_text()
    for value in PLANTED:
        assert value not in trail + site.log.read_text()
    (told,) = site.said("request answered")
    assert (told["calling"], told["taken"], told.get("refusal")) == ("CT1", len(files), None)


def test_whatever_is_answered_survives_kills(site: Site, archive: Archive, files: list[Path]) -> None:
    """The gateway is killed again and again while requests come in; each object that was answered arrives."""
    door = Door(site)
    chance = random.Random(2)  # noqa: S311 - no secret
    answered: set[str] = set()
    for _ in range(4):
        with site.serving() as process:
            until = time.monotonic() + chance.uniform(0.3, 1.5)
            connection = door.connect()
            while time.monotonic() < until:
                code, answer = post(connection, (path.read_bytes() for path in chance.sample(files, 3)))
                assert code == 200
                answered.update(uids(answer))
            connection.putrequest("POST", "/dicom-web/studies")
            connection.putheader("Content-Type", RELATED)
            connection.putheader("Content-Length", "100000000")
            connection.endheaders(body([files[0].read_bytes()])[:-20])
            process.kill()
            with suppress(OSError, http.client.HTTPException):
                connection.getresponse()
            connection.close()
    with site.serving():
        eventually(lambda: len(archive.objects) == len(answered))
        eventually(lambda: site.left() == 0)
    assert len(set(archive.came)) == len(archive.objects)


def test_what_we_send_we_take(site: Site, archive: Archive, files: list[Path]) -> None:
    door = Door(site)
    with site.serving(), Stow(Service("127.0.0.1", door.port, "/dicom-web")) as service:
        for path in files:
            service.send(path)
        eventually(lambda: len(archive.objects) == len(files))
    assert len(site.said("request answered")) == len(files)


@pytest.mark.skipif(
    not DICOMWEB.exists() or shutil.which("Orthanc") is None, reason="orthanc and orthanc-dicomweb are not installed"
)
def test_orthanc_sends_over_dicomweb(site: Site, archive: Archive, files: list[Path], programs: Programs) -> None:
    door = Door(site)
    web = {"Enable": True, "Servers": {"deid": [f"http://127.0.0.1:{door.port}/dicom-web/"]}}
    orthanc = programs.orthanc(Plugins=[str(DICOMWEB)], DicomWeb=web)
    for path in files:
        orthanc.ask("/instances", path.read_bytes())
    with site.serving():
        done = orthanc.ask("/dicom-web/servers/deid/stow", {"Resources": orthanc.ask("/studies"), "Synchronous": True})
        assert int(done["InstancesCount"]) == len(files)
        eventually(lambda: len(archive.objects) == len(files))


@contextmanager
def listening(site: Site) -> Iterator[None]:
    """A gateway that knows nobody who could ask it for an echo, as `serving` does."""
    with site.log.open("ab") as log:
        process = subprocess.Popen([*SERVE, site.settings], stderr=log)
    try:
        eventually(lambda: len(site.said("listening")) == 2)
        yield
    finally:
        process.kill()
        process.wait(PATIENCE)


def passcodes(folder: Path) -> str:
    (folder / "passcodes").write_text(line("tech", b"open-sesame") + "\n")
    (folder / "passcodes").chmod(0o600)
    return "passcodes"


def test_from_gateway_to_gateway(tmp_path: Path, archive: Archive, files: list[Path], pki: Pki) -> None:
    """Over TLS, with a certificate and a token: the second one de-identifies what the first one has made."""
    names = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem", "crl": "ca.crl"}
    second = tmp_path / "second"
    second.mkdir()
    sender = {"ae_title": "FIRST", "certificate": {"san": "dicom-ae:CT1"}, "user": "tech", "route": "research"}
    behind = Site(second, archive.port, peers=[sender], passcodes=passcodes(second))
    door = Door(behind, tls={key: str(pki.folder / name) for key, name in names.items()})
    (tmp_path / "token").write_text("open-sesame\n")
    (tmp_path / "token").chmod(0o600)
    names |= {"certificate": "ct1.pem", "key": "ct1.key"}
    web = {
        "name": "archive",
        "url": f"https://localhost:{door.port}/dicom-web",
        "tls": {key: str(pki.folder / name) for key, name in names.items()},
        "token_file": "token",
    }
    site = Site(tmp_path, free_port(), destinations=[web])
    with listening(behind), site.serving():
        site.send(files)
        eventually(lambda: len(archive.objects) == len(files) and site.left() == 0)
    assert len(archive.came) == len(files)
    made = site.said("connection made")
    assert {(line["destination"], str(line["certificate"]).split(",")[0]) for line in made} == {
        ("archive", "CN=gateway")
    }


@pytest.mark.parametrize("known_by", ["certificate", "token"])
def test_over_tls_the_sender_is_known(
    tmp_path: Path, archive: Archive, files: list[Path], pki: Pki, known_by: str
) -> None:
    """One peer by its certificate alone, another by an address, which many may have, and a token on top."""
    folder = pki.folder
    ways: dict[str, dict[str, object]] = {
        "certificate": {"certificate": {"san": "dicom-ae:CT1"}},
        "token": {"addresses": ["127.0.0.1"], "user": "tech"},
    }
    peer = {"ae_title": "CT1", "route": "research", **ways[known_by]}
    also = {"ae_title": "ECHO", "route": "research", "addresses": ["127.0.0.1/32"], "certificate": {"san": "nobody"}}
    site = Site(tmp_path, archive.port, peers=[peer, also], passcodes=passcodes(tmp_path))
    names = {"certificate": "gateway.pem", "key": "gateway.key", "authorities": "ca.pem", "crl": "ca.crl"}
    door = Door(site, tls={key: str(folder / name) for key, name in names.items()})
    content = [files[0].read_bytes()]
    right, wrong = ("ct1", "ct2") if known_by == "certificate" else ("ct2", "ct2")
    good: dict[str, str] = TOKEN if known_by == "token" else {}
    bad = {"Authorization": "Bearer open barley"}
    with listening(site):
        with closing(door.connect(pki, wrong)) as connection:
            assert post(connection, content, bad)[0] == (403 if known_by == "certificate" else 401)
        assert archive.objects == {}
        with closing(door.connect(pki, right)) as connection:
            code, answer = post(connection, content, good)
            assert (code, len(uids(answer))) == (200, 1)
        with closing(door.connect(pki, "revoked")) as connection, pytest.raises(OSError):  # noqa: PT011 - one of several
            post(connection, content, good)
        eventually(lambda: len(archive.objects) == 1)
        eventually(lambda: len(site.said("connection refused")) == 1)
    (refused,) = site.said("request refused")
    assert "dicom-ae:CT2" in str(refused["certificate"])
    said = site.log.read_text()
    assert "sesame" not in said
    assert "barley" not in said
