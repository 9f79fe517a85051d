"""A condition says what a value has to be, holds for no other, and takes no time to tell."""

from __future__ import annotations

import pytest

from deid.errors import BadProfile
from deid.profile import conditions, strict_yaml
from deid.profile.conditions import Condition

MODEL = 0x00081090


@pytest.mark.parametrize(
    ("operator", "text", "value", "holds"),
    [
        ("equals", "Sonora", "SONORA", True),
        ("equals", "Sonora", "Sonora 7", False),
        ("equals", "", "", True),
        ("contains", "NOR", "Sonora 7", True),
        ("contains", "SECONDARY", "DERIVED\\SECONDARY\\OTHER", True),
        ("contains", "x", "", False),
        ("starts", "son", "Sonora 7", True),
        ("starts", "ora", "Sonora 7", False),
        ("ends", "A 7", "Sonora 7", True),
        ("ends", "Sonora", "Sonora 7", False),
        ("matches", "Sonora [0-9]", "Sonora 7", True),
        ("matches", "Sonora", "Sonora 7", False),
        ("matches", "sonora 7", "Sonora 7", False),
        ("matches", r"\d", "\u0667", False),
        ("matches", "(?i)sonora 7", "Sonora 7", True),
    ],
)
def test_what_holds(operator: str, text: str, value: str, holds: bool) -> None:  # noqa: FBT001 - what is expected
    assert Condition(MODEL, operator, text).holds(value) is holds


@pytest.mark.parametrize("operator", ["equals", "contains", "starts", "ends"])
def test_case_counts_where_the_condition_says_so(operator: str) -> None:
    assert Condition(MODEL, operator, "Sonora", case=True).holds("Sonora")
    assert not Condition(MODEL, operator, "sonora", case=True).holds("Sonora")


def test_a_regular_expression_that_never_ends_elsewhere_ends_here() -> None:
    """Backtracking would take 2 to the power of the value's length."""
    assert not Condition(MODEL, "matches", "(a+)+b").holds("a" * 100_000)


def test_what_is_wrong_with_an_expression_is_said_by_us_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert conditions.unlike_regular("[")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("attribute: Row, equals: '1'", "13: unknown attribute 'Row'; did you mean 'Rows'?"),
        ("attribute: '(0009,1001)', equals: ''", "13: (0009,1001) is private"),
        ("attribute: PixelData, equals: ''", "13: only a text or an integer can be compared"),
        ("attribute: Rows", "1: a condition has one of equals, contains, starts, ends, matches"),
        ("attribute: Rows, equals: '1', ends: '1'", "1: a condition has one of equals, contains,"),
        ("equals: '1'", "1: a condition needs the key 'attribute'"),
        ("attribute: Rows, equals: 1", "27: equals must be text; quote 1,"),
        ("attribute: Rows, equal: '1'", "19: unknown key 'equal' in a condition; did you mean 'equals'?"),
        ("attribute: Modality, matches: '['", "32: not a regular expression of RE2: missing ]: ["),
        (r"attribute: Modality, matches: (.)\1", "32: not a regular expression of RE2: invalid escape sequence"),
        ("attribute: Modality, matches: a, case: true", "41: case counts in a regular expression"),
        ("attribute: Rows, equals: '1', case: yes", "38: case must be true or false"),
    ],
)
def test_a_bad_condition_names_the_place(condition: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        conditions.read(strict_yaml.read(f"{{{condition}}}", "us.yaml"))
    assert str(error.value).startswith(f"us.yaml:1:{message}")
