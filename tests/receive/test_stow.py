"""What comes in a request is safe before it is answered, and each object is answered for itself."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import Deferred
from deid.model import State
from deid.network import status
from deid.network.multipart import Part, Parts
from deid.network.pdu import Aborted
from deid.part10.source import Limits, open_source
from deid.part10.target import file_meta
from deid.receive import stow
from deid.receive.stow import Answer, Sending, store

from .conftest import BIG_ENDIAN, CT, DEFLATED, EXPLICIT, data_set

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deid.receive.inlet import Inlet
    from deid.store.queue import Queue
    from deid.store.spool import Spool

DICOM = {"content-type": "application/dicom"}


def uid(element: int, value: str, group: int = 0x20) -> bytes:
    encoded = value.encode() + b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, element, b"UI", len(encoded)) + encoded


def file(instance: str = "1.2.3", sop_class: str = CT, syntax: str = EXPLICIT, content: bytes | None = None) -> bytes:
    meta = file_meta(sop_class, instance, syntax, "ELSEWHERE")
    return b"a picture behind the preamble".ljust(128) + meta[128:] + (content or data_set(instance, sop_class))


def parts(*contents: bytes, size: int = 1 << 20, headers: dict[str, str] | None = None) -> Iterator[Part]:
    for content in contents:
        chunks = (content[at : at + size] for at in range(0, len(content), size))
        yield Part(DICOM if headers is None else headers, chunks)


@pytest.fixture
def sending(tmp_path: Path) -> Sending:
    return Sending("CT1", "DEID", (), "", tmp_path)


def told(answer: Answer, of: str) -> list[tuple[str, int]]:
    """SOP Instance UIDs and Failure Reasons in one of the sequences."""
    module: dict[str, Any] = json.loads(answer.content)
    return [
        (item.get("00081155", {}).get("Value", [""])[0], item.get("00081197", {}).get("Value", [0])[0])
        for item in module.get(of, {}).get("Value", [])
    ]


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_an_object_is_in_the_spool_with_a_ticket_when_it_is_answered(
    inlet: Inlet, queue: Queue, sending: Sending, size: int
) -> None:
    content = data_set(rest=struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 90_000) + bytes(90_000))
    answer = store(parts(file(content=content), size=size), inlet, sending)
    assert (answer.code, told(answer, "00081199")) == (200, [("1.2.3", 0)])
    (ticket,) = queue.received(inlet.journey, 0, 9)
    source = open_source(ticket.source, Limits())
    assert (source.transfer_syntax, source.sender, source.receiver) == (EXPLICIT, "CT1", "DEID")
    whole = ticket.source.read_bytes()
    assert whole[source.start :] == content
    assert whole[:128] == bytes(128), "what stood in the preamble is nobody's business"
    source.close()


def test_memory_does_not_grow_with_the_object(inlet: Inlet, sending: Sending) -> None:
    def chunks() -> Iterator[bytes]:
        pixels = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 768 * 65_536)
        yield b"--b\r\n\r\n" + file(content=data_set(rest=pixels))
        for _ in range(768):
            yield bytes(65_536)
        yield b"\r\n--b--"

    tracemalloc.start()
    try:
        assert store(Parts(chunks(), b"b"), inlet, sending).code == 200
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_objects_of_one_request_are_answered_each_for_itself(inlet: Inlet, sending: Sending, spool: Spool) -> None:
    answer = store(
        parts(
            file("1.2.1"),
            file("1.2.2", content=data_set("1.2.9")),  # another one than its File Meta Information says
            file("1.2.3", sop_class="1.2.840.10008.1.3.10"),  # a DICOMDIR
            file("1.2.4", syntax="1.2.3.4"),
            b"no DICOM at all",
            file("1.2.x"),
            file("1.2.5")[:150],
            file("1.2.6", content=b"\x08\0\x16\0UI\xff\xffshort"),
            file("1.2.7"),
        ),
        inlet,
        sending,
    )
    assert answer.code == 202
    assert told(answer, "00081199") == [("1.2.1", 0), ("1.2.7", 0)]
    assert told(answer, "00081198") == [
        ("1.2.2", status.DATA_SET_MISMATCH),
        ("1.2.3", status.SOP_CLASS_NOT_SUPPORTED),
        ("1.2.4", stow.TRANSFER_SYNTAX_NOT_SUPPORTED),
        ("1.2.6", status.DATA_SET_MISMATCH),
    ]
    assert told(answer, "0008119A") == [("", status.CANNOT_UNDERSTAND)] * 3
    reasons = ((1, "0122"), (2, "A900"), (3, "C000"), (1, "C122"))
    assert answer.why == "; ".join(f"{count} with failure reason {reason}" for count, reason in reasons)
    assert len(list(spool.folder.iterdir())) == 2, "nothing is left of what is refused"


@pytest.mark.parametrize("content", ["big endian", "deflated"])
def test_every_registered_transfer_syntax_is_taken(inlet: Inlet, sending: Sending, content: str) -> None:
    stream = zlib.compressobj(wbits=-15)
    deflated = stream.compress(data_set() + uid(0x0D, "1.2.33")) + stream.flush()
    big = b"".join(
        struct.pack(">HH2sH", 8, element, b"UI", len(value)) + value
        for element, value in ((0x16, CT.encode() + b"\0"), (0x18, b"1.2.3\0"))
    )
    sent = file(syntax=DEFLATED, content=deflated) if content == "deflated" else file(syntax=BIG_ENDIAN, content=big)
    assert store(parts(sent), inlet, sending).code == 200


def test_the_same_again_is_acknowledged_and_another_one_waits_for_a_person(
    inlet: Inlet, queue: Queue, sending: Sending
) -> None:
    other = file(content=data_set(rest=uid(0x0D, "1.2.33")))
    assert store(parts(file(), file(), other), inlet, sending).code == 200
    tally = queue.tally(inlet.journey)
    assert [tally[state] for state in (State.RECEIVED, State.DUPLICATE, State.HELD)] == [1, 1, 1]


def test_where_a_study_is_named_every_object_belongs_to_it(inlet: Inlet, sending: Sending) -> None:
    stream = zlib.compressobj(wbits=-15)
    deflated = stream.compress(data_set("1.2.3") + uid(0x0D, "1.2.33")) + stream.flush()
    answer = store(
        parts(
            file("1.2.1", content=data_set("1.2.1", rest=uid(0x0D, "1.2.33"))),
            file("1.2.2", content=data_set("1.2.2", rest=uid(0x0D, "1.2.34"))),
            file("1.2.3", syntax=DEFLATED, content=deflated),
            file("1.2.4"),
        ),
        inlet,
        sending._replace(study="1.2.33"),
    )
    assert told(answer, "00081199") == [("1.2.1", 0), ("1.2.3", 0)]
    assert told(answer, "00081198") == [("1.2.2", status.DATA_SET_MISMATCH), ("1.2.4", status.DATA_SET_MISMATCH)]


def test_private_classes_are_for_peers_that_have_them(inlet: Inlet, sending: Sending) -> None:
    private = "1.3.12.2.1107.5.9.1"
    sent = file(sop_class=private)
    assert store(parts(sent), inlet, sending).code == 409
    assert store(parts(sent), inlet, sending._replace(private=(private,))).code == 200


def test_without_room_the_sender_comes_again(inlet: Inlet, sending: Sending, spool: Spool) -> None:
    answer = store(parts(file("1.2.1"), file("1.2.2")), replace(inlet, room=lambda: False), sending)
    assert answer.code == 503
    assert [reason for _, reason in told(answer, "00081198")] == [status.OUT_OF_RESOURCES] * 2
    assert list(spool.folder.iterdir()) == []


def test_what_the_ledger_does_not_know_is_not_acknowledged(
    inlet: Inlet, sending: Sending, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Deferred("the ledger cannot be written")

    monkeypatch.setattr(type(inlet.inbox), "receive", fail)
    assert store(parts(file()), inlet, sending).code == 503
    assert list(spool.folder.iterdir()) == []


def test_what_came_before_the_body_broke_is_safe_and_told(inlet: Inlet, queue: Queue, sending: Sending) -> None:
    whole = b"".join(b"--b\r\n\r\n" + file(instance) + b"\r\n" for instance in ("1.2.1", "1.2.2"))
    answer = store(Parts(iter([whole[:-5]]), b"b"), inlet, sending)
    assert (answer.code, told(answer, "00081199")) == (400, [("1.2.1", 0)])
    assert len(queue.received(inlet.journey, 0, 9)) == 1


def test_who_hangs_up_within_an_object_leaves_nothing_of_it(inlet: Inlet, sending: Sending, spool: Spool) -> None:
    def chunks() -> Iterator[bytes]:
        yield file() + b"more of it" * 10_000
        raise Aborted("the connection was lost")

    with pytest.raises(Aborted):
        store(iter([Part(DICOM, chunks())]), inlet, sending)
    assert list(spool.folder.iterdir()) == []


def test_parts_of_another_kind_are_not_looked_at(inlet: Inlet, sending: Sending) -> None:
    answer = store(parts(file(), headers={"content-type": "application/dicom+json"}), inlet, sending)
    assert (answer.code, told(answer, "0008119A")) == (409, [("", status.CANNOT_UNDERSTAND)])
    assert store(parts(file(), headers={}), inlet, sending).code == 200


def test_a_request_has_so_many_parts_and_not_none(
    inlet: Inlet, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store(parts(), inlet, sending).code == 400
    monkeypatch.setattr(stow, "MOST_PARTS", 2)
    answer = store(parts(file("1.2.1"), file("1.2.2"), file("1.2.3")), inlet, sending)
    assert (answer.code, len(told(answer, "00081199"))) == (413, 2)
