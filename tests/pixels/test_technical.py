"""A line stays readable only if all of it is technical and nothing in it identifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.pixels.technical import Identity, identity_of, is_technical

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = Identity(frozenset(), frozenset(), (), frozenset())


@pytest.mark.parametrize(
    "line",
    ["L", "R", "F", "120 kV", "120kV", "kVp: 120", "TR 500", "TR: 500 ms, TE: 15 ms", "W 400 L 40", "W:400/C:40",
     "1.5T", "TIS=0.5 MI=0.4", "74 fps", "-10 dB", "40%", "Depth 16 cm", "5 mm/s"],
)  # fmt: skip
def test_scales_settings_and_marks_of_sides(line: str) -> None:
    assert is_technical(line, NOBODY)


@pytest.mark.parametrize(
    "line",
    ["", " ", "OB", "M", "LEE", "L R", "LR", "Lat: F", "120", "12/03/1971", "12.03.1971", "120 kV LEE", "LEE 120 kV",
     "TR", "kV", "170", "1971 mm 03", "045Y", "W 400", "TE 15 OB", "123456 mm", "SE 3", "ID 77193", "12:30", "7 months",
     "120 kV\nLEE", "L\u0130", "\u04a2", "120 \u039a\u03bd", "5 mm 5"],
)  # fmt: skip
def test_all_else_is_masked(line: str) -> None:
    assert not is_technical(line, NOBODY)


@pytest.fixture
def identity(opened: Callable[..., Any], drawing: Any) -> Callable[..., Identity]:
    def of(**header: Any) -> Identity:
        return identity_of(opened(drawing.dataset(np.zeros((1, 8, 8), np.uint8), **header)).layout)

    return of


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("L", {"PatientName": "Lee^Ottilie"}),
        ("R", {"PatientName": "Marigold^Una", "ReferringPhysicianName": "Voss^Rosa"}),
        ("TE 15 ms", {"PatientName": "Engel^Thomas"}),
        ("TE 15 ms", {"PatientName": "Te^An"}),
        ("120 kV", {"PatientName": "Vogt^Karl"}),
        ("120 kV", {"PatientName": "Marigold^Una", "OperatorsName": "K\u00f6nig^Vera=x=y"}),
        ("Depth 16 cm", {"PatientName": "DEPTH^Una"}),
        ("Gain 40 dB", {"InstitutionName": "St Gainsborough"}),
        ("Zoom 40%", {"PatientComments": "likes zoom"}),
        ("771 mm", {"PatientID": "MRN-771"}),
        ("7719 mm", {"PatientID": "MRN-77193"}),
        ("77193 mm", {"AccessionNumber": "A-7-7193"}),
        ("1971 mm", {"PatientBirthDate": "19710203"}),
        ("45 ms", {"PatientAge": "045Y"}),
        ("72.5 mm", {"PatientWeight": "72.5"}),
        ("12.345 mm", {"PatientID": "12345"}),
        ("F", {"PatientSex": "F"}),
    ],
)
def test_what_the_header_says_of_somebody_is_masked(
    line: str, header: dict[str, str], identity: Callable[..., Identity]
) -> None:
    assert is_technical(line, NOBODY)
    assert not is_technical(line, identity(**header))


def test_what_the_header_says_of_nobody_stays(identity: Callable[..., Identity]) -> None:
    found = identity(PatientBirthDate="19710203", StudyDate="20200512", KVP="120", PatientAge="045Y")
    for line in ("120 kV", "5 mm", "L", "TR 500 ms TE 15 ms"):
        assert is_technical(line, found)
