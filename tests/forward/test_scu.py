from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from deid.errors import BrokenOff, Declined, Deferred, Rejected, Unreadable
from deid.forward.fall_back import convert
from deid.forward.scu import Need, Sender, Unreachable, echo, need_of
from deid.network.contexts import FALL_BACK, LOSSLESS
from deid.network.dimse import AFFECTED_SOP_INSTANCE
from deid.network.negotiation import CALLED_NOT_RECOGNIZED, Refused
from deid.network.pdu import Aborted
from deid.network.status import Kind
from deid.part10.source import open_stored

from .conftest import SECONDARY_CAPTURE, Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.network.association import Association
    from deid.network.dimse import Command
    from deid.part10.source import Source

SENDS = int(os.environ.get("DEID_SENDS", "500"))
CT = "1.2.840.10008.5.1.4.1.1.2"
COMPRESSED = (RLELossless, JPEG2000Lossless)
AS_THEY_ARE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, *COMPRESSED)


def data_set(path: Path) -> bytes:
    with closing(open_stored(path)) as source:
        return source.read(source.start, source.size)


def test_objects_go_as_they_are_encoded_over_one_association(archive: Archive, write: Callable[..., Path]) -> None:
    paths = [write(f"{at}.dcm", syntax) for at, syntax in enumerate(AS_THEY_ARE)]
    with Sender(archive.destination, [need for path in paths if (need := need_of(path))]) as sender:
        for path in paths:
            assert sender.send(path).status.kind is Kind.SUCCESS
    expected = [
        (dcmread(path).SOPInstanceUID, syntax, data_set(path)) for path, syntax in zip(paths, AS_THEY_ARE, strict=True)
    ]
    assert archive.stored == expected
    assert len(archive.requests) == 1
    for proposal in archive.requests[0].proposals.values():
        assert len(proposal.transfer_syntaxes) == 1


def test_no_answer_is_lost(archive: Archive, write: Callable[..., Path]) -> None:
    """One association for all, each answered once (DEID_SENDS, 20000 for a long look on a machine that is busy).

    A stack that reads answers in another thread than the one that waits for them may take one away.
    """
    path = write("1.dcm")
    with Sender(archive.destination) as sender:
        assert all(sender.send(path).status.code == 0 for _ in range(SENDS))
    assert len(archive.stored) == SENDS
    assert len(archive.requests) == 1


def test_what_was_not_foreseen_gets_an_association_of_its_own(archive: Archive, write: Callable[..., Path]) -> None:
    first, second = write("1.dcm"), write("2.dcm", DeflatedExplicitVRLittleEndian)
    with Sender(archive.destination) as sender:
        for path in (first, first, second, first):
            sender.send(path)
    assert len(archive.stored) == 4
    assert len(archive.requests) == 2


@pytest.mark.parametrize("into", FALL_BACK)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, *COMPRESSED])
def test_a_peer_that_refuses_a_syntax_gets_the_same_object_without_it(
    archive: Archive, write: Callable[..., Path], tmp_path: Path, syntax: str, into: str
) -> None:
    archive.takes = into.__eq__
    path = write("1.dcm", syntax)
    with Sender(archive.destination, work=tmp_path) as sender:
        sent = sender.send(path)
    assert sent.transfer_syntax == into
    ((instance, used, content),) = archive.stored
    original = dcmread(path)
    original.decompress(generate_instance_uid=False) if syntax in COMPRESSED else None
    assert (instance, used) == (original.SOPInstanceUID, into)
    assert read_dataset(BytesIO(content), into == ImplicitVRLittleEndian, True) == Dataset(original)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("into", LOSSLESS)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, *COMPRESSED])
def test_a_peer_that_takes_one_lossless_syntax_alone_gets_the_same_object_in_it(
    archive: Archive, write: Callable[..., Path], tmp_path: Path, syntax: str, into: str
) -> None:
    archive.takes = into.__eq__
    path = write("1.dcm", syntax)
    with Sender(archive.destination, work=tmp_path) as sender:
        sent = sender.send(path)
    ((instance, used, content),) = archive.stored
    original = dcmread(path)
    made = Dataset(read_dataset(BytesIO(content), False, True))
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(into)
    assert (instance, used, sent.transfer_syntax) == (original.SOPInstanceUID, into, into)
    assert np.array_equal(made.pixel_array, original.pixel_array)
    del made.PixelData, original.PixelData
    assert made == Dataset(original)
    assert len(archive.requests) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_compression_is_for_those_who_take_nothing_else(archive: Archive, write: Callable[..., Path]) -> None:
    archive.takes = (ImplicitVRLittleEndian, *LOSSLESS).__contains__
    with Sender(archive.destination) as sender:
        assert sender.send(write("1.dcm")).transfer_syntax == ImplicitVRLittleEndian


def test_who_needs_many_contexts_asks_again_for_what_had_no_room(archive: Archive, write: Callable[..., Path]) -> None:
    others = [Need(f"1.2.840.10008.5.1.4.1.1.{number}", JPEG2000Lossless) for number in range(100, 141)]
    archive.takes = RLELossless.__eq__
    paths = [write(f"{at}.dcm", sop_class=sop_class) for at, sop_class in enumerate((CT, SECONDARY_CAPTURE))]
    with Sender(archive.destination, [Need(CT, ExplicitVRLittleEndian), *others]) as sender:
        for path in (*paths, paths[1]):
            assert sender.send(path).transfer_syntax == RLELossless
    assert len(archive.requests) == 2
    with Sender(archive.destination, [Need(SECONDARY_CAPTURE, ExplicitVRLittleEndian), *others[:38]]) as sender:
        for path in (paths[1], write("2.dcm", sop_class=others[5].sop_class)):
            sender.send(path)
    assert len(archive.requests) == 4


def test_who_had_no_room_has_it_before_what_came_long_ago(archive: Archive, write: Callable[..., Path]) -> None:
    """An association may stay for as long as something comes, and what it was made for may come no more."""
    others = [Need(f"1.2.840.10008.5.1.4.1.1.{number}", JPEG2000Lossless) for number in range(100, 160)]
    paths = [write(f"{at}.dcm", sop_class=sop_class) for at, sop_class in enumerate((CT, SECONDARY_CAPTURE))]
    with Sender(archive.destination, others) as sender:
        for path in paths * 3:
            sender.send(path)
    assert len(archive.stored) == 6
    assert len(archive.requests) == 2


def test_a_peer_that_takes_nothing_holds_the_object(archive: Archive, write: Callable[..., Path]) -> None:
    archive.takes = lambda _: False
    with Sender(archive.destination) as sender:
        for _ in range(2):
            with pytest.raises(Rejected, match="no presentation context") as explicit:
                sender.send(write("1.dcm"))
        assert len(archive.requests) == 1
        with pytest.raises(Rejected, match="no presentation context") as compressed:
            sender.send(write("2.dcm", RLELossless))
    assert archive.stored == []
    named = "Secondary Capture Image Storage, neither in {} nor otherwise without loss"
    assert str(explicit.value).endswith(named.format("Explicit VR Little Endian"))
    assert str(compressed.value).endswith(named.format("RLE Lossless"))


def test_each_association_is_shown_with_what_was_refused(archive: Archive, write: Callable[..., Path]) -> None:
    archive.takes = ExplicitVRLittleEndian.__eq__
    made: list[Association] = []
    with Sender(replace(archive.destination, made=made.append)) as sender:
        sender.send(write("1.dcm", RLELossless))
    (association,) = made
    assert [context.transfer_syntax for context in association.contexts.values()] == [ExplicitVRLittleEndian]
    refused = {number: 4 for number in association.request.proposals if number not in association.contexts}
    assert association.because == refused
    assert len(refused) >= 2


def test_an_association_that_cannot_be_told_of_is_not_used(archive: Archive, write: Callable[..., Path]) -> None:
    """As where standard error is closed, to which the log goes."""
    fails = iter([False, True, False])

    def made(_: Association) -> None:
        if next(fails):
            raise OSError

    first, second = write("1.dcm"), write("2.dcm", DeflatedExplicitVRLittleEndian)
    with Sender(replace(archive.destination, made=made)) as sender:
        sender.send(first)
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            sender.send(second)
        sender.send(second)
    assert [syntax for _, syntax, _ in archive.stored] == [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]


def test_what_cannot_be_converted_is_held_before_anything_is_sent(
    archive: Archive, write: Callable[..., Path], tmp_path: Path
) -> None:
    archive.takes = FALL_BACK.__contains__
    path = write("1.dcm", RLELossless)
    frame = get_frame(dcmread(path).PixelData, 0, number_of_frames=1)
    path.write_bytes(path.read_bytes().replace(frame[:64], b"\xff" * 64))
    with Sender(archive.destination, work=tmp_path) as sender:
        with pytest.raises(Rejected, match="cannot be decoded"):
            sender.send(path)
        sender.send(write("2.dcm", JPEG2000Lossless))
    assert len(archive.stored) == len(archive.requests) == 1


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(archive: Archive, write: Callable[..., Path], status: int) -> None:
    archive.says = lambda _: status
    with Sender(archive.destination) as sender:
        sent = sender.send(write("1.dcm"))
    assert (sent.status.code, sent.status.kind) == (status, Kind.WARNING)


@pytest.mark.parametrize(
    ("status", "error"),
    [(0xA700, Declined), (0xA7FF, Declined), (0x0110, Declined), (0x0213, Declined)]
    + [(code, Rejected) for code in (0xA900, 0xC000, 0xC211, 0x0111, 0x0117, 0x0122, 0x0124, 0x0211, 0xFE00, 0x1234)],
)
def test_other_statuses_say_whether_to_try_again(
    archive: Archive, write: Callable[..., Path], status: int, error: type[Exception]
) -> None:
    archive.says = lambda number: status if number == 1 else 0
    with Sender(archive.destination) as sender:
        with pytest.raises(error, match=f"{status:04X}"):
            sender.send(write("1.dcm"))
        sender.send(write("2.dcm"))
    assert len(archive.requests) == 1


def test_an_answer_for_another_object_is_none_for_this_one(
    archive: Archive, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(association: Association, number: int) -> None:
        def send(context: int, command: Command) -> None:
            monkeypatch.undo()
            association.send(context, {**command, AFFECTED_SOP_INSTANCE: "1.2.3"})

        if number == 1:
            monkeypatch.setattr(association, "send", send)

    archive.before = mistake
    with Sender(archive.destination) as sender:
        with pytest.raises(BrokenOff, match="another one"):
            sender.send(path := write("1.dcm"))
        sender.send(path)
    assert len(archive.requests) == 2


def test_an_association_that_was_closed_while_it_was_idle_is_made_anew(
    archive: Archive, write: Callable[..., Path]
) -> None:
    def close(association: Association, number: int) -> None:
        if number == 2:
            association._wire.close()
            association.is_open = False

    archive.before = close
    with Sender(archive.destination) as sender:
        for name in ("1.dcm", "2.dcm"):
            sender.send(write(name))
    assert len(archive.stored) == len(archive.requests) == 2


def test_a_conversion_that_outlasts_the_patience_of_the_peer_is_no_fault_of_the_object(
    archive: Archive, write: Callable[..., Path]
) -> None:
    def slow(path: Path, into: str, work: Path | None) -> Source:
        archive.connections[-1].shutdown(socket.SHUT_RDWR)
        return convert(path, into, work)

    archive.takes = FALL_BACK.__contains__
    with Sender(archive.destination, converted=slow) as sender:
        for name in ("1.dcm", "2.dcm"):
            assert sender.send(write(name, RLELossless)).transfer_syntax in FALL_BACK
    assert len(archive.stored) == 2
    assert len(archive.requests) == 3


def test_a_peer_that_always_aborts_is_not_asked_again_and_again(archive: Archive, write: Callable[..., Path]) -> None:
    archive.before = lambda association, _: association.abort()
    with Sender(archive.destination) as sender, pytest.raises(BrokenOff, match="this object"):
        sender.send(write("1.dcm"))
    assert len(archive.requests) == 1


def test_whose_association_ends_before_an_object_is_sent_is_away(archive: Archive, write: Callable[..., Path]) -> None:
    def hang_up(number: int) -> None:
        raise Aborted(str(number))

    archive.refuses = hang_up
    with Sender(archive.destination) as sender, pytest.raises(Deferred) as away:
        sender.send(write("1.dcm"))
    assert not isinstance(away.value, BrokenOff)


def test_an_answer_that_does_not_come_is_not_waited_for(archive: Archive, write: Callable[..., Path]) -> None:
    def wait(association: Association, _: int) -> None:
        association.receive()

    archive.before = wait
    with Sender(replace(archive.destination, answer=0.2)) as sender, pytest.raises(BrokenOff):
        sender.send(write("1.dcm"))


def test_who_is_not_there_or_refuses_is_for_later(archive: Archive, write: Callable[..., Path]) -> None:
    with (
        Sender(replace(archive.destination, port=1)) as sender,
        pytest.raises(Unreachable, match="cannot be reached"),
    ):
        sender.send(write("1.dcm"))
    archive.refuses = lambda _: CALLED_NOT_RECOGNIZED
    with Sender(archive.destination) as sender, pytest.raises(Refused, match="called AE title is not recognized"):
        sender.send(write("1.dcm"))
    assert issubclass(Refused, Deferred)
    assert issubclass(Unreachable, Deferred)


def test_what_is_no_object_is_not_sent(archive: Archive, write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no object")
    nameless = write("nameless.dcm")
    content = nameless.read_bytes()
    begin = content.index(b"\x08\0\x18\0UI")
    nameless.write_bytes(
        content[:begin] + content[begin : begin + 8] + b"../../pwned".ljust(64) + content[begin + 72 :]
    )
    with Sender(archive.destination) as sender:
        with pytest.raises(Unreadable):
            sender.send(tmp_path / "text")
        with pytest.raises(Rejected, match="no valid SOP Class and SOP Instance UID"):
            sender.send(nameless)
    assert archive.requests == []


def test_a_need_is_the_class_and_the_syntax(write: Callable[..., Path]) -> None:
    for syntax in AS_THEY_ARE:
        assert need_of(write("1.dcm", syntax)) == Need(SECONDARY_CAPTURE, syntax)


def test_echo(archive: Archive) -> None:
    assert echo(archive.destination).kind is Kind.SUCCESS
    archive.takes = lambda _: False
    with pytest.raises(Deferred, match="does not know C-ECHO"):
        echo(archive.destination)


def test_a_destination_is_named_as_people_write_it(archive: Archive) -> None:
    assert str(replace(archive.destination, port=104)) == "ARCHIVE@127.0.0.1:104"
    assert str(replace(archive.destination, host="::1", port=104)) == "ARCHIVE@[::1]:104"
