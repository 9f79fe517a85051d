"""However a body is cut into chunks, its parts are the same; one that is broken is never taken for a whole one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.network.multipart import BrokenBody, MediaType, Parts, boundary_of, media_type

if TYPE_CHECKING:
    from collections.abc import Iterator

B = b"=_b"
# What could be taken for a boundary, or be cut in two, is what matters.
CONTENT = st.lists(st.sampled_from([b"\r\n", b"\r\n--", b"--=_", b"=_b", b"-", b"\r", b"\n", b"x", b"\0" * 90])).map(
    b"".join
)


def body(*contents: bytes, end: bytes = b"--", head: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    parts = b"".join(b"--" + B + b"\r\n" + head + b"\r\n" + content + b"\r\n" for content in contents)
    return parts + b"--" + B + end


def cut(whole: bytes, places: list[int]) -> Iterator[bytes]:
    marks = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return (whole[start:end] for start, end in pairwise(marks))


def read(whole: bytes, places: list[int] | None = None) -> list[bytes]:
    chunks = cut(whole, places if places is not None else list(range(len(whole))))
    return [b"".join(part.content) for part in Parts(chunks, B)]


@given(st.lists(CONTENT, min_size=1, max_size=4), st.lists(st.integers(0, 10_000)))
def test_the_parts_are_the_same_wherever_the_body_is_cut(contents: list[bytes], places: list[int]) -> None:
    contents = [content for content in contents if b"\r\n--=_b" not in b"\r\n" + content]
    if contents:
        assert read(body(*contents), places) == contents


@given(st.lists(CONTENT, min_size=1, max_size=3), st.integers(1, 10_000), st.lists(st.integers(0, 10_000)))
def test_a_body_that_was_cut_off_is_never_whole(contents: list[bytes], less: int, places: list[int]) -> None:
    contents = [content for content in contents if b"\r\n--=_b" not in b"\r\n" + content]
    whole = body(*contents)
    with pytest.raises(BrokenBody):
        read(whole[: -(1 + less % len(whole))] if contents else b"", places)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_whatever_is_sent_is_parts_or_a_broken_body(whole: bytes, places: list[int]) -> None:
    try:
        parts = read(b"--" + B + whole, places)
    except BrokenBody:
        return
    assert isinstance(parts, list)


def test_what_nobody_reads_of_a_part_is_passed_over() -> None:
    chunks = cut(body(b"one" * 1000, b"two"), list(range(0, 4000, 7)))
    first, second = (next(part.content) if number else b"" for number, part in enumerate(Parts(chunks, B)))
    assert (first, second[:1]) == (b"", b"t")


def test_no_more_than_a_window_is_held() -> None:
    largest = 0

    def chunks() -> Iterator[bytes]:
        yield body(b"")[:-7]
        for _ in range(1000):
            yield b"\0" * 65536
        yield b"\r\n--" + B + b"--"

    parts = Parts(chunks(), B)
    for part in parts:
        for each in part.content:
            largest = max(largest, len(each), len(parts._buffer))
    assert 60_000 < largest < 70_000


def test_before_the_first_and_behind_the_last_boundary_is_nothing() -> None:
    assert read(b"words\r\nfor the eye\r\n" + body(b"x") + b"\r\nmore of them") == [b"x"]
    assert read(body(end=b"--")) == []


def test_header_fields_may_be_folded_and_may_be_absent() -> None:
    (part,) = Parts(iter([body(b"x", head=b"CONTENT-type: application/dicom;\r\n\ttransfer-syntax=*\r\n")]), B)
    assert part.headers == {"content-type": "application/dicom; transfer-syntax=*"}
    (part,) = Parts(iter([body(b"x", head=b"")]), B)
    assert part.headers == {}
    assert read(b"--=_b\r\nA: b\r\n\r\n--=_b--") == [b""]


def test_spaces_are_part_of_a_header_field_only_within_it() -> None:
    said = b"x" + b" \t" * 4_000 + b"y"
    (part,) = Parts(iter([body(b"", head=b"A: \t" + said + b"\t \r\nB:\r\n")]), B)
    assert part.headers == {"a": said.decode(), "b": ""}


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"no boundary at all",
        b"\r\n" * 20_000,
        body(b"x", end=b""),
        body(b"x", end=b"\r\n"),
        body(b"x", end=b"-"),
        body(b"x", end=b"X--"),
        body(b"one\r\n--=_bold two"),  # RFC 2046 5.1.1: nothing within a part may begin so
        body(b"x", head=b"no header field\r\n"),
        body(b"x", head=b"no name: b\r\n"),
        body(b"x", head=b": b\r\n"),
        body(b"x", head=b"A: " + b"b" * 20_000 + b"\r\n"),
        b"--=_b" + b" " * 20_000 + body(b"x")[5:],
    ],
)
def test_what_is_broken_is_told(whole: bytes) -> None:
    with pytest.raises(BrokenBody):
        read(whole, [5, 100])


@pytest.mark.parametrize(
    ("said", "boundary"),
    [
        ("multipart/related; boundary=a", b"a"),
        ('Multipart/Related; type="application/dicom"; boundary="a b=?"', b"a b=?"),
        ("multipart/related; BOUNDARY=" + "a" * 128, b"a" * 128),
    ],
)
def test_the_boundary_may_be_quoted(said: str, boundary: bytes) -> None:
    kind = media_type(said)
    assert kind.name == "multipart/related"
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "said",
    ["", "multipart/related", 'multipart/related; boundary=""', "a/b; boundary=" + "a" * 129, 'a/b; boundary="a "'],
)
def test_without_a_boundary_nothing_is_to_be_had(said: str) -> None:
    with pytest.raises(BrokenBody):
        boundary_of(media_type(said))


@pytest.mark.parametrize("more", ['="' + ";" * 16_000, "=b; " + "c=d;" * 4_000])
def test_a_media_type_that_is_much_too_long_is_not_taken_apart(more: str) -> None:
    """What takes the square of its length keeps all other threads waiting, part by part."""
    assert media_type("multipart/related; boundary=a; a" + more) == MediaType("", {})
