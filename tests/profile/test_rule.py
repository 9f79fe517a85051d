from __future__ import annotations

import pytest

from deid.profile.rule import Action, resolve
from deid.standard import table

TYPES = ("1", "1C", "2", "2C", "3", None)


@pytest.mark.parametrize(
    ("code", "actions"),
    [
        ("X", "DDZZXX"),
        ("Z", "DDZZZZ"),
        ("D", "DDDDDD"),
        ("U", "UUUUUU"),
        ("X/Z", "DDZZXX"),
        ("X/D", "DDDDXX"),
        ("Z/D", "DDZZZZ"),
        ("X/Z/D", "DDZZXX"),
        ("X/Z/U*", "KKKKXX"),
    ],
)
def test_a_code_and_a_type_give_an_action(code: str, actions: str) -> None:
    assert "".join(resolve(code, kind)[0].value for kind in TYPES) == actions


def test_every_code_of_the_tables_can_be_resolved_at_every_type() -> None:
    for row in (*table.rows(), *table.supplement()):
        for kind in TYPES:
            action, mended = resolve(row.basic, kind)
            if kind and kind[0] == "1":
                assert action not in (Action.REMOVE, Action.EMPTY), row
            if kind and kind[0] == "2":
                assert action is not Action.REMOVE, row
            assert mended is (row.basic == "X" and kind is not None and kind[0] in "12"), row
