from __future__ import annotations

import pytest

from deid.network.status import Kind, judge


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (0x0000, Kind.SUCCESS, "success (0000)"),
        (0xB000, Kind.WARNING, "coercion of data elements (B000)"),
        (0xB006, Kind.WARNING, "elements discarded (B006)"),
        (0xB007, Kind.WARNING, "data set does not match SOP class (B007)"),
        (0xB00F, Kind.WARNING, "a warning that the standard does not know (B00F)"),
        (0xA700, Kind.TRANSIENT, "out of resources (A700)"),
        (0xA7FF, Kind.TRANSIENT, "out of resources (A7FF)"),
        (0x0110, Kind.TRANSIENT, "processing failure (0110)"),
        (0xA900, Kind.PERMANENT, "data set does not match SOP class (A900)"),
        (0xCFFF, Kind.PERMANENT, "cannot understand (CFFF)"),
        (0xA800, Kind.PERMANENT, "a status that the standard does not know (A800)"),
        (0xFF00, Kind.PERMANENT, "a status that the standard does not know (FF00)"),
    ],
)
def test_a_status_says_what_happens_next(code: int, kind: Kind, words: str) -> None:
    status = judge(code)
    assert (status.kind, str(status)) == (kind, words)
    assert status.is_stored == (kind in (Kind.SUCCESS, Kind.WARNING))


def test_every_code_has_a_meaning() -> None:
    assert all(judge(code).code == code for code in range(1 << 16))
