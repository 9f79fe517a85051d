"""A device rule matches by what an object says at its top level, in any encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from deid.pixels.devices import matching
from deid.profile.devices import parse

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def matches(opened: Callable[..., Any], drawing: Any) -> Callable[..., bool]:
    def call(match: str, unless: str = "", **more: Any) -> bool:
        rules = parse(
            f"version: 1\ndevices:\n- {{name: m, match: [{match}], unless: [{unless}], mask: [[0, 0, 1, 1]]}}",
            "us.yaml",
        )
        made = drawing.dataset(np.zeros((1, 480, 640), np.uint8), **more)
        return matching(opened(made).layout, rules) == rules

    return call


@pytest.mark.parametrize("big_endian", [False, True])
def test_numbers_are_compared_as_they_are_written_in_decimal(
    matches: Callable[..., bool],
    big_endian: bool,  # noqa: FBT001 - of the encoding
) -> None:
    assert matches("{attribute: Rows, equals: '480'}", big_endian=big_endian)
    assert not matches("{attribute: Rows, equals: '48'}", big_endian=big_endian)
    signed = {"ReferencePixelX0": -5, "SimpleFrameList": [1, 70000]}
    assert matches("{attribute: ReferencePixelX0, equals: '-5'}", big_endian=big_endian, **signed)
    assert matches(r"{attribute: SimpleFrameList, equals: '1\70000'}", big_endian=big_endian, **signed)


def test_all_conditions_hold_and_none_of_the_exceptions(matches: Callable[..., bool]) -> None:
    rows, model = "{attribute: Rows, equals: '480'}", "{attribute: ManufacturerModelName, contains: sonora}"
    assert matches(f"{rows}, {model}", ManufacturerModelName="Sonora 7")
    assert not matches(f"{rows}, {model}", ManufacturerModelName="Vela")
    assert matches(rows, model, ManufacturerModelName="Vela")
    assert not matches(rows, model, ManufacturerModelName="Sonora 7")
    assert not matches(rows, f"{{attribute: Modality, equals: US}}, {model}", ManufacturerModelName="Sonora 7")
    assert matches("")


def test_an_attribute_that_is_not_there_is_empty(matches: Callable[..., bool]) -> None:
    assert matches("{attribute: StationName, equals: ''}")
    assert not matches("{attribute: StationName, contains: a}")
    assert not matches("", "{attribute: StationName, equals: ''}")


def test_values_are_compared_without_padding_and_joined_where_there_are_several(matches: Callable[..., bool]) -> None:
    assert matches("{attribute: StationName, ends: US1}", StationName="US1  ")
    assert matches(r"{attribute: SoftwareVersions, equals: 'A 1\B'}", SoftwareVersions=["A 1", "B"])
    assert matches("{attribute: SOPClassUID, equals: '1.2.840.10008.5.1.4.1.1.7'}")


def test_text_is_compared_in_its_character_set(matches: Callable[..., bool]) -> None:
    assert matches("{attribute: StationName, equals: ÉCHO}", SpecificCharacterSet="ISO_IR 100", StationName="Écho")
    assert matches("{attribute: StationName, equals: ÉCHO}", SpecificCharacterSet="ISO_IR 192", StationName="Écho")


def test_what_stands_in_items_is_not_compared(matches: Callable[..., bool]) -> None:
    item = Dataset()
    item.Manufacturer = "Sonora"
    assert not matches("{attribute: Manufacturer, equals: Sonora}", ContributingEquipmentSequence=[item])
