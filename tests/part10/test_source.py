"""Files: what is opened, what the outline finds, and how bad input ends."""

from __future__ import annotations

import os
import socket
import tracemalloc
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
import pytest

from deid.errors import Deferred, DeidError, Rejected, Unreadable
from deid.part10 import outline as module
from deid.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED,
    Encoding,
    encode,
    encode_items,
)
from deid.part10.outline import BULK, Outline, outline
from deid.part10.place import Span, Truncated
from deid.part10.source import WINDOW, Limits, Source, open_source

LITTLE = EXPLICIT_LITTLE
SYNTAX = {
    EXPLICIT_LITTLE: b"1.2.840.10008.1.2.1",
    IMPLICIT_LITTLE: b"1.2.840.10008.1.2",
    EXPLICIT_BIG: b"1.2.840.10008.1.2.2",
}
DEFLATED = b"1.2.840.10008.1.2.1.99"
CLASS = b"1.2.840.10008.5.1.4.1.1.7"
NAME, IMAGES, CONTENT, LUT, PIXELS = 0x00100010, 0x00081140, 0x0040A730, 0x00283006, 0x7FE00010
END_ITEM = bytes.fromhex("feff0de000000000")
END_ITEMS = bytes.fromhex("feffdde000000000")
OPEN_ITEM = bytes.fromhex("feff00e0ffffffff")
name = encode(NAME, "PN", b"DOE^JOHN", LITTLE)
modality = encode(0x00080060, "CS", b"OT", LITTLE)
rows = encode(0x00280010, "US", b"\x01\0", LITTLE)
pixels = encode(PIXELS, "OW", b"\1\2" * 8, LITTLE)


def meta(syntax: bytes = SYNTAX[LITTLE]) -> bytes:
    elements = encode(0x00020002, "UI", CLASS, LITTLE) + encode(0x00020010, "UI", syntax, LITTLE)
    return bytes(128) + b"DICM" + encode(0x00020000, "UL", pack("<I", len(elements)), LITTLE) + elements


def undefined(tag: int, vr: str, content: bytes, encoding: Encoding = LITTLE) -> bytes:
    return encode(tag, vr, b"", encoding)[:-4] + encoding.length32.pack(UNDEFINED) + content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "object"


def opened(path: Path, content: bytes, limits: Limits | None = None) -> Source:
    path.write_bytes(content)
    return open_source(path, limits or Limits(), path.parent)


def outlined(path: Path, content: bytes, limits: Limits | None = None) -> Outline:
    source = opened(path, content, limits)
    try:
        return outline(source, limits or Limits())
    finally:
        source.close()


def restored(path: Path, found: Outline) -> bytes:
    """Buffer and spans put together again: the data set as it is in the file."""
    content = path.read_bytes()
    parts: list[bytes | bytearray] = []
    keep = 0
    for place in found.places:
        if span := found.spans.get(place.start):
            parts += [found.buffer[keep : place.value], content[span.offset : span.offset + span.length]]
            keep = place.value
    return b"".join([*parts, found.buffer[keep:]])


def test_a_source_tells_its_syntax_and_where_the_data_set_begins(path: Path) -> None:
    source = opened(path, meta() + name)
    assert (source.transfer_syntax, source.media_storage_class) == (SYNTAX[LITTLE].decode(), CLASS.decode())
    assert source.encoding is LITTLE
    assert source.read(source.start, 100) == name
    source.close()


def test_the_preamble_may_be_missing(path: Path) -> None:
    assert outlined(path, meta()[132:] + name).value(NAME) == b"DOE^JOHN"


def test_the_stated_length_of_the_meta_information_is_not_trusted(path: Path) -> None:
    content = bytearray(meta() + name)
    for length in (0, 4, 0xFFFFFF):
        content[140:144] = pack("<I", length)
        assert outlined(path, bytes(content)).value(NAME) == b"DOE^JOHN"


@pytest.mark.parametrize(
    "content",
    [b"", b"D", b"DICM", b"\x02\0", b"\x08", b"not DICOM at all", b"\x89PNG" + bytes(500), b"PK\3\4" * 99, bytes(5000)],
)
def test_what_is_not_dicom_is_unreadable(path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable):
        opened(path, content)


@pytest.mark.parametrize(
    "content",
    [
        name[:2].replace(b"\x10", b"\x08") + b"\x05\0CS\x00\0" + name,
        b"\0\x08\0\x05CS\0\0",
        b"\x02\0\0\0",
        b"\x02\0\x10\0UI",
        b"\x02\0\x10\0UI\xff\xff",
        meta()[:-1],
        meta(),
        meta(b"") + name,
        meta(b"1.2.840.113619.5.2") + name,
        meta().replace(b"\x02\0\x02\0UI", b"\x02\0\x02\0??") + name,
        meta().replace(b"\x02\0\x02\0UI", b"\x02\0\x02\0LT") + name[:7],
        bytes(128) + b"DICM",
        bytes(128) + b"DICM" + name,
        bytes(128) + b"DICM\x02\0",
        bytes(128) + b"DICM\x02\0\x02\x01OB\0\0\xff\xff\xff\xff",
        meta() + encode(0x00020102, "OB", bytes(WINDOW), LITTLE) + name,
        (meta() + encode(0x00020102, "OB", bytes(WINDOW - len(meta()) - 12), LITTLE)) + meta(DEFLATED)[144:] + name,
    ],
)
def test_a_broken_or_missing_meta_information_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(Rejected):
        outlined(path, content)


def test_only_regular_files_are_opened_and_none_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    os.mkfifo("fifo")
    Path("folder").mkdir()
    Path("dangling").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for what in ("fifo", "folder", "dangling", "loop", "socket", "absent", "absent/absent", "/dev/zero"):
            with pytest.raises(Unreadable):
                open_source(what, Limits())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(path: Path) -> None:
    path.write_bytes(meta() + name)
    path.chmod(0)
    with pytest.raises(Unreadable):
        open_source(path, Limits())


def test_no_refusal_leaves_a_descriptor_open(path: Path) -> None:
    before = os.dup(0)
    os.close(before)
    for content in (b"", meta(b""), meta(DEFLATED) + b"damaged", meta(DEFLATED)):
        with pytest.raises(DeidError):
            opened(path, content)
    after = os.dup(0)
    os.close(after)
    assert after == before  # the lowest free number is still free


def test_a_file_that_ends_anywhere_is_refused_or_ends_between_elements(path: Path) -> None:
    nested = undefined(IMAGES, "SQ", OPEN_ITEM + name + END_ITEM + encode_items([rows], LITTLE) + END_ITEMS)
    elements = [modality, nested, encode(CONTENT, "SQ", encode_items([name, b""], LITTLE), LITTLE)]
    elements.append(undefined(PIXELS, "OB", encode_items([b"", b"JPEG"], LITTLE) + END_ITEMS))
    content = meta() + b"".join(elements)
    boundaries = [len(meta()) + sum(map(len, elements[:count])) for count in range(1, len(elements) + 1)]
    for end in range(len(content)):
        if end not in boundaries:
            with pytest.raises((Rejected, Unreadable)):
                outlined(path, content[:end])
    assert [outlined(path, content[:end]).places[-1].tag for end in boundaries] == [0x00080060, IMAGES, CONTENT, PIXELS]


def deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


@pytest.mark.parametrize("size", [0, 100, (1 << 20) - 24, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_deflated_data_set_is_inflated(path: Path, size: int) -> None:
    content = name + encode(0x00420011, "OB", bytes(size), LITTLE)
    source = opened(path, meta(DEFLATED) + deflate(content) + b"\0")
    assert source.read(source.start, source.size + 1) == content
    source.close()
    assert sorted(path.parent.iterdir()) == [path]


def test_a_deflated_data_set_may_not_grow_without_limit(path: Path) -> None:
    stream = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    bomb = b"".join([stream.compress(bytes(1 << 20)) for _ in range(850)]) + stream.flush()
    assert len(bomb) < 4 << 20
    tracemalloc.start()
    with pytest.raises(Rejected, match="grows beyond 8 MB"):
        opened(path, meta(DEFLATED) + bomb, Limits(inflated=8 << 20))
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"\xff" + data, lambda _: b"\0"])
def test_a_damaged_deflated_data_set_is_refused(path: Path, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(Rejected):
        opened(path, meta(DEFLATED) + damage(deflate(name * 100)))


def test_no_room_to_inflate_is_no_fault_of_the_object(path: Path) -> None:
    path.write_bytes(meta(DEFLATED) + deflate(name))
    with pytest.raises(Deferred):
        open_source(path, Limits(), path.parent / "absent")


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_large_binary_values_stay_on_disk(path: Path, encoding: Encoding) -> None:
    def element(tag: int, vr: str, value: bytes) -> bytes:
        return encode(tag, vr, value, encoding)

    small, large, huge = bytes(BULK - 2), os.urandom(BULK), os.urandom(3 * WINDOW + 2)
    data = [
        element(0x00080060, "CS", b"OT"),
        element(0x00143050, "OB", large),
        element(0x00204000, "LT", b"text "),
        element(0x00281201, "OW", huge),
        element(0x00281202, "OW", small),
        element(0x00281203, "OW", large),
        element(0x00420010, "ST", b"title "),
        element(0x00660016, "OF", large),
        element(0x7FE00010, "OW", huge),
    ]
    found = outlined(path, meta(SYNTAX[encoding]) + b"".join(data) + b"trailing")
    assert restored(path, found) == b"".join(data)
    assert len(found.buffer) == sum(map(len, data)) - 3 * len(large) - 2 * len(huge)
    assert found.trailing == len(b"trailing")
    assert [found.buffer[place.start : place.start + 4] for place in found.places] == [one[:4] for one in data]
    spans = {place.tag: found.spans[place.start].length for place in found.places if place.start in found.spans}
    assert spans == {0x00143050: BULK, 0x00281201: len(huge), 0x00281203: BULK, 0x00660016: BULK, 0x7FE00010: len(huge)}
    assert found.text(0x00420010) == "title"
    assert found.value(0x00281202) == small
    assert found.value(0x7FE00010) == b""
    assert found.value(NAME) is None


def test_encapsulated_pixels_are_one_span_with_their_delimiter(path: Path) -> None:
    fragments = encode_items([b"", os.urandom(WINDOW), b"ab", END_ITEMS], LITTLE) + END_ITEMS
    data = name + undefined(PIXELS, "OB", fragments)
    found = outlined(path, meta() + data + encode(0xFFFCFFFC, "OB", bytes(100), LITTLE))
    assert found.spans == {len(name): Span(len(meta()) + len(name) + 12, len(fragments))}
    assert restored(path, found) == data
    assert found.trailing == 112


def test_an_encapsulated_document_is_a_span_as_well_and_what_follows_is_found(path: Path) -> None:
    fragments = encode_items([os.urandom(WINDOW)], LITTLE) + END_ITEMS
    data = undefined(0x00420011, "OB", fragments) + encode(0x00420012, "LO", b"application/pdf ", LITTLE)
    found = outlined(path, meta() + data)
    assert found.text(0x00420012) == "application/pdf"
    assert restored(path, found) == data


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_a_window_may_end_anywhere(path: Path, monkeypatch: pytest.MonkeyPatch, encoding: Encoding) -> None:
    def items(*contents: bytes) -> bytes:
        return encode_items(list(contents), encoding)

    end_items = encoding.implicit_header.pack(0xFFFE, 0xE0DD, 0)
    last = encode(0x00280010, "US", b"\1\1", encoding)
    encode(0x00281201, "OW", bytes(BULK + 90), encoding)
    inner = undefined(CONTENT, "SQ", items(last) + end_items, encoding)
    data = encode(0x00080060, "CS", b"OT", encoding)
    data += undefined(IMAGES, "SQ", items(last, last * 2, inner) + end_items, encoding)
    data += encode(0x00100010, "PN", b"DOE^JOHN", encoding)
    data += encode(CONTENT, "SQ", items(last), encoding)
    data += encode(0x00281201, "OW", bytes(BULK + 90), encoding)
    data += encode(0x00420010, "ST", b"title", encoding)
    if encoding.explicit:
        data += undefined(PIXELS, "OB", items(b"", b"JPEG") + end_items, encoding)
    else:
        data += encode(PIXELS, "OW", b"pixels", encoding)
    whole = outlined(path, meta(SYNTAX[encoding]) + data)
    source = open_source(path, Limits())
    for window in range(12, 260):
        monkeypatch.setattr(module, "WINDOW", window)
        monkeypatch.setattr(module._Outliner._fill, "__defaults__", (window,))
        found = outline(source, Limits())
        assert (found.places, found.spans, found.trailing) == (whole.places, whole.spans, 0)
        assert found.buffer == whole.buffer
    source.close()


def test_reading_ahead_for_a_sequence_does_not_keep_the_pixels(path: Path) -> None:
    item = encode_items([name * 10], LITTLE)
    sequence = undefined(IMAGES, "SQ", item * (5 * WINDOW // len(item)) + END_ITEMS)
    data = sequence + rows + encode(PIXELS, "OW", bytes(40 * WINDOW), LITTLE)
    found = outlined(path, meta() + data, Limits(header=7 * WINDOW))
    assert restored(path, found) == data
    assert len(found.buffer) == len(sequence) + len(rows) + 12


def test_memory_does_not_depend_on_the_pixels(path: Path) -> None:
    path.write_bytes(meta() + name + encode(PIXELS, "OW", b"", LITTLE)[:-4] + pack("<I", 1 << 30))
    os.truncate(path, path.stat().st_size + (1 << 30))  # a hole
    source = open_source(path, Limits())
    tracemalloc.start()
    assert outline(source, Limits()).trailing == 0
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    source.close()


@pytest.mark.parametrize("claim", [0x7FFFFFFE, 0xFFFFFFFE])
@pytest.mark.parametrize(("tag", "vr"), [(IMAGES, "SQ"), (0x00420011, "OB"), (0x00189000, "UT"), (PIXELS, "OW")])
def test_a_claimed_length_takes_no_memory(path: Path, tag: int, vr: str, claim: int) -> None:
    tracemalloc.start()
    with pytest.raises(Truncated):
        outlined(path, meta() + encode(tag, vr, b"", LITTLE)[:-4] + pack("<I", claim) + b"short")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_what_is_not_bulk_has_a_limit(path: Path) -> None:
    text = encode(0x00189000, "UT", b" " * (3 * WINDOW), LITTLE)
    limits = Limits(header=2 * WINDOW)
    for content in (text, undefined(IMAGES, "SQ", encode_items([name * 20_000], LITTLE) + END_ITEMS), name * 10_000):
        with pytest.raises(Rejected, match="takes more than"):
            outlined(path, meta() + content, limits)


def test_the_number_of_elements_has_a_limit(path: Path) -> None:
    with pytest.raises(Rejected, match="more than 65536 elements"):
        outlined(path, meta() + b"".join(encode(0x10010000 + number, "CS", b"", LITTLE) for number in range(90_000)))


@pytest.mark.parametrize("defined", [True, False])
def test_ten_thousand_levels_end_quickly(path: Path, *, defined: bool) -> None:
    header = encode(CONTENT, "SQ", b"", LITTLE)[:-4]
    if defined:
        rests = range(20 * 9999, -1, -20)
        data = b"".join(header + pack("<I", rest + 8) + OPEN_ITEM[:4] + pack("<I", rest) for rest in rests)
        data = undefined(IMAGES, "SQ", encode_items([data], LITTLE) + END_ITEMS)
    else:
        data = (header + pack("<I", UNDEFINED) + OPEN_ITEM) * 10_000
    with pytest.raises(Rejected, match="nested deeper"):
        outlined(path, meta() + data)


@pytest.mark.parametrize(
    "data",
    [
        pixels + name,
        pixels + encode(0x00080018, "UI", b"1.2", LITTLE),
        undefined(PIXELS, "OB", END_ITEMS) + name,
        encode(PIXELS, "UT", b"pixels", LITTLE),  # another form would not be seen as the end
        encode(PIXELS, "US", b"\1\0", LITTLE) + name,
        encode(PIXELS, "UN", b"pixels", LITTLE),
        name + name,
        name + rows + name,
        modality + END_ITEM + name,
        modality + END_ITEMS + name,
        encode_items([name], LITTLE),
        b"\xfe\xff\x0d\xe0LO\x08\0DOE^JOHN" + name,
        undefined(NAME, "UN", END_ITEMS),
        undefined(0x00189000, "UT", END_ITEMS),
        undefined(IMAGES, "SQ", name),
        undefined(IMAGES, "SQ", encode_items([name], LITTLE) + END_ITEMS[:4] + b"DOE^"),
        undefined(PIXELS, "OB", END_ITEMS[:4] + b"DOE^"),
        undefined(PIXELS, "OB", OPEN_ITEM + END_ITEM + END_ITEMS),
        undefined(PIXELS, "OB", encode_items([b"JPEG"], LITTLE)),
        name[:4] + b"pn" + name[6:],
        bytes(16),
    ],
)
def test_what_readers_disagree_about_is_refused(path: Path, data: bytes) -> None:
    with pytest.raises(Rejected):
        outlined(path, meta() + data)


@pytest.mark.parametrize("padding", [b"", b"\0", bytes(300), bytes((1 << 20) - 130), bytes(1 << 20)])
def test_another_object_behind_the_pixels_is_not_lost(path: Path, padding: bytes) -> None:
    whole = meta() + name + pixels
    with pytest.raises(Rejected, match="another object follows in the same file"):
        outlined(path, whole + padding + whole)


def test_what_is_behind_the_pixels_and_is_no_element_is_dropped(path: Path) -> None:
    for tail in (b"\0", bytes(9), b"\n", encode(0xFFFCFFFC, "OB", bytes(50), LITTLE)):
        found = outlined(path, meta() + name + pixels + tail)
        assert found.buffer == name + pixels
        assert found.trailing == len(tail)


@pytest.mark.parametrize(
    ("stated", "real"),
    [
        (IMPLICIT_LITTLE, EXPLICIT_LITTLE),
        (EXPLICIT_LITTLE, IMPLICIT_LITTLE),
        (EXPLICIT_LITTLE, EXPLICIT_BIG),
        (EXPLICIT_BIG, EXPLICIT_LITTLE),
        (IMPLICIT_LITTLE, EXPLICIT_BIG),
        (EXPLICIT_BIG, IMPLICIT_LITTLE),
    ],
)
def test_an_encoding_that_is_not_the_stated_one_is_refused(path: Path, stated: Encoding, real: Encoding) -> None:
    def element(tag: int, vr: str, value: bytes) -> bytes:
        return encode(tag, vr, value, real)

    # Black pixels without end: read out of step they look like empty elements, and a header was kept as one value.
    data = element(0x00080005, "CS", b"ISO_IR 100") + element(NAME, "PN", b"DOE^JOHN")
    data += element(PIXELS, "OW", bytes(3 << 20))
    with pytest.raises(Rejected):
        outlined(path, meta(SYNTAX[stated]) + data)


def test_a_file_that_becomes_shorter_is_truncated(path: Path) -> None:
    source = opened(path, meta() + name + encode(0x00189000, "UT", b" " * WINDOW, LITTLE) + rows)
    os.truncate(path, len(meta()) + len(name))
    with pytest.raises(Truncated):
        outline(source, Limits())
    source.close()


def test_no_refusal_tells_bytes_that_may_be_a_value(path: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        outlined(path, meta() + modality + b"DOE^JOHN" + rows)
    assert not any(word in str(refusal.value).upper() for word in ("4F44", "5E45", "DOE"))


def test_every_file_of_the_corpus_is_outlined_as_pydicom_reads_it(corpus: Path) -> None:
    compared = 0
    for file in sorted(found for found in corpus.rglob("*") if found.is_file()):
        try:
            source = open_source(file, Limits())
        except DeidError:
            continue
        try:
            found = outline(source, Limits())
            content = source.read(source.start, source.size - source.start)
        except DeidError:
            continue
        finally:
            source.close()
        if source.start:  # not inflated
            assert restored(file, found) + content[len(content) - found.trailing :] == content, file.name
        theirs: list[int] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags = list(pydicom.dcmread(BytesIO(file.read_bytes()), force=True).keys())
        for tag in tags:
            theirs.append(int(tag))
            if int(tag) in module.PIXELS:
                break
        assert [place.tag for place in found.places] == theirs, file.name
        compared += 1
    assert compared > 100
