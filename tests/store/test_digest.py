"""A digest is of transfer syntax and data set, however it comes, and of a key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from deid.store.digest import FORMER_BYTES, Digest, FormerDigest

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
KINDS = (FormerDigest, lambda syntax: Digest(KEY, syntax))


def of(digest: Digest | FormerDigest, *chunks: bytes) -> bytes:
    for chunk in chunks:
        digest.update(chunk)
    return digest.end()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_of_data_set_and_transfer_syntax(kind: Callable[[str], Digest | FormerDigest]) -> None:
    assert of(kind("1.2"), b"data set") == of(kind("1.2"), b"dat", b"", b"a set")
    different = [of(kind(syntax), content) for syntax in ("1.2", "1.3") for content in (b"data set", b"data get", b"")]
    assert len(set(different)) == len(different)


def test_chunks_of_any_size_are_the_same_as_all_at_once() -> None:
    content = bytes(range(256)) * 5000
    chunks = [content[at : at + 4099] for at in range(0, len(content), 4099)]
    assert of(Digest(KEY, "1.2"), *chunks) == of(Digest(KEY, "1.2"), content)


def test_it_needs_the_key() -> None:
    assert of(Digest(KEY, "1.2"), b"data set") != of(Digest(bytes(32), "1.2"), b"data set")


def test_the_former_one_stays_what_it_was() -> None:
    former = of(FormerDigest("1.2"), b"data set")
    assert former == hashlib.sha256(b"1.2\0data set").digest()
    assert len(former) == FORMER_BYTES != len(of(Digest(KEY, "1.2"), b"data set"))
