"""What an object says of its de-identification is what was done to it, and no earlier step is forgotten."""

from __future__ import annotations

import io

import pytest
from pydicom.filereader import read_dataset

from deid.attributes import claims
from deid.attributes.claims import Done
from deid.part10.encoding import EXPLICIT_LITTLE
from deid.profile.plan import load_plan

NOTHING = Done(private_kept=False, times_kept=False, pixels_cleaned=False)


def said(options: list[str], done: Done = NOTHING, before: bytes = b"") -> tuple[str, list[str]]:
    standing = {claims.TEMPORAL_INFORMATION: before}
    made = claims.elements(load_plan("basic", options), EXPLICIT_LITTLE, standing, done)
    dataset = read_dataset(io.BytesIO(b"".join(element for _, element in made)), False, True)
    codes = [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]
    return dataset.LongitudinalTemporalInformationModified, codes


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ([], b"", "REMOVED"),
        ([], b"UNMODIFIED", "REMOVED"),
        (["retain-full-dates"], b"", "UNMODIFIED"),
        (["retain-full-dates"], b"MODIFIED", "MODIFIED"),
        (["retain-full-dates"], b"REMOVED ", "REMOVED"),
        (["retain-modified-dates"], b"UNMODIFIED", "MODIFIED"),
        (["retain-modified-dates"], b"REMOVED", "REMOVED"),
        (["retain-modified-dates"], b"nonsense", "MODIFIED"),
    ],
)
def test_dates_that_an_earlier_step_took_away_are_not_claimed_to_be_back(
    options: list[str], before: bytes, after: str
) -> None:
    assert said(options, before=before)[0] == after


def test_true_dates_that_an_option_kept_by_the_way_are_admitted() -> None:
    assert said(["retain-device-identity"])[0] == "REMOVED"
    kept = Done(private_kept=False, times_kept=True, pixels_cleaned=False)
    assert said(["retain-device-identity"], kept)[0] == "UNMODIFIED"


def test_an_option_that_did_nothing_to_this_object_is_not_claimed() -> None:
    options = ["retain-safe-private", "clean-pixel-data"]
    assert said(options)[1] == ["113100"]
    both = Done(private_kept=True, times_kept=False, pixels_cleaned=True)
    assert said(options, both)[1] == ["113100", "113101", "113111"]
