from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadProfile
from deid.profile import document
from deid.profile.document import PatientIdForm, ProfileDocument, load, parse
from deid.profile.rule_line import RuleLine
from deid.profile.shipped import shipped

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
version: 1
base: basic                     # PS3.15 Basic Profile, edition 2026d
options: [retain-modified-dates]
patient_id: {prefix: "LUNG-", digits: 8}
dates: {shift_days: [-1825, -30]}
rules:
  - {attribute: SliceThickness, action: K, reason: "needed for analysis"}
  - {attribute: ReferencedStudySequence.ReferencedSOPInstanceUID, action: U, reason: "as elsewhere"}
  - attribute: (0010,0020)
    action: K
    reason: the register of the trial needs it
    allow_identifiers: true
  - {private: "SIEMENS MED NM", element: "0x10", group: "0x0055", action: K, reason: "known to be safe"}
"""


def refusal(text: str) -> str:
    with pytest.raises(BadProfile) as error:
        parse(text, "p.yaml")
    return str(error.value)


def test_a_whole_profile() -> None:
    assert parse(WHOLE, "profiles/trial7.yaml") == ProfileDocument(
        name="profiles/trial7.yaml",
        options=("retain-modified-dates",),
        patient_id=PatientIdForm("LUNG-", 8),
        shift_days=(-1825, -30),
        rules=(
            RuleLine((0x00180050,), None, "K", "needed for analysis", where="profiles/trial7.yaml:7"),
            RuleLine((0x00081110, 0x00081155), None, "U", "as elsewhere", where="profiles/trial7.yaml:8"),
            RuleLine(
                (0x00100020,),
                None,
                "K",
                "the register of the trial needs it",
                allow_identifiers=True,
                where="profiles/trial7.yaml:9",
            ),
            RuleLine(None, ("SIEMENS MED NM", 0x55, 0x10), "K", "known to be safe", where="profiles/trial7.yaml:13"),
        ),
    )


def test_what_is_not_said_is_the_basic_profile() -> None:
    assert parse("version: 1\n", "p.yaml") == ProfileDocument("p.yaml")


@pytest.mark.parametrize("days", ["[30, 30]", "[-36500, -1]", "[1, 36500]"])
def test_shift_ranges_at_the_edge(days: str) -> None:
    assert list(parse(f"version: 1\ndates: {{shift_days: {days}}}", "p").shift_days) == [
        int(day) for day in days.strip("[]").split(",")
    ]


@pytest.mark.parametrize(("prefix", "digits"), [("", 6), ("", 40), ("A" * 24, 40), ("a_B-9", 16)])
def test_patient_ids_at_the_edge(prefix: str, digits: int) -> None:
    text = f'version: 1\npatient_id: {{prefix: "{prefix}", digits: {digits}}}'
    assert parse(text, "p").patient_id == PatientIdForm(prefix, digits)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("rulez: []", "2:1: unknown key 'rulez' in the profile; did you mean 'rules'?"),
        ("base: teleradiologie", "2:7: unknown base 'teleradiologie'; did you mean 'teleradiology'?"),
        ("base: no", "2:7: base must be text; quote no,"),
        ("base:", "2:1: base has no value"),
        ("options: retain-uids", "2:10: options must be a list"),
        ("options: [retain-uid]", "2:11: unknown option 'retain-uid'; did you mean 'retain-uids'?"),
        ("options:\n  - retain-uids\n  - off", "4:5: an option must be text; quote off,"),
        ("options: [retain-uids, [a]]", "2:24: an option must be text, not a list"),
        ("options: [retain-uids, retain-uids]", "2:24: option 'retain-uids' is given twice"),
        ("options: [clean-graphics]", "2:11: option 'clean-graphics' (PS3.15 E.3.3) is refused, not ignored"),
        ("options: [retain-full-dates, retain-modified-dates]", "2:30: options 'retain-full-dates' and"),
        ("base: teleradiology\noptions: [retain-modified-dates]", "3:11: options 'retain-full-dates' and"),
        ("options: [retain-full-dates]\ndates: {shift_days: [-9, -8]}", "3:8: dates are not shifted with option"),
        ("base: teleradiology\ndates: {shift_days: [-9, -8]}", "3:8: dates are not shifted with option"),
        ("dates: {shift_days: [-9, 0]}", "2:21: shift_days must not include 0"),
        ("dates: {shift_days: [0, 9]}", "2:21: shift_days must not include 0"),
        ("dates: {shift_days: [-9, 9]}", "2:21: shift_days must not include 0"),
        ("dates: {shift_days: [-8, -9]}", "2:21: shift_days must begin with the smaller number"),
        ("dates: {shift_days: [-36501, -9]}", "2:21: shift_days must not exceed 36500 days"),
        ("dates: {shift_days: [1, 36501]}", "2:21: shift_days must not exceed 36500 days"),
        ("dates: {shift_days: [-9]}", "2:21: shift_days must be two whole numbers"),
        ("dates: {shift_days: -9}", "2:21: shift_days must be a list"),
        ("dates: {shift_days: [-9, -010]}", "2:26: shift_days must be a whole number in plain decimal"),
        ("dates: {shift_days: [-9.5, -1]}", "2:22: shift_days must be a whole number in plain decimal"),
        ("dates: {}", "2:8: dates needs the key 'shift_days'"),
        ('patient_id: {prefix: "A B"}', "2:22: prefix may hold letters"),
        ('patient_id: {prefix: "É"}', "2:22: prefix may hold letters"),
        ('patient_id: {prefix: "../"}', "2:22: prefix may hold letters"),
        ("patient_id: {prefix: 0010}", "2:22: prefix must be text; quote 0010,"),
        ("patient_id: {prefix: no}", "2:22: prefix must be text; quote no,"),
        ("patient_id: {digits: 5}", "2:22: digits must be from 6 to 40"),
        ("patient_id: {digits: 41}", "2:22: digits must be from 6 to 40"),
        ("patient_id: {digits: 0010}", "2:22: digits must be a whole number in plain decimal"),
        (f'patient_id: {{prefix: "{"A" * 25}", digits: 40}}', "2:13: prefix and digits together are longer"),
        ("patient_id: LUNG-", "2:13: patient_id must be a mapping of prefix, digits"),
    ],
)
def test_a_bad_profile_names_the_place(lines: str, message: str) -> None:
    assert refusal(f"version: 1\n{lines}\n").startswith(f"p.yaml:{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: basic", "p.yaml:1:1: the profile needs the key 'version'"),
        ("version: 2", "p.yaml:1:10: version must be 1, the only version of the format there is"),
        (
            "version: 01",
            "p.yaml:1:10: version must be a whole number in plain decimal, without quotes or leading zeros",
        ),
        (
            'version: "1"',
            "p.yaml:1:10: version must be a whole number in plain decimal, without quotes or leading zeros",
        ),
    ],
)
def test_the_version_of_the_format_is_said(text: str, message: str) -> None:
    assert refusal(text) == message


def test_a_profile_adds_to_its_base_and_overrides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text(
        "version: 1\noptions: [retain-uids]\npatient_id: {prefix: S-, digits: 9}\nrules:\n"
        '- {attribute: PatientSex, action: K, reason: "base"}\n- {attribute: PatientAge, action: K, reason: "base"}\n'
    )
    monkeypatch.setattr(document, "shipped", lambda: {"site": tmp_path / "site.yaml"})
    own = parse(
        "version: 1\nbase: site\noptions: [retain-safe-private, retain-uids]\npatient_id: {digits: 12}\n"
        'rules: [{attribute: PatientSex, action: Z, reason: "own"}]',
        "own.yaml",
    )
    assert (own.base, own.options) == ("site", ("retain-uids", "retain-safe-private"))
    assert own.patient_id == PatientIdForm("S-", 12)
    assert [(rule.action, rule.where) for rule in own.rules] == [("K", "site:6"), ("Z", "own.yaml:5")]


def test_a_shipped_profile_cannot_be_its_own_base() -> None:
    with pytest.raises(BadProfile, match=r"^teleradiology:2:7: .* cannot be its own base$"):
        parse("version: 1\nbase: teleradiology\n", "teleradiology")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_profile_loads_by_its_name(name: str) -> None:
    profile = load(name)
    assert (profile.name, profile.base) == (name, "basic")


def test_the_shipped_profiles_are_what_their_names_promise() -> None:
    assert load("basic") == ProfileDocument("basic")
    assert set(load("teleradiology").options) == {
        "retain-uids",
        "retain-full-dates",
        "retain-patient-characteristics",
        "retain-device-identity",
    }


def test_an_unknown_name_is_answered_with_the_shipped_ones() -> None:
    with pytest.raises(BadProfile, match=r"^unknown profile 'trial7'; shipped: basic, .*teleradiology"):
        load("trial7")


def test_a_profile_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "trial7.yaml"
    path.write_text("version: 1\noptions: [retain-uid]\n")
    with pytest.raises(BadProfile) as error:
        load(str(path))
    assert str(error.value) == f"{path}:2:11: unknown option 'retain-uid'; did you mean 'retain-uids'?"


def test_what_is_no_readable_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadProfile, match=r"absent\.yaml: No such file or directory$"):
        load(str(tmp_path / "absent.yaml"))
    with pytest.raises(BadProfile, match=r"Is a directory$"):
        load(f"{tmp_path}/")
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\n# M\xfcller\n")
    with pytest.raises(BadProfile, match=r"latin\.yaml:2:4: not UTF-8 text$"):
        load(str(tmp_path / "latin.yaml"))
    (tmp_path / "large.yaml").write_bytes(b"#" * 100_001)
    with pytest.raises(BadProfile, match=r"large\.yaml:1:1: larger than 100000 bytes$"):
        load(str(tmp_path / "large.yaml"))


def test_yaml_is_not_imported_before_a_profile_is_read() -> None:
    program = "import sys, deid.profile.document; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
