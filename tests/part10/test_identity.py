from __future__ import annotations

import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import Rejected
from deid.part10.encoding import encode, encoding_of
from deid.part10.identity import Identity, identity_in

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))


def head(syntax: str, *, before: tuple[str, bytes] = ("ISO_IR 100", b"")) -> bytes:
    encoding = encoding_of(syntax)
    content = encode(0x00080005, "CS", before[0].encode(), encoding) + before[1]
    content += encode(0x00080016, "UI", b"1.2.3", encoding) + encode(0x00080018, "UI", b"1.2.3.45", encoding)
    content += encode(0x00100010, "PN", b"Seen^Nowhere", encoding)
    if syntax == DEFLATED:
        stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return stream.compress(content) + stream.flush()
    return content


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
def test_an_object_says_what_it_is(syntax: str) -> None:
    assert identity_in(head(syntax), syntax) == Identity("1.2.3", "1.2.3.45")


def test_what_is_not_in_the_bytes_is_not_found() -> None:
    content = head(EXPLICIT)
    assert identity_in(content[:20], EXPLICIT) == Identity("", "")
    assert identity_in(content[: content.index(b"1.2.3.45") + 4], EXPLICIT) == Identity("1.2.3", "")
    assert identity_in(b"", EXPLICIT) == Identity("", "")
    long = b"\x08\0\x06\0SQ\0\0\xff\xff\xff\xff"
    assert identity_in(head(EXPLICIT, before=("", long)), EXPLICIT) == Identity("", "")


def test_a_deflated_bomb_is_not_inflated() -> None:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = stream.compress(head(EXPLICIT)[:18] + b"\x08\0\x06\0UN\0\0\0\0\0\x10" + bytes(64 << 20)) + stream.flush()
    tracemalloc.start()
    assert identity_in(bomb, DEFLATED) == Identity("", "")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=100), st.sampled_from([IMPLICIT, EXPLICIT, DEFLATED, BIG]))
def test_any_bytes_are_walked_or_held(content: bytes, syntax: str) -> None:
    for begin in (b"", b"\x08\0\x05\0CS\2\0AB"):
        with suppress(Rejected):
            identity_in(begin + content, syntax)
