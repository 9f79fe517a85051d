from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deid.profile.options import OPTIONS
from deid.profile.rule import MEANING, Action
from deid.profile.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CT = "1.2.840.10008.5.1.4.1.1.2"


def explained(out: str) -> dict[str, str]:
    return {line[:11].strip(): line[11:].strip() for line in out.splitlines()}


def test_list_has_every_profile_and_every_option(deid: Callable[..., Any]) -> None:
    rows = {line.split()[0]: line for line in deid("profile", "list").out.splitlines() if line}
    assert set(OPTIONS) | set(shipped()) | set(shipped("devices")) < set(rows)
    for option in OPTIONS.values():
        assert option.clause in rows[option.name]
        assert ("refused" in rows[option.name]) is not option.available


def test_show_prints_what_can_be_checked_again(deid: Callable[..., Any], tmp_path: Path) -> None:
    said = deid("profile", "show", "teleradiology")
    assert said.code == 0
    (tmp_path / "mine.yaml").write_text(said.out, "utf-8")
    assert deid("profile", "check", tmp_path / "mine.yaml").code == 0


def test_show_prints_device_rules_too(deid: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(deid("profile", "show", "ultrasound").out, "utf-8")
    (tmp_path / "p.yaml").write_text("version: 1\nbase: default\npixels: {devices: mine.yaml}\n", "utf-8")
    assert "devices 4 rules" in deid("profile", "check", tmp_path / "p.yaml").out


def test_show_an_unknown_one(deid: Callable[..., Any]) -> None:
    said = deid("profile", "show", "basik")
    assert said.code == 2
    assert "shipped: basic, default, teleradiology" in said.err


def test_every_action_has_a_meaning() -> None:
    assert set(MEANING) == set(Action)


def test_explain_says_what_and_why(deid: Callable[..., Any]) -> None:
    said = deid("profile", "explain", "PatientSex")
    assert said.code == 0
    assert explained(said.out) == {
        "attribute": "PatientSex",
        "tag": "(0010,0040)",
        "action": "Z",
        "it is": "made empty",
        "because": "PS3.15 Table E.1-1: Z",
    }


def test_explain_counts_options_and_profiles(deid: Callable[..., Any]) -> None:
    kept = deid("profile", "explain", "0010,0040", "--option", "retain-patient-characteristics").out
    assert explained(kept)["because"] == "option retain-patient-characteristics"
    assert explained(deid("profile", "explain", "PatientSex", "--profile", "teleradiology").out)["action"] == "K"


@pytest.mark.parametrize("sop_class", [CT, "CTImageStorage", "CT Image Storage", "ctimagestorage"])
def test_explain_knows_the_type_in_a_sop_class(deid: Callable[..., Any], sop_class: str) -> None:
    rows = explained(deid("profile", "explain", "StudyInstanceUID", "--sop-class", sop_class).out)
    assert (rows["in"], rows["Type"], rows["action"]) == ("CT Image Storage", "1", "U")


def test_explain_pixel_data_says_how_they_are_cleaned(deid: Callable[..., Any]) -> None:
    rows = explained(deid("profile", "explain", "PixelData").out)
    assert rows["because"] == "option clean-pixel-data"
    assert "searched for text" in rows["it is"]
    assert "scope default" in " ".join(rows.values())
    assert explained(deid("profile", "explain", "PixelData", "--profile", "basic").out)["it is"] == "kept as it is"


def test_explain_a_sequence_that_stays(deid: Callable[..., Any]) -> None:
    said = deid("profile", "explain", "DoseReferenceSequence")
    assert "in its items" in explained(said.out)["it is"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("PatientNam",), "did you mean 'PatientName'?"),
        (("PatientName", "--sop-class", "CTImagStorage"), "did you mean 'CTImageStorage'?"),
        (("PatientName", "--option", "retain-uid"), "did you mean 'retain-uids'?"),
    ],
)
def test_explain_helps_with_unknown_words(deid: Callable[..., Any], words: tuple[str, ...], error: str) -> None:
    said = deid("profile", "explain", *words)
    assert (said.code, said.out) == (2, "")
    assert error in said.err


def test_check_says_ok_in_one_line(deid: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text("version: 1\nbase: basic\noptions: [retain-uids]\n", "utf-8")
    said = deid("profile", "check", file)
    assert (said.code, said.out) == (0, f"{file}: ok; base basic, options: retain-uids, rules: 0\n")


def test_check_shows_what_becomes_of_pixels(deid: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text("version: 1\nbase: default\npixels: {scope: all}\n", "utf-8")
    said = deid("profile", "check", file)
    assert said.code == 0
    assert said.out.splitlines()[1].startswith("pixels: scope all, search strict, ")


def test_check_warns_of_identifiers_that_are_kept(deid: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    rule = "{attribute: PatientID, action: K, reason: same care, allow_identifiers: true}"
    file.write_text(f"version: 1\nrules:\n  - {rule}\n", "utf-8")
    assert "makes no claim" in deid("profile", "check", file).out


def test_check_names_the_place(deid: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "trial.yaml"
    file.write_text("version: 1\noptions: [retain-uid]\n", "utf-8")
    said = deid("profile", "check", file)
    assert said.code == 2
    assert f"{file}:2:" in said.err


def test_check_takes_a_name_without_ending_for_a_file(
    deid: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert deid("profile", "check", "basic").code == 2
    (tmp_path / "basic").write_text("version: 1\n", "utf-8")
    assert deid("profile", "check", "basic").code == 0


def test_import_ctp_prints_rules_or_writes_a_new_file(deid: Callable[..., Any], tmp_path: Path) -> None:
    script, out = tmp_path / "a.script", tmp_path / "sonora.yaml"
    script.write_text('Sonora { Manufacturer.equals("Sonora") } (0,0,639,39)\n', "utf-8")
    printed = deid("profile", "import-ctp", script)
    assert printed.code == 0
    said = deid("profile", "import-ctp", script, "--out", out)
    assert (said.code, out.read_text("utf-8")) == (0, printed.out)
    assert "devices: sonora.yaml" in said.out
    (tmp_path / "p.yaml").write_text("version: 1\nbase: default\npixels: {devices: sonora.yaml}\n", "utf-8")
    assert "devices 1 rules" in deid("profile", "check", tmp_path / "p.yaml").out
    again = deid("profile", "import-ctp", script, "--out", out)
    assert again.code == 2
    assert "File exists" in again.err


def test_import_ctp_reads_a_script_to_its_end_or_not_at_all(deid: Callable[..., Any], tmp_path: Path) -> None:
    script = tmp_path / "a.script"
    script.write_text('{ Rows.equals("1") } (0,0,1,1)\n' + "none\n" * 20_000, "utf-8")
    said = deid("profile", "import-ctp", script)
    assert (said.code, said.out) == (2, "")
    assert "larger than 100000 bytes" in said.err


def test_import_ctp_writes_nothing_where_a_line_cannot_be_said(deid: Callable[..., Any], tmp_path: Path) -> None:
    script = tmp_path / "a.script"
    script.write_text('{ Rows.equals("1") } (0,0,1,1)\n{ Rows.equal("1") } (0,0,1,1)\n', "utf-8")
    said = deid("profile", "import-ctp", script, "--out", tmp_path / "x.yaml")
    assert said.code == 2
    assert "a.script:2:8: unknown method 'equal'" in said.err
    assert not (tmp_path / "x.yaml").exists()
