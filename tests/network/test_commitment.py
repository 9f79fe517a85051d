from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from deid.errors import Rejected
from deid.forward.scu import Destination, Sender
from deid.network.association import Message, connect
from deid.network.commitment import (
    NO_SUCH_INSTANCE,
    PROPOSAL,
    REPORTER,
    Failure,
    Reference,
    Request,
    Result,
    answer,
    ask,
    request_in,
    result_in,
    tell,
)
from deid.network.contexts import STORAGE_COMMITMENT, accept_storage
from deid.network.dimse import (
    ACTION_TYPE,
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    COMMAND_FIELD,
    EVENT_TYPE,
    N_ACTION,
    N_EVENT_REPORT,
    REQUESTED_SOP_CLASS,
    REQUESTED_SOP_INSTANCE,
)
from deid.network.negotiation import Context, Proposal
from deid.network.status import INVALID_ARGUMENT, SUCCESS

from .conftest import CT, EXPLICIT, IMPLICIT, PATIENT, Acceptor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.network.association import Association
    from deid.network.dimse import Command
    from tests.conftest import Programs

INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST = Request("1.2.3.4", (Reference(CT, "1.2.5"), Reference(CT, "1.2.67")))
RESULT = Result("1.2.3.4", (Reference(CT, "1.2.5"),), (Failure(CT, "1.2.67", NO_SUCH_INSTANCE),))


@pytest.fixture
def associate(acceptor: Acceptor) -> Callable[[str], Association]:
    """An association for storage commitment in this transfer syntax."""

    def associate(syntax: str) -> Association:
        acceptor.decide = lambda request: accept_storage(request, {STORAGE_COMMITMENT})
        proposals = (Proposal(CT, (IMPLICIT,)), Proposal(STORAGE_COMMITMENT, (syntax,)))
        return connect(acceptor.start(), "US", "THEM", proposals, PATIENT, roles=(REPORTER,))

    return associate


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_a_request_and_its_result_over_one_association(
    associate: Callable[[str], Association], acceptor: Acceptor, syntax: str
) -> None:
    requests: list[Request] = []

    def keep(association: Association) -> None:
        message = association.receive()
        assert message is not None
        requests.append(request_in(message))
        answer(association, message, SUCCESS)
        assert tell(association, RESULT).is_stored
        assert association.receive() is None

    acceptor.answer = keep
    with associate(syntax) as association:
        assert ask(association, REQUEST).is_stored
        message = association.receive()
        assert message is not None
        assert message.number(COMMAND_FIELD) == N_EVENT_REPORT
        assert result_in(message) == RESULT
        answer(association, message, SUCCESS)
        association.release()
    assert acceptor.ended() == ["released"]
    assert requests == [REQUEST]


def test_a_result_may_come_before_the_answer_to_the_request(
    associate: Callable[[str], Association], acceptor: Acceptor
) -> None:
    results: list[Result] = []

    def keep(association: Association) -> None:
        message = association.receive()
        assert message is not None
        request_in(message)
        assert tell(association, RESULT).is_stored
        answer(association, message, SUCCESS)
        assert association.receive() is None

    acceptor.answer = keep
    with associate(IMPLICIT) as association:

        def hear(message: Message) -> None:
            results.append(result_in(message))
            answer(association, message, SUCCESS)

        assert ask(association, REQUEST, hear).is_stored
        association.release()
    assert acceptor.ended() == ["released"]
    assert results == [RESULT]


@pytest.mark.parametrize("result", [RESULT, Result("1.2", RESULT.committed), Result("1.2", (), RESULT.failed)])
def test_a_result_over_an_association_of_its_own(
    associate: Callable[[str], Association], acceptor: Acceptor, result: Result
) -> None:
    results: list[Result] = []

    def hear(association: Association) -> None:
        assert association.roles == (REPORTER,)
        message = association.receive()
        assert message is not None
        results.append(result_in(message))
        answer(association, message, INVALID_ARGUMENT)
        assert association.receive() is None

    acceptor.answer = hear
    with associate(IMPLICIT) as association:
        assert association.roles == (REPORTER,)
        assert tell(association, result).code == INVALID_ARGUMENT
        association.release()
    assert acceptor.ended() == ["released"]
    assert results == [result]


def test_a_peer_without_storage_commitment_is_not_asked(acceptor: Acceptor) -> None:
    with connect(acceptor.start(), "US", "THEM", (Proposal(CT, (IMPLICIT,)),), PATIENT) as association:
        with pytest.raises(Rejected, match="no presentation context"):
            ask(association, REQUEST)
        with pytest.raises(Rejected, match="no presentation context"):
            tell(association, RESULT)


REQUESTED: Command = {REQUESTED_SOP_CLASS: STORAGE_COMMITMENT, REQUESTED_SOP_INSTANCE: INSTANCE, ACTION_TYPE: 1}


def message(content: bytes, command: dict[int, int | str] | None = None, syntax: str = IMPLICIT) -> Message:
    told: Command = {AFFECTED_SOP_CLASS: STORAGE_COMMITMENT, AFFECTED_SOP_INSTANCE: INSTANCE}
    whole: dict[int, int | str] = {COMMAND_FIELD: N_ACTION, EVENT_TYPE: 1, **REQUESTED, **told, **(command or {})}
    size = max(7, len(content) // 100)
    chunks = (memoryview(content[at : at + size]) for at in range(0, len(content), size))
    return Message(Context(1, STORAGE_COMMITMENT, syntax), whole, bool(content), chunks)


TRANSACTION = b"\x08\0\x95\x11\4\0\0\x001.2\0"
SEQUENCE = b"\x08\0\x99\x11"
CLASS, OBJECT = b"\x08\0\x50\x11\4\0\0\x001.2\0", b"\x08\0\x55\x11\4\0\0\x001.3\0"
SOUND = TRANSACTION + SEQUENCE + b"\x20\0\0\0\xfe\xff\x00\xe0\x18\0\0\0" + CLASS + OBJECT


def test_what_others_add_is_passed_over() -> None:
    ae_title = b"\x08\0\x54\0\2\0\0\0PA"  # Retrieve AE Title, of the whole and of an item
    nested = b"\x08\0\x15\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" + OBJECT
    nested += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    open_item = b"\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing_item = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    content = ae_title + TRANSACTION + SEQUENCE + open_item + ae_title + nested + CLASS + OBJECT + closing_item
    assert request_in(message(content)) == Request("1.2", (Reference("1.2", "1.3"),))


WRONG: dict[str, tuple[bytes, dict[int, int | str]]] = {
    "another instance": (SOUND, {REQUESTED_SOP_INSTANCE: "1.2", AFFECTED_SOP_INSTANCE: "1.2"}),
    "another class": (SOUND, {REQUESTED_SOP_CLASS: CT, AFFECTED_SOP_CLASS: CT}),
    "no data set": (b"", {}),
    "no transaction": (SOUND[len(TRANSACTION) :], {}),
    "a transaction that is no UID": (SOUND.replace(b"1.2\0", b"../x", 1), {}),
    "an object that is no UID": (SOUND.replace(b"1.3\0", b"../x"), {}),
    "an item without class": (TRANSACTION + SEQUENCE + b"\x14\0\0\0\xfe\xff\x00\xe0\x0c\0\0\0" + OBJECT, {}),
    "an item without object": (TRANSACTION + SEQUENCE + b"\x14\0\0\0\xfe\xff\x00\xe0\x0c\0\0\0" + CLASS, {}),
    "two objects in an item": (
        TRANSACTION + SEQUENCE + b"\x2c\0\0\0\xfe\xff\x00\xe0\x24\0\0\0" + CLASS + OBJECT + OBJECT, {},
    ),
    "half a sequence": (SOUND[:-3], {}),
    "a sequence that is none": (TRANSACTION + SEQUENCE + b"\4\0\0\0abcd", {}),
    "too much": (TRANSACTION + b"\x08\0\x05\0" + (5 << 20).to_bytes(4, "little") + bytes(5 << 20), {}),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_sound_is_rejected(what: str) -> None:
    content, command = WRONG[what]
    for read in (request_in, result_in):
        with pytest.raises(Rejected):
            read(message(content, command))


def test_a_request_is_for_something_and_has_its_action() -> None:
    assert request_in(message(SOUND)).references == (Reference("1.2", "1.3"),)
    with pytest.raises(Rejected, match="no object"):
        request_in(message(TRANSACTION))
    with pytest.raises(Rejected, match="action type"):
        request_in(message(SOUND, {ACTION_TYPE: 2}))
    assert result_in(message(TRANSACTION)) == Result("1.2", ())
    with pytest.raises(Rejected, match="event type"):
        result_in(message(SOUND, {EVENT_TYPE: 3}))


@given(st.binary(max_size=120), st.sampled_from([IMPLICIT, EXPLICIT]), st.integers(0, len(SOUND)))
def test_any_bytes_are_understood_or_rejected(noise: bytes, syntax: str, at: int) -> None:
    for content in (noise, SOUND[:at] + noise + SOUND[at:]):
        try:
            result_in(message(content, syntax=syntax))
        except Rejected:
            continue


@pytest.fixture
def write_ct(tmp_path: Path) -> Callable[[str], Path]:
    """The least that an archive files."""

    def write(instance: str) -> Path:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, instance
        dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1", "1.2.3", "1.2.4"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(tmp_path / instance, enforce_file_format=True)
        return tmp_path / instance

    return write


orthanc = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")


@orthanc
def test_orthanc_keeps_what_it_was_sent_and_says_what_it_has_not(
    programs: Programs, acceptor: Acceptor, write_ct: Callable[[str], Path]
) -> None:
    results: list[Result] = []

    def hear(association: Association) -> None:
        while told := association.receive():
            results.append(result_in(told))
            answer(association, told, SUCCESS)

    acceptor.answer = hear
    acceptor.decide = lambda request: accept_storage(request, {STORAGE_COMMITMENT})
    peer = programs.orthanc({"us": ["DEID", "127.0.0.1", acceptor.listen()]})
    destination = Destination("ORTHANC", "127.0.0.1", peer.port, "DEID", limits=PATIENT)
    stored = [Reference(CTImageStorage, generate_uid()) for _ in range(3)]
    with Sender(destination) as sender:
        for reference in stored:
            sender.send(write_ct(reference.instance))
    absent = Reference(CTImageStorage, generate_uid())
    with destination.associate((PROPOSAL,)) as association:
        request = Request(generate_uid(), (*stored, absent))
        assert ask(association, request).is_stored
        association.release()
    assert acceptor.ended() == ["released"]
    (result,) = results
    assert result.transaction == request.transaction
    assert set(result.committed) == set(stored)
    assert result.failed == (Failure(*absent, NO_SUCH_INSTANCE),)


@orthanc
def test_orthanc_asks_us_and_understands_the_result(programs: Programs, acceptor: Acceptor) -> None:
    requests: list[Request] = []

    def keep(association: Association) -> None:
        while asked := association.receive():
            requests.append(request_in(asked))
            answer(association, asked, SUCCESS)

    acceptor.answer = keep
    acceptor.decide = lambda request: accept_storage(request, {STORAGE_COMMITMENT})
    peer = programs.orthanc({"us": ["DEID", "127.0.0.1", acceptor.listen()]})
    references = [Reference(CTImageStorage, generate_uid()) for _ in range(2)]
    wanted = [{"SOPClassUID": each.sop_class, "SOPInstanceUID": each.instance} for each in references]
    asked = peer.ask("/modalities/us/storage-commitment", {"DicomInstances": wanted})
    assert acceptor.ended() == ["released"]
    (request,) = requests
    assert set(request.references) == set(references)
    result = Result(request.transaction, (references[0],), (Failure(*references[1], NO_SUCH_INSTANCE),))
    destination = Destination("ORTHANC", "127.0.0.1", peer.port, "DEID", limits=PATIENT)
    with destination.associate((PROPOSAL,), roles=(REPORTER,)) as association:
        assert association.roles == (REPORTER,)
        assert tell(association, result).is_stored
        association.release()
    said = peer.ask(f"/storage-commitment/{asked['ID']}")
    assert said["Status"] == "Failure"
    assert [each["SOPInstanceUID"] for each in said["Success"]] == [references[0].instance]
    assert [each["SOPInstanceUID"] for each in said["Failures"]] == [references[1].instance]
