"""Requestors that others have written: dcmtk where it is installed, and pynetdicom."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing, suppress
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE

from deid.errors import DeidError
from deid.network.contexts import VERIFICATION, accept_storage, is_storage
from deid.network.negotiation import Acceptance, Identity, Request
from deid.part10.source import open_stored
from deid.pixels.codecs import quiet
from tests.scu import at_rest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Acceptor

dcmtk = pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")


@pytest.fixture(autouse=True)
def _takes_storage(acceptor: Acceptor) -> None:
    acceptor.decide = lambda request: accept_storage(request, {VERIFICATION})


def run(*words: object) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Large enough for many PDUs, written by pydicom."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyInstanceUID = CTImageStorage, generate_uid(), "1.2.3"
    dataset.PatientName, dataset.Modality = "Seen^Nowhere", "CT"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 1024, 700, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = b"\1\2\3\4" * (1024 * 350)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    return tmp_path / "image.dcm"


def data_set(path: Path) -> bytes:
    with closing(open_stored(path)) as source:
        return source.read(source.start, source.size)


@dcmtk
def test_echoscu(acceptor: Acceptor) -> None:
    run("echoscu", "--repeat", 5, "localhost", acceptor.listen())
    assert acceptor.ended() == ["released"]


@dcmtk
def test_echoscu_aborts(acceptor: Acceptor) -> None:
    run("echoscu", "--abort", "localhost", acceptor.listen())
    assert acceptor.ended() == ["Aborted"]


@dcmtk
@pytest.mark.parametrize("options", [(), ("--max-send-pdu", 4096), ("--max-pdu", 4096), ("--max-pdu", 131072)])
def test_storescu(acceptor: Acceptor, image: Path, options: tuple[object, ...]) -> None:
    run("storescu", "--required", *options, "--repeat", 3, "localhost", acceptor.listen(), image)
    assert acceptor.ended() == ["released"]
    assert [content for _, content in acceptor.received] == [data_set(image)] * 3
    assert {instance for instance, _ in acceptor.received} == {dcmread(image).SOPInstanceUID}


@dcmtk
def test_storescu_with_all_the_contexts_it_knows(acceptor: Acceptor, image: Path) -> None:
    requests: list[Request] = []

    def decide(request: Request) -> Acceptance:
        requests.append(request)
        return accept_storage(request, {VERIFICATION})

    acceptor.decide = decide
    run("storescu", "localhost", acceptor.listen(), image)
    assert acceptor.ended() == ["released"]
    assert (requests[0].calling, requests[0].implementation_version[:12]) == ("STORESCU", "OFFIS_DCMTK_")
    assert len(requests[0].proposals) > 100


@dcmtk
def test_storescu_as_a_user_who_wants_an_answer(acceptor: Acceptor, image: Path) -> None:
    """PS3.7 D.3.3.7.2: who asks for a positive response aborts without one."""
    identities: list[Identity | None] = []

    def decide(request: Request) -> Acceptance:
        identities.append(request.identity)
        chosen = accept_storage(request, {VERIFICATION})
        return Acceptance(chosen.transfer_syntaxes, chosen.because, identity_response=b"")

    acceptor.decide = decide
    run("storescu", "-usr", "somebody", "-pwd", "secret", "-rsp", "localhost", acceptor.listen(), image)
    assert acceptor.ended() == ["released"]
    assert identities == [Identity(2, b"somebody", b"secret", wants_response=True)]


@dcmtk
def test_dcmsend(acceptor: Acceptor, image: Path) -> None:
    run("dcmsend", "localhost", acceptor.listen(), image)
    assert acceptor.ended() == ["released"]
    assert len(acceptor.received) == 1


def test_pynetdicom_sends_every_transfer_syntax_that_it_knows(
    acceptor: Acceptor, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)  # files as they are
    files: dict[str, Path] = {}
    for path in sorted(corpus.rglob("*.dcm"), key=lambda path: path.stat().st_size):
        with suppress(DeidError), closing(open_stored(path)) as source:
            if is_storage(source.media_storage_class) and source.transfer_syntax in ALL_TRANSFER_SYNTAXES:
                files.setdefault(source.transfer_syntax, path)
    entity = AE("PYNETDICOM")
    for syntax, path in files.items():
        entity.add_requested_context(dcmread(path, stop_before_pixels=True).file_meta.MediaStorageSOPClassUID, syntax)
    with quiet():
        association = entity.associate("127.0.0.1", acceptor.listen())
        assert association.is_established
        for path in files.values():
            assert at_rest(association).send_c_store(path).Status == 0
        association.release()
    assert acceptor.ended() == ["released"]
    assert [content for _, content in acceptor.received] == [data_set(path) for path in files.values()]
    assert len(files) >= 12


def test_pynetdicom_aborts_inside_an_object(acceptor: Acceptor) -> None:
    entity = AE("PYNETDICOM")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", acceptor.listen())
    assert association.is_established
    store = C_STORE_RQ()
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 1, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CTImageStorage, "1.2.3"
    primitive.DataSet = BytesIO(b"\0" * 100)
    store.primitive_to_message(primitive)
    for number, pdu in enumerate(store.encode_msg(1, 64)):
        if number < 3:
            association.dul.send_pdu(pdu)
    association.abort()
    assert acceptor.ended() == ["Aborted"]
    assert acceptor.received == []


def test_pynetdicom_is_refused_what_nobody_stores(acceptor: Acceptor) -> None:
    entity = AE("PYNETDICOM")
    for abstract_syntax in (VERIFICATION, "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.1.201.2"):
        entity.add_requested_context(abstract_syntax)
    association = entity.associate("127.0.0.1", acceptor.listen())
    assert [context.abstract_syntax for context in association.accepted_contexts] == [VERIFICATION]
    assert [context.result for context in association.rejected_contexts] == [3, 3]
    assert at_rest(association).send_c_echo().Status == 0
    association.release()
    assert acceptor.ended() == ["released"]
