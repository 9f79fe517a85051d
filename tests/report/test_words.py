from __future__ import annotations

import pytest

from deid.model import Chosen, State
from deid.profile.options import OPTIONS
from deid.report import words
from deid.report.account import Group


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
    ("group", "said", "verbs"),
    [
        (Group(State.HELD, "survives", ("ImageComments",)), "accept it", ["show", "release", "discard"]),
        (Group(State.HELD, "too large", ()), "nothing to accept", ["show", "retry", "discard"]),
        (Group(State.HELD, "defect: x", ()), "Report the line", ["show", "retry", "discard"]),
        (Group(State.UNREADABLE, "no DICOM", ()), "tries again", ["show", "discard"]),
    ],
)
def test_what_may_be_done(group: Group, said: str, verbs: list[str]) -> None:
    decision = words.decision(group)
    assert said in decision.advice
    assert [line.split()[2] for line in decision.commands] == verbs


def test_the_most_urgent_comes_first_and_groups_stay_together() -> None:
    survives = Group(State.HELD, "survives", ("ImageComments",))
    first, second = Group(State.HELD, "too large", ()), Group(State.HELD, "broken", ())
    unreadable = Group(State.UNREADABLE, "no DICOM", ())
    assert words.decisions([unreadable, first, survives, second]) == [
        (words.SURVIVES, [survives]),
        (words.CANNOT, [first, second]),
        (words.NO_OBJECT, [unreadable]),
    ]
