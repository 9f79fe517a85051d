from __future__ import annotations

import pytest

from deid.errors import BadState
from deid.store.seal import Seal

KEY, OTHER = b"k" * 32, b"o" * 32


def test_what_was_sealed_opens_in_its_row_only() -> None:
    seal = Seal(KEY)
    sealed = seal.seal(b"DOE^JANE", b"row 1")
    assert seal.open(sealed, b"row 1") == b"DOE^JANE"
    with pytest.raises(BadState):
        seal.open(sealed, b"row 2")
    with pytest.raises(BadState):
        Seal(OTHER).open(sealed, b"row 1")


@pytest.mark.parametrize("damage", [lambda s: s[:-1], lambda s: s[:-1] + bytes([s[-1] ^ 1]), lambda _: b""])
def test_a_damaged_value_does_not_open(damage: object) -> None:
    seal = Seal(KEY)
    assert callable(damage)
    with pytest.raises(BadState):
        seal.open(damage(seal.seal(b"DOE^JANE", b"row")), b"row")


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    seal = Seal(KEY)
    assert len({seal.seal(b"DOE^JANE", b"row") for _ in range(100)}) == 100


def test_a_hash_depends_on_key_purpose_and_value() -> None:
    seal = Seal(KEY)
    assert seal.hash(b"a", b"v") == Seal(KEY).hash(b"a", b"v")
    assert len({seal.hash(b"a", b"v"), Seal(OTHER).hash(b"a", b"v"), seal.hash(b"b", b"v"), seal.hash(b"a", b"w")}) == 4
