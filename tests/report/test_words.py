from __future__ import annotations

import pytest

from deid.model import Chosen, State
from deid.profile.options import OPTIONS
from deid.report import words


def test_every_option_that_is_carried_out_has_a_meaning() -> None:
    assert set(words.OPTIONS) == {name for name, option in OPTIONS.items() if option.available}


def test_the_meaning_says_what_stays() -> None:
    basic = " ".join(words.meaning(Chosen("basic", (), 0, claims=True)))
    assert "text in them stays" in basic
    own = " ".join(words.meaning(Chosen("", ("clean-pixel-data", "retain-uids"), 2, claims=False)))
    assert "text in them stays" not in own
    for said in (*map(words.OPTIONS.get, ("clean-pixel-data", "retain-uids")), "2 exceptions", "on purpose"):
        assert said
        assert said in own
    assert "did not record" in " ".join(words.meaning(None))


@pytest.mark.parametrize(
    ("state", "reason", "attributes", "said", "verbs"),
    [
        (State.HELD, "survives", ("ImageComments",), "accept it", ["show", "release", "discard"]),
        (State.HELD, "too large", (), "nothing to accept", ["show", "retry", "discard"]),
        (State.HELD, "defect: x", (), "Report the line", ["show", "retry", "discard"]),
        (State.UNREADABLE, "no DICOM", (), "tries again", ["show", "discard"]),
    ],
)
def test_advice_and_commands(
    state: State, reason: str, attributes: tuple[str, ...], said: str, verbs: list[str]
) -> None:
    assert said in words.advice(state, reason, attributes)
    lines = words.commands(state, attributes, 7)
    assert [line.split()[2] for line in lines] == verbs
    assert all(" 7" in line for line in lines)
