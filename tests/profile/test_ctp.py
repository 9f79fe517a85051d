"""A script for CTP becomes rules that match what its signatures match; what cannot become one is named."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import BadProfile
from deid.profile import ctp, devices
from deid.profile.conditions import Condition
from deid.profile.devices import DeviceRule

SCRIPT = """\
Rectangles for Clinic Seven (not its own): this is a comment
*** US ***
  Sonora 7
  { Modality.equals("US") *   // only ultrasound
    [0008,0070].containsIgnoreCase("Sonora") *
    ( Rows.equals("480") + [0028,0011].startsWith("64") ) }
  (0,0,640,40)   (-100,5,99,20)

  { !ManufacturerModelName.endsWithIgnoreCase("x") * [6002,0022].matches("A[0-9]+\\.b") }
  (1,2,3,4)
"""
MODALITY, MANUFACTURER, MODEL = 0x00080060, 0x00080070, 0x00081090
ROWS, COLUMNS = 0x00280010, 0x00280011


def test_a_script() -> None:
    us = (Condition(MODALITY, "equals", "US"), Condition(MANUFACTURER, "contains", "Sonora"))
    mask = ((0, 0, 641, 41), (-100, 5, 100, 21))  # its rectangles take in their far edges
    assert ctp.rules_of(SCRIPT, "s.script") == (
        DeviceRule("Sonora 7", (*us, Condition(ROWS, "equals", "480")), (), mask),
        DeviceRule("Sonora 7", (*us, Condition(COLUMNS, "starts", "64")), (), mask),
        DeviceRule(
            "s.script, line 9",
            (Condition(0x60020022, "matches", r"A[0-9]+\.b"),),
            (Condition(MODEL, "ends", "x"),),
            ((1, 2, 4, 5),),
        ),
    )


def test_what_is_made_can_be_read_and_says_the_same() -> None:
    made = ctp.rules_of(SCRIPT, "s.script")
    text = ctp.as_yaml(made, "s.script")
    assert devices.parse(text, "s.yaml") == made
    assert "# line 4" in text


@pytest.mark.parametrize("text", ["back\\slash", "É cho", "a: [b, {c] # d", "it's", "yes", " 7 ", ""])
def test_texts_survive(text: str) -> None:
    made = ctp.rules_of(f'{{ Modality.contains("{text}") }} (0,0,1,1)', "s")
    assert made[0].match == (Condition(MODALITY, "contains", text),)
    assert devices.parse(ctp.as_yaml(made, "s"), "s.yaml") == made


def test_capitals_count_where_that_excepts_less() -> None:
    (rule,) = ctp.rules_of(
        '{ Modality.equals("US") * !Manufacturer.contains("ab") * !Rows.equals("1")'
        ' * !Columns.containsIgnoreCase("ab") } (0,0,1,1)',
        "s",
    )
    assert rule.match == (Condition(MODALITY, "equals", "US"),)
    assert rule.unless == (
        Condition(MANUFACTURER, "contains", "ab", case=True),
        Condition(ROWS, "equals", "1"),
        Condition(COLUMNS, "contains", "ab"),
    )


TERMS = ('Modality.equals("A")', 'Manufacturer.equals("A")', 'Rows.equals("1")', "true.", "false.")


def expressions() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("!{}".format, st.one_of(st.sampled_from(TERMS), st.builds("({})".format, inner))),
            st.builds("{} + {}".format, inner, inner),
            st.builds("{}*{}".format, inner, inner),
            st.builds("( {} )".format, inner),
        )

    return st.recursive(st.sampled_from(TERMS), larger, max_leaves=6)


@given(expression=expressions())
def test_rules_match_what_the_signature_matches(expression: str) -> None:
    try:
        rules = ctp.rules_of(f"{{ {expression} }} (0,0,1,1)", "s")
    except BadProfile as error:
        assert "never matches" in str(error)  # noqa: PT017 - that it is raised is not demanded
        rules = ()
    python = expression.replace("+", " or ").replace("*", " and ").replace("!", " not ")
    for number, term in enumerate(TERMS[:3]):
        python = python.replace(term, f"given[{number}]")
    python = python.replace("true.", "True").replace("false.", "False")
    for found in product((False, True), repeat=3):
        values = dict(zip((MODALITY, MANUFACTURER, ROWS), ("1" if each else "B" for each in found), strict=True))
        for tag in (MODALITY, MANUFACTURER):
            values[tag] = "A" if values[tag] == "1" else "B"
        matched = any(
            all(each.holds(values[each.attribute]) for each in rule.match)
            and not any(each.holds(values[each.attribute]) for each in rule.unless)
            for rule in rules
        )
        # Python binds not, and, or in the same order as the script binds !, *, +.
        assert matched is bool(eval(python.strip(), {"given": found}))  # noqa: S307 - made of the terms above


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("nothing (0,0,1,1)", "1:1: there is no signature in this script"),
        ('a\n{ Rows.equals("1")', "2:1: the signature has no end"),
        ('{ Rows.equals("1") } none', "1:1: a signature without rectangles"),
        ('{ Rows.equals("1") }\n(0,0,1)', "2:1: in parentheses stands no rectangle"),
        ('{ Rows.equals("1") }\n(0,0,1,-1)', "2:1: in parentheses stands no rectangle"),
        ('{ Rows.equals("1") }\n(0,0,1,1', "2:1: in parentheses stands no rectangle"),
        ('{ Rows.equals("1") } (0,0,1,1)\n(see below)', "2:1: in parentheses stands no rectangle"),
        ('{ Rows.equals("1") }\n(0,0,0x10,1)', "2:1: in parentheses stands no rectangle"),
        ("{ } (0,0,1,1)", "1:3: no term of the form"),
        ('{ Rows.equals("1") * } (0,0,1,1)', "1:22: no term of the form"),
        ('{ Rows.equals("1") Rows.equals("1") } (0,0,1,1)', "1:20: an operator (+ or *)"),
        ('{ (Rows.equals("1") } (0,0,1,1)', "1:21: a parenthesis that is open"),
        ('{ Rows.equals("1")) } (0,0,1,1)', "1:19: an operator (+ or *)"),
        ("{ Rows.equals(1) } (0,0,1,1)", "1:3: no term of the form"),
        ('{ Rows.isgreater("1") } (0,0,1,1)', "1:8: unknown method 'isgreater'"),
        ('{ Modality.matchesIgnoreCase("1") } (0,0,1,1)', "1:12: unknown method 'matchesIgnoreCase'"),
        ('{ Row.equals("1") } (0,0,1,1)', "1:3: unknown attribute 'Row'; did you mean 'Rows'?"),
        ('{ [0009,1001].equals("1") } (0,0,1,1)', "1:3: 0009,1001 is private"),
        ('{ PixelData.equals("1") } (0,0,1,1)', "1:3: only a text or an integer"),
        ('{ SeqOfUltrasoundRegions::[0018,601A].equals("1") } (0,0,1,1)', "1:3: an attribute within a sequence"),
        ('{ Modality.matches("(?i)us") } (0,0,1,1)', "1:21: this regular expression may mean something else"),
        ('{ Modality.matches("\\pL") } (0,0,1,1)', "1:21: this regular expression may mean something else"),
        ('{ Modality.matches("[a-z&&[^b]]") } (0,0,1,1)', "1:21: this regular expression may mean something else"),
        ('{ Modality.matches("a(") } (0,0,1,1)', "1:21: this regular expression may mean something else"),
        ('{ Modality.matches("a*+") } (0,0,1,1)', "1:21: this regular expression may mean something else"),
        ('{ Modality.equals("a\nb") } (0,0,1,1)', "1:20: the text is more than one line"),
        ("{ " + "(" * 9999 + " } (0,0,1,1)", "1:54: parentheses are nested too deeply"),
        ("{ " + "!" * 9999 + " } (0,0,1,1)", "1:10003: no term of the form"),
        ("{ false. } (0,0,1,1)", "1:1: this signature never matches"),
        ("{ " + "*".join(['(Rows.equals("1") + Rows.equals("2"))'] * 9) + " } (0,0,1,1)", "more than 256 alternatives"),
    ],
)
def test_what_cannot_be_a_rule_is_named_with_its_place(script: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        ctp.rules_of(script, "s.script")
    assert message in str(error.value)
    assert str(error.value).startswith("s.script:")


def test_a_signature_that_is_always_true_is_a_rule_for_all() -> None:
    assert ctp.rules_of("{ true. } (0,0,1,1)", "s") == (DeviceRule("s, line 1", (), (), ((0, 0, 2, 2),)),)


@pytest.mark.parametrize(
    "expression", ["A[0-9]+", "a[.]b", "a|b", "(US|ES).*", r"\d+\.\d", "[^a-z ]+", "x?y*", "M D/1"]
)
def test_usual_regular_expressions_are_taken(expression: str) -> None:
    (rule,) = ctp.rules_of(f'{{ Modality.matches("{expression}") }} (0,0,1,1)', "s")
    assert rule.match == (Condition(MODALITY, "matches", expression),)
    made: Any = devices.parse(ctp.as_yaml((rule,), "s"), "s.yaml")
    assert made == (rule,)
