"""Files of device rules say what they mean, or name the place where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from deid.errors import BadProfile
from deid.profile.conditions import Condition
from deid.profile.devices import DeviceRule, parse
from deid.profile.document import load
from deid.profile.plan import compile_plan
from deid.profile.shipped import shipped

ROWS, MANUFACTURER, MODEL = 0x00280010, 0x00080070, 0x00081090
WHOLE = """\
version: 1
devices:
  - name: "Sonora 7, 640 x 480"
    match:
      - {attribute: Manufacturer, contains: sonora}
      - {attribute: Rows, equals: "480"}
    unless:
      - {attribute: "(0008,1090)", matches: "S7-[0-9]+"}
      - {attribute: StationName, equals: "", case: true}
    mask: [[0, 0, 640, 40], [-100, -20, 100, 20]]
  - {name: all, match: [], mask: [[0, 0, 1, 1]]}
"""
RULE = "{name: m, match: [], mask: [[0, 0, 1, 1]]}"


def test_a_whole_file() -> None:
    first, second = parse(WHOLE, "us.yaml")
    assert first == DeviceRule(
        name="Sonora 7, 640 x 480",
        match=(Condition(MANUFACTURER, "contains", "sonora"), Condition(ROWS, "equals", "480")),
        unless=(Condition(MODEL, "matches", "S7-[0-9]+"), Condition(0x00081010, "equals", "", case=True)),
        mask=((0, 0, 640, 40), (-100, -20, 100, 20)),
    )
    assert (second.match, second.unless) == ((), ())


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{nam: n, match: [], mask: [[0, 0, 1, 1]]}", "6: unknown key 'nam' in a device; did you mean 'name'?"),
        ("{match: [], mask: [[0, 0, 1, 1]]}", "5: a device needs the key 'name'"),
        ("{name: m, mask: [[0, 0, 1, 1]]}", "5: a device needs the key 'match'"),
        ("{name: m, match: []}", "5: a device needs the key 'mask'"),
        ("{name: ' ', match: [], mask: [[0, 0, 1, 1]]}", "12: name is empty"),
        ("{name: m, match: [], mask: []}", "32: mask is empty"),
        ("{name: m, match: [], mask: [[0, 0, 1]]}", "33: a rectangle is four whole numbers"),
        ("{name: m, match: [], mask: [[0, 0, 1.5, 1]]}", "40: a rectangle must be a whole number"),
        ("{name: m, match: [], mask: [[0, 0, 0, 1]]}", "33: width and height of a rectangle are positive"),
        ("{name: m, match: [], mask: [[0, 0, 1, -1]]}", "33: width and height of a rectangle are positive"),
        ("{name: m, match: [], mask: [[0, 0, 65536, 1]]}", "33: width and height of a rectangle are positive"),
    ],
)
def test_a_bad_rule_names_the_place(rule: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        parse(f"version: 1\ndevices:\n  - {rule}\n", "us.yaml")
    assert str(error.value).startswith(f"us.yaml:3:{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\ndevices: []", "us.yaml:1:10: version must be 1"),
        ("devices: []", "us.yaml:1:1: the file needs the key 'version'"),
        ("version: 1\ndevice: []", "us.yaml:2:1: unknown key 'device' in the file; did you mean 'devices'?"),
    ],
)
def test_a_bad_file_names_the_place(text: str, message: str) -> None:
    with pytest.raises(BadProfile) as error:
        parse(text, "us.yaml")
    assert str(error.value).startswith(message)


def profile(folder: Path, devices: str) -> Path:
    (folder / "p.yaml").write_text(f"version: 1\nbase: default\npixels: {{devices: {devices}}}\n")
    return folder / "p.yaml"


def test_a_profile_names_a_file_or_a_folder_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "b.yaml").write_text(f"version: 1\ndevices: [{RULE}]\n")
    (tmp_path / "mine" / "a.yaml").write_text(WHOLE)
    (tmp_path / "mine" / "notes.txt").write_text("no rules\n")
    one = load(str(profile(tmp_path, "mine/a.yaml"))).pixels.devices
    both = load(str(profile(tmp_path, "./mine"))).pixels.devices
    assert [rule.name for rule in one] == ["Sonora 7, 640 x 480", "all"]
    assert [rule.name for rule in both] == ["Sonora 7, 640 x 480", "all", "m"]
    assert load(str(profile(tmp_path, str(tmp_path / "mine/b.yaml")))).pixels.devices == both[2:]


def test_a_profile_names_several(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WHOLE)
    rules = load(str(profile(tmp_path, "[./a.yaml, ultrasound, reported]"))).pixels.devices
    names = [rule.name for rule in rules]
    assert names[:3] == ["Sonora 7, 640 x 480", "all", "Philips CX50, 800 x 600"]
    assert len(names) == len(set(names)) > 90


def test_shipped_rules_are_named_by_a_word_and_add_to_those_of_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.yaml").write_text(f"version: 1\ndevices: [{RULE}]\n")
    site = profile(tmp_path, "ultrasound").rename(tmp_path / "site.yaml")
    theirs = load(str(site)).pixels.devices
    assert theirs == parse(shipped("devices")["ultrasound"].read_text("utf-8"), "ultrasound.yaml")
    monkeypatch.setattr("deid.profile.document.shipped", lambda: {"site": site, "default": shipped()["default"]})
    own = profile(tmp_path, "b.yaml")
    own.write_text(own.read_text().replace("base: default", "base: site"))
    assert load(str(own)).pixels.devices == (*theirs, *parse((tmp_path / "b.yaml").read_text(), "b.yaml"))


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("ultrasond", "3:19: unknown devices 'ultrasond'; did you mean 'ultrasound'?"),
        ("absent.yaml", "3:19: there is no file or folder 'absent.yaml'"),
        ("./empty", "3:19: the folder './empty' holds no file that ends in .yaml"),
        ("[]", "3:19: devices is an empty list"),
        ("[ultrasound, ultrasond]", "3:32: unknown devices 'ultrasond'; did you mean 'ultrasound'?"),
        ("[[ultrasound]]", "3:20: devices must be text, not a list"),
    ],
)
def test_what_is_not_there_is_an_error_in_the_profile(devices: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    path = profile(tmp_path, devices)
    with pytest.raises(BadProfile) as error:
        load(str(path))
    assert str(error.value).startswith(f"{path}:{message}")


def test_other_rectangles_are_another_plan(tmp_path: Path) -> None:
    digests = set()
    for width in (1, 2):
        (tmp_path / "a.yaml").write_text(f"version: 1\ndevices: [{RULE.replace('1, 1]', f'{width}, 1]')}]\n")
        digests.add(compile_plan(load(str(profile(tmp_path, "a.yaml")))).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("maker", "is_meant"),
    [
        ("GE MEDICAL SYSTEMS", True),
        ("G.E. Medical Systems", True),
        ("GE", True),
        ("Wipro GE Healthcare", True),
        ("VITAL Images, Inc", False),
        ("Merge Healthcare", False),
    ],
)
def test_the_shipped_rules_for_a_short_name_are_not_for_names_that_hold_its_letters(
    maker: str,
    is_meant: bool,  # noqa: FBT001 - of the name
) -> None:
    rules = parse(shipped("devices")["reported"].read_text("utf-8"), "reported.yaml")
    (rule,) = (rule for rule in rules if rule.name == "GE, dose report")
    (condition,) = (each for each in rule.match if each.attribute == MANUFACTURER)
    assert condition.holds(maker) == is_meant


@pytest.mark.parametrize("name", sorted(shipped("devices")))
def test_every_shipped_file_can_be_read(name: str) -> None:
    assert parse(shipped("devices")[name].read_text("utf-8"), name)
