from __future__ import annotations

from dataclasses import fields

import pytest

from deid.attributes.keys import Keys, derive
from deid.errors import BadState


def test_every_purpose_has_a_key_of_its_own() -> None:
    keys = derive(bytes(32))
    assert len({getattr(keys, field.name) for field in fields(Keys)}) == len(fields(Keys)) == 6
    assert all(len(getattr(keys, field.name)) == 32 for field in fields(Keys))
    assert keys == derive(bytes(32))
    assert keys != derive(bytes(31) + b"\1")


def test_a_key_is_never_shown() -> None:
    assert "\\x" not in repr(derive(bytes(range(32))))
    assert "uids=" not in repr(derive(bytes(range(32))))


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadState, match="32 bytes"):
        derive(bytes(length))
