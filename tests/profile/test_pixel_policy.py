"""What a profile says about pixels is carried out or refused, never ignored."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadProfile
from deid.profile.document import load, parse
from deid.profile.pixel_policy import WORDS, PixelPolicy
from deid.profile.plan import compile_plan, load_plan

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = "version: 1\noptions: [clean-pixel-data]\n"


def test_what_is_not_said_holds_by_the_first_word_of_each_key() -> None:
    assert {key: getattr(PixelPolicy(), key) for key in WORDS} == {key: words[0] for key, words in WORDS.items()}
    assert parse(CLEAN, "p.yaml").pixels == PixelPolicy()


def test_every_word_is_taken() -> None:
    for key, words in WORDS.items():
        for word in words:
            profile = f"{CLEAN}pixels: {{{key}: {word}, devices: ultrasound}}"
            assert getattr(parse(profile, "p.yaml").pixels, key) == word


@pytest.mark.parametrize("engine", ["easyocr", "tesseract"])
def test_another_engine_has_no_fast_way(engine: str) -> None:
    with pytest.raises(BadProfile, match=r"^p\.yaml:3:\d+: search 'fast' is a way of engine 'rapidocr'"):
        parse(f"{CLEAN}pixels: {{search: fast, engine: {engine}}}", "p.yaml")


def test_video_is_masked_by_device_rules_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadProfile, match=r"^p\.yaml:3:17: video 'mask' needs devices: their rules name the rectangles"):
        parse(f"{CLEAN}pixels: {{video: mask}}", "p.yaml")
    (tmp_path / "rules.yaml").write_text("version: 1\ndevices: [{name: a, match: [], mask: [[0, 0, 9, 9]]}]\n")
    (tmp_path / "site.yaml").write_text(f"{CLEAN}pixels: {{devices: ./rules.yaml}}\n")
    monkeypatch.setattr("deid.profile.document.shipped", lambda: {"site": tmp_path / "site.yaml"})
    inherits = parse("version: 1\nbase: site\npixels: {video: mask}\n", "own.yaml").pixels
    assert (inherits.video, len(inherits.devices)) == ("mask", 1)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        ("{scop: all}", "10: unknown key 'scop' in pixels; did you mean 'scope'?"),
        ("{scope: al}", "17: unknown scope 'al'; did you mean 'all'?"),
        ("{scope: All}", "17: unknown scope 'All'; did you mean 'all'?"),
        ("{scope: [all]}", "17: scope must be text, not a list"),
        ("{scope: }", "10: scope has no value"),
        ("{scope: all, scope: all}", "22: duplicate key 'scope'"),
        ("{video: yes}", "17: video must be text; quote yes, it can mean something else in YAML"),
        ("{video: masked}", "17: unknown video 'masked'; did you mean 'mask'?"),
        ("all", "9: pixels must be a mapping of scope, "),
    ],
)
def test_what_is_wrong_names_the_place(pixels: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        parse(f"{CLEAN}pixels: {pixels}\n", "p.yaml")
    assert str(error.value).startswith(f"p.yaml:3:{message}")


def test_the_policy_of_the_base_holds_where_a_profile_says_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text(f"{CLEAN}pixels: {{scope: all}}\n")
    monkeypatch.setattr("deid.profile.document.shipped", lambda: {"site": tmp_path / "site.yaml"})
    assert load("site").pixels.scope == "all"
    assert parse("version: 1\nbase: site\n", "own.yaml").pixels.scope == "all"
    assert parse("version: 1\nbase: site\npixels: {scope: default}\n", "own.yaml").pixels.scope == "default"


def test_a_policy_without_the_option_that_carries_it_out_is_refused() -> None:
    document = parse("version: 1\npixels: {scope: all}\n", "p.yaml")
    with pytest.raises(BadProfile, match="does not choose 'clean-pixel-data'"):
        compile_plan(document)
    plan = compile_plan(document, ["clean-pixel-data"])
    assert plan.pixels == PixelPolicy(scope="all")


def test_a_plan_without_the_option_has_no_policy() -> None:
    assert load_plan("basic").pixels is None
    assert load_plan("default").pixels == PixelPolicy()


def test_another_policy_is_another_plan_and_travels_with_it() -> None:
    usual, all_of_it = (compile_plan(parse(f"{CLEAN}pixels: {{scope: {word}}}", "p")) for word in ("default", "all"))
    assert usual.digest != all_of_it.digest
    assert pickle.loads(pickle.dumps(all_of_it)).pixels == all_of_it.pixels  # noqa: S301 - our own
