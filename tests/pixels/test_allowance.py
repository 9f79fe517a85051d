"""What foreign libraries are given of the memory ends somewhere, and nowhere else does anything change."""

from __future__ import annotations

import resource

import pytest

from deid.pixels.allowance import allowance


def test_what_is_too_much_is_refused_and_only_within() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with allowance():
        assert len(bytearray(1 << 20)) == 1 << 20
        with pytest.raises(MemoryError):
            bytearray(2 << 30)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with pytest.raises(KeyError), allowance():
        raise KeyError
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_limit_that_somebody_has_set_is_never_raised() -> None:
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    with allowance():
        lowered, _ = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (lowered - (1 << 20), most))
        with allowance():
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] <= lowered - (1 << 20)
    assert resource.getrlimit(resource.RLIMIT_DATA) == (before, most)
