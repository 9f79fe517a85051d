"""Storage Commitment in both directions over TLS: each side is known by its certificate, also who calls back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydicom import dcmread

from deid.errors import Deferred
from deid.forward.scu import Destination
from deid.network.commitment import PROPOSAL, Reference, Request, Result, ask
from deid.network.pdu import Limits
from deid.network.tls import LiveContext

from .committing import Keeper, Modality
from .site import Site, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki


class Secured(Site):
    """CT1 sends to it and is called back; ARCHIVE, which has the certificate of CT2, is asked."""

    def __init__(self, folder: Path, pki: Pki, modality: Modality, keeper: Keeper, archive: dict[str, object]) -> None:
        super().__init__(folder, keeper.port)
        self._tls = LiveContext(pki.tls("ct1"), server=False, say=print)
        tls = {
            "certificate": str(pki.folder / "gateway.pem"),
            "key": str(pki.folder / "gateway.key"),
            "authorities": str(pki.folder / "ca.pem"),
        }
        back = {"host": "localhost", "port": modality.port, "tls": tls}
        settings = json.loads(self.settings.read_text())
        settings["listen"] = [{"port": self.port, "address": "127.0.0.1", "tls": tls}]
        settings["peers"] = [
            {"ae_title": "CT1", "certificate": {"san": "dicom-ae:CT1"}, "route": "research", "results": back}
        ]
        named = {"name": "archive", "ae_title": "ARCHIVE", "host": "localhost", "port": keeper.port, "tls": tls}
        settings["destinations"] = [named | {"commitment": {"wait_seconds": 60, "certificate": archive}}]
        self.settings.write_text(json.dumps(settings))
        keeper.gateway = self.port

    @property
    def destination(self) -> Destination:
        return Destination("DEID", "localhost", self.port, calling="CT1", tls=self._tls, limits=Limits(setup=10.0))


def test_both_sides_ask_and_are_told(tmp_path: Path, pki: Pki, files: list[Path]) -> None:
    modality, keeper = Modality(tls=pki.tls("ct1")), Keeper(over="new", tls=pki.tls("ct2"))
    site = Secured(tmp_path, pki, modality, keeper, {"san": "dicom-ae:CT2"})
    read = dcmread(files[0], stop_before_pixels=True)
    request = Request("1.2.3.4", (Reference(read.SOPClassUID, read.SOPInstanceUID),))
    try:
        with site.serving():
            site.send(files[:1])
            with site.destination.associate((PROPOSAL,)) as association:
                assert ask(association, request).is_stored
                association.release()
            assert modality.told() == Result("1.2.3.4", request.references)
            eventually(lambda: site.left() == 0)
    finally:
        modality.close()
        keeper.close()
    assert keeper.told == len(keeper.requests) == 1
    storage = {"Storage Commitment Push Model SOP Class"}
    made = [told(line) for line in site.said("association made")]
    assert sorted(who for who, what in made if what == storage) == [("", "CT1", "CN=ct1"), ("archive", "", "CN=ct2")]


def told(line: dict[str, Any]) -> tuple[tuple[str, str, str], set[str]]:
    """Whom an association was made with, the subject of his certificate, and what was accepted."""
    who = line.get("destination", ""), line.get("calling", ""), line["certificate"].split(",")[0]
    return who, {abstract_syntax for abstract_syntax, _ in line["accepted"]}


def test_who_has_another_certificate_than_the_archive_brings_no_result(
    tmp_path: Path, pki: Pki, files: list[Path]
) -> None:
    modality, keeper = Modality(tls=pki.tls("ct1")), Keeper(over="none", tls=pki.tls("ct2"))
    site = Secured(tmp_path, pki, modality, keeper, {"san": "dicom-ae:ARCHIVE"})
    try:
        with site.serving():
            site.send(files[:1])
            eventually(lambda: bool(keeper.requests))
            refused = False
            try:
                keeper.bring(keeper.requests[0])
            except Deferred as reason:
                refused = "calling AE title is not recognized" in str(reason)
            assert refused
            assert site.left() == 2
    finally:
        modality.close()
        keeper.close()
