"""A part that fails takes the others with it, says where and not what, and whoever does not end is told."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from deid.errors import BadState
from deid.gateway.parts import Parts

if TYPE_CHECKING:
    import pytest


def test_a_part_that_fails_ends_all_and_its_text_is_not_told(capfd: pytest.CaptureFixture[str]) -> None:
    stop = Event()

    def fails() -> None:
        raise RuntimeError("QUILLFEATHER")

    parts = Parts([fails, lambda: (stop.wait(30), None)[1]], stop.set)
    parts.start()
    assert parts.have_ended(20)
    assert stop.is_set()
    said = "".join(capfd.readouterr())
    assert "defect" in said
    assert "QUILLFEATHER" not in said


def test_what_we_say_ourselves_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise BadState("ticket 7 is not a received ticket")

    failed: list[bool] = []
    parts = Parts([fails], lambda: failed.append(True))
    parts.start()
    assert parts.have_ended(20)
    assert failed == [True]
    assert "ticket 7 is not a received ticket" in "".join(capfd.readouterr())


def test_a_part_that_does_not_end_is_told() -> None:
    end = Event()
    parts = Parts([lambda: (end.wait(30), None)[1]], lambda: None)
    parts.start()
    try:
        assert not parts.have_ended(0.1)
    finally:
        end.set()
    assert parts.have_ended(20)
