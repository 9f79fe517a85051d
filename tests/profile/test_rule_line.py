"""A rule of a profile says one thing about one attribute, or names the place where it does not."""

from __future__ import annotations

import pytest

from deid.errors import BadProfile
from deid.profile.document import parse


def refusal(text: str) -> str:
    with pytest.raises(BadProfile) as error:
        parse(text, "p.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('attribute: SliceThicknes, action: K, reason: "x"', "17: unknown attribute 'SliceThicknes'; did you mean"),
        ('attribute: "(0018,9999)", action: K, reason: "x"', "17: unknown attribute '(0018,9999)'"),
        ('attribute: "", action: K, reason: "x"', "17: unknown attribute ''"),
        ('attribute: 00100020, action: X, reason: "x"', "17: attribute must be text; quote 00100020,"),
        ('attribute: (0010,0020), action: X, reason: "x"', "23: unknown key '0020)' in a rule; if it belongs to"),
        (
            'attribute: "(0009,1001)", action: K, reason: "x"',
            "17: (0009,1001) is private; only a rule names",
        ),
        ('attribute: PatientID.PatientName, action: X, reason: "x"', "17: PatientID is not a sequence"),
        ('attribute: TransferSyntaxUID, action: K, reason: "x"', "17: attribute 'TransferSyntaxUID' cannot have"),
        ('attribute: Item, action: X, reason: "x"', "17: attribute 'Item' cannot have a rule"),
        ('attribute: PatientID, action: C, reason: "x"', "36: unknown action 'C'; valid: D, Z, X, K, U"),
        ('attribute: PatientID, action: k, reason: "x"', "36: unknown action 'k'; did you mean 'K'?"),
        ("attribute: PatientID, action: X", "5: a rule needs the key 'reason'"),
        ('attribute: PatientID, reason: "x"', "5: a rule needs the key 'action'"),
        ('attribute: PatientID, action: X, reason: " "', "47: reason is empty"),
        ("attribute: PatientID, action: X, reason: ", "39: reason has no value"),
        ('action: X, reason: "x"', "5: a rule names either"),
        ('attribute: PatientID, private: "A", action: X, reason: "x"', "5: a rule names either"),
        ('attribute: PatientID, group: "0x0009", action: X, reason: "x"', "35: 'group' and 'private' belong together"),
        ('private: "A", group: "0x0009", action: X, reason: "x"', "5: 'element' and 'private' belong together"),
        ('private: "A", group: "0x0010", element: "0x10", action: K, reason: "x"', "27: group must be odd"),
        ('private: "A", group: "0x0010", element: "0x10", action: X, reason: "x"', "27: group must be odd"),
        ('private: "A", group: "0x0001", element: "0x10", action: K, reason: "x"', "27: group is one that no private"),
        (
            'private: "A", group: 0x0009, element: "0x10", action: K, reason: "x"',
            "27: group must be quoted hexadecimal",
        ),
        ('private: "A", group: 0009, element: "0x10", action: K, reason: "x"', "27: group must be quoted hexadecimal"),
        ('private: "A", group: "0x0009", element: 10, action: K, reason: "x"', "46: element must be quoted hexadec"),
        ('private: "A", group: "0x0009", element: "0x1010", action: K, reason: "x"', "46: element must be quoted"),
        ('private: "", group: "0x0009", element: "0x10", action: K, reason: "x"', "15: private must be a creator's"),
        ('private: "A\\\\B", group: "0x0009", element: "0x10", action: K, reason: "x"', "15: private must be a"),
        ('private: 4711, group: "0x0009", element: "0x10", action: K, reason: "x"', "15: private must be text; quote"),
        ('attribute: PatientID, action: K, reason: "x", allow_identifiers: yes', "71: allow_identifiers must be true"),
        (
            'attribute: PatientID, action: X, reason: "x", allow_identifiers: true',
            "71: allow_identifiers has a meaning",
        ),
    ],
)
def test_a_bad_rule_names_the_place(rule: str, message: str) -> None:
    assert refusal(f"version: 1\nrules:\n  - {{{rule}}}\n").startswith(f"p.yaml:3:{message}")


def test_two_rules_for_one_attribute_contradict_each_other() -> None:
    text = 'version: 1\nrules:\n- {attribute: PatientSex, action: K, reason: "x"}\n'
    again = '- {attribute: "(0010,0040)", action: X, reason: "x"}\n'
    assert refusal(text + again) == "p.yaml:4:3: this attribute has a rule already, at p.yaml:3"
