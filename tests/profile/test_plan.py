from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadProfile
from deid.model import Chosen
from deid.part10.output import DESCEND
from deid.profile.document import parse
from deid.profile.options import OPTIONS
from deid.profile.plan import Plan, compile_plan, load_plan
from deid.profile.rule import Action, Rule
from deid.profile.shipped import shipped
from deid.standard import iods, table
from deid.standard.dictionary import name_of, tag_of, vr_of

if TYPE_CHECKING:
    from pathlib import Path

    from deid.standard.iods import Attributes

CT = "1.2.840.10008.5.1.4.1.1.2"
AVAILABLE = sorted(name for name, option in OPTIONS.items() if option.available)
PLANS = [(name, ()) for name in shipped()] + [("basic", (name,)) for name in AVAILABLE]
ROWS = {int(row.pattern, 16): row for row in (*table.rows(), *table.supplement()) if len(row.pattern) == 8
        and "x" not in row.pattern}  # fmt: skip
ENCRYPTED = 0x04000500
MENDED_AWAY = {ENCRYPTED, 0x60003000}  # what their presence is conditional on goes with them
COPIED = {each for each in ROWS.keys() - MENDED_AWAY if each >> 16 >= 0x0008}  # a DICOMDIR is not


def own(*rules: str, options: str = "[]") -> Plan:
    return compile_plan(parse(f"version: 1\noptions: {options}\nrules: [{', '.join(rules)}]\n", "own.yaml"))


def tag(word: str) -> int:
    found = tag_of(word)
    assert found is not None
    return found


def every_node() -> list[Attributes]:
    """Every set of attributes of every IOD, at every depth."""
    found: set[Attributes] = set()
    waiting = [node for uid in iods._tables()["sop_to_iod"] if (node := iods.attributes_of(uid)) is not None]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [within for each in node.tags() if (within := node.items_of(each)) is not None]
    return sorted(found, key=id)


@pytest.mark.parametrize(("profile", "options"), PLANS)
def test_no_rule_breaks_a_type_anywhere_in_any_iod(profile: str, options: tuple[str, ...]) -> None:
    plan = load_plan(profile, options)
    broken = set()
    for node in every_node():
        for each in node.tags() & COPIED:
            action, kind = plan.decide(each, node).action, node.type_of(each) or ""
            if (kind[0] == "1" and action in (Action.REMOVE, Action.EMPTY)) or (
                kind[0] == "2" and action is Action.REMOVE
            ):
                broken.add((name_of(each), kind, action))
    assert not broken


def test_the_conflicts_of_the_tables_are_met_and_say_so() -> None:
    plan = load_plan()
    mended = {
        each
        for node in every_node()
        for each in node.tags() & ROWS.keys()
        if "kept valid" in plan.decide(each, node).because and not ROWS[each].because
    }
    # PS3.15 Table E.1-1 says X on attributes that PS3.3 wants; those with X/D at Type 2 are legal with a dummy.
    assert tag("PresentationCreationDate") in mended
    assert len(mended) >= 15


@pytest.mark.parametrize(("profile", "options"), PLANS)
def test_only_what_an_option_keeps_is_kept(profile: str, options: tuple[str, ...]) -> None:
    plan = load_plan(profile, options)
    for each, row in ROWS.items():
        if each >> 16 < 0x0008:
            assert plan.decide(each, None).action is Action.REMOVE, row
            continue
        codes = {code for option, code in row.options.items() if option in plan.options}
        action = plan.decide(each, None).action
        shifts = "retain-modified-dates" in plan.options and row.options.get("retain-modified-dates") in ("C", "K")
        if shifts and (row.vr in ("DA", "TM", "DT") or each == tag("TimezoneOffsetFromUTC")):
            assert action is Action.SHIFT, row
        else:
            assert (action is Action.KEEP) is ("K" in codes), row
            if row.basic == "U" and "K" not in codes:
                assert action is Action.UID, row


def test_every_rule_says_on_whose_authority() -> None:
    plan = load_plan("basic", ["retain-uids"])
    assert plan.decide(tag("StudyInstanceUID"), None).because == "option retain-uids"
    assert plan.decide(tag("InstitutionName"), None).because == "PS3.15 Table E.1-1: X/Z/D"
    assert plan.decide(tag("SliceThickness"), None) != plan.decide(tag("SliceThickness"), None)  # compared by identity
    for each in ROWS:
        assert plan.decide(each, None).because


@pytest.mark.parametrize(
    ("number", "action"),
    [
        (0x00090010, Action.PRIVATE),
        (0x60010010, Action.PRIVATE),
        (0x00000002, Action.REMOVE),
        (0x00020010, Action.REMOVE),
        (0x00041130, Action.REMOVE),
        (0x00080000, Action.REMOVE),
        (0x50000010, Action.REMOVE),
        (0x501E3000, Action.REMOVE),
        (0x60003000, Action.REMOVE),
        (0x601E0010, Action.REMOVE),
        (0x60200010, Action.REMOVE),  # unassigned
        (0x0008FFFE, Action.REMOVE),  # not in the data dictionary
        (0x00280010, Action.KEEP),
        (0x00080016, Action.KEEP),
        (0x00100020, Action.IDENTIFIER),
        (0x00080018, Action.UID),
    ],
)
def test_what_no_row_names(number: int, action: Action) -> None:
    assert load_plan().decide(number, iods.attributes_of(CT)).action is action


def test_where_two_options_differ_on_a_date_the_one_that_tells_less_wins() -> None:
    plan = load_plan("basic", ["retain-device-identity", "retain-modified-dates"])
    both = [
        each for each, row in ROWS.items()
        if row.options.get("retain-device-identity") == "K" and row.options.get("retain-modified-dates") == "C"
    ]  # fmt: skip
    assert len(both) == 11
    assert {plan.decide(each, None).action for each in both} == {Action.SHIFT}


def test_a_scope_copies_steps_into_or_treats() -> None:
    rules = load_plan().rules_for(CT)
    assert rules[tag("Rows")] is None
    assert rules[tag("AnatomicRegionSequence")] is DESCEND
    found = rules[tag("PatientName")]
    assert isinstance(found, Rule)
    assert found.action is Action.IDENTIFIER
    assert found.identifies == "name"
    assert rules.items_of(tag("AnatomicRegionSequence"))[tag("CodeMeaning")] is None


def test_scopes_are_shared_and_bounded() -> None:
    plan = load_plan()
    assert plan.rules_for(CT) is plan.rules_for(CT)
    rules = plan.rules_for("1.2.3.4")
    assert rules is plan.rules_for("1.2.3.5")
    for number in range(0x00091000, 0x00094000):
        assert isinstance(rules[number], Rule)
    assert len(rules) <= 4096


def test_a_rule_of_the_profile_wins_at_every_depth_and_a_path_only_there() -> None:
    plan = own(
        "{attribute: SliceThickness, action: X, reason: r}",
        "{attribute: RequestAttributesSequence.RequestedProcedureID, action: K, reason: r, allow_identifiers: true}",
    )
    rules = plan.rules_for(CT)
    assert rules[tag("SliceThickness")].action is Action.REMOVE  # type: ignore[union-attr]
    inside = rules.items_of(tag("RequestAttributesSequence"))
    assert inside[tag("SliceThickness")].action is Action.REMOVE  # type: ignore[union-attr]
    kept = inside[tag("RequestedProcedureID")]
    assert kept is None or (isinstance(kept, Rule) and kept.action is Action.KEEP)
    assert rules[tag("RequestedProcedureID")].action is not Action.KEEP  # type: ignore[union-attr]
    other = rules.items_of(tag("AnatomicRegionSequence"))
    assert other[tag("RequestedProcedureID")].action is not Action.KEEP  # type: ignore[union-attr]
    assert plan.decide(tag("SliceThickness"), None).because == "line 3 of the profile: r"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{attribute: PatientName, action: K, reason: r}", "direct identifier"),
        ("{attribute: PatientName, action: U, reason: r}", "action U replaces UIDs"),
        ("{attribute: StudyInstanceUID, action: X, reason: r}", "needed to file"),
        ("{attribute: SOPClassUID, action: Z, reason: r}", "needed to file"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, message: str) -> None:
    with pytest.raises(BadProfile, match=message):
        own(rule)


def test_keeping_an_identifier_costs_the_claim() -> None:
    assert load_plan().claims_removed_identity
    kept = own("{attribute: PatientName, action: K, reason: r, allow_identifiers: true}")
    assert not kept.claims_removed_identity
    assert tag("PatientName") in kept.kept()
    assert tag("PatientName") not in load_plan().kept()


@pytest.mark.parametrize(
    "word",
    "PatientBirthDate PatientComments PersonName AdmissionID AccessionNumber ReferringPhysicianName "
    "PatientBirthDateInAlternativeCalendar EncapsulatedDocument PatientAddress OtherPatientIDsSequence".split(),
)
def test_what_names_a_person_is_kept_only_by_those_who_say_that_they_mean_it(word: str) -> None:
    with pytest.raises(BadProfile, match="allow_identifiers"):
        own(f"{{attribute: {word}, action: K, reason: r}}")


@pytest.mark.parametrize("word", ["PatientAge", "InstitutionName", "DeviceSerialNumber", "StudyDate", "SliceThickness"])
def test_what_an_option_could_keep_a_rule_may_keep(word: str) -> None:
    assert tag(word) in own(f"{{attribute: {word}, action: K, reason: r}}").kept()


def test_a_plan_is_what_it_does_and_not_where_it_is_written() -> None:
    rule = "rules:\n- {attribute: SliceThickness, action: K, reason: r}\n"
    here, there = (
        compile_plan(parse(text, name))
        for text, name in ((f"version: 1\n{rule}", "a.yaml"), (f"version: 1\n# moved\n{rule}", "Gruenwald/b.yaml"))
    )
    assert here.digest == there.digest
    assert "Gruenwald" not in there.decide(tag("SliceThickness"), None).because


def test_days_of_a_shift_and_true_dates_exclude_each_other() -> None:
    document = parse("version: 1\ndates: {shift_days: [-9, -8]}\n", "own.yaml")
    with pytest.raises(BadProfile, match="retain-full-dates"):
        compile_plan(document, ["retain-full-dates"])


@pytest.mark.parametrize("action", ["D", "Z", "U"])
def test_a_private_attribute_is_kept_or_removed(action: str) -> None:
    with pytest.raises(BadProfile, match=r"kept \(K\) or removed \(X\)"):
        own(f'{{private: "ACME", group: "0x0019", element: "0x0C", action: {action}, reason: r}}')


def test_safe_private_elements_come_with_the_option_or_with_a_rule() -> None:
    element = ("SIEMENS MR HEADER", 0x0019, 0x0C)
    rule = '{private: "SIEMENS MR HEADER", group: "0x0019", element: "0x0C", action: %s, reason: r}'
    assert not load_plan().safe_private()
    assert load_plan("basic", ["retain-safe-private"]).safe_private()[element] == "IS"
    assert own(rule % "K").safe_private() == {element: "IS"}
    assert element not in own(rule % "X", options="[retain-safe-private]").safe_private()


def test_a_plan_travels_and_plans_that_do_different_things_have_different_digests() -> None:
    plans = [load_plan(name, options) for name, options in PLANS]
    assert len({plan.digest for plan in plans}) == len(plans)
    for plan in plans:
        again = pickle.loads(pickle.dumps(plan))  # noqa: S301 - our own bytes
        assert again.digest == plan.digest
        assert again.decide(tag("PatientName"), None).action is Action.IDENTIFIER


def test_a_sequence_that_is_kept_is_one_for_the_dictionary_too() -> None:
    for each, row in ROWS.items():
        assert row.vr == "*" or (vr_of(each) or "") == row.vr, row


def test_a_report_may_name_shipped_profiles_only(tmp_path: Path) -> None:
    assert load_plan("default").chosen == Chosen("default", ("clean-pixel-data",), 0, claims=True)
    (tmp_path / "mueller.yaml").write_text(
        "version: 1\nbase: default\nrules:\n"
        "  - {attribute: PatientID, action: K, reason: linkage, allow_identifiers: true}\n"
    )
    chosen = load_plan(str(tmp_path / "mueller.yaml"), ["retain-uids"]).chosen
    assert chosen == Chosen("", ("clean-pixel-data", "retain-uids"), 1, claims=False)


@pytest.mark.parametrize("word", ["SpectroscopyData", "VectorGridData", "WaveformData"])
def test_what_may_hold_a_picture_stays_only_where_the_iod_has_it(word: str) -> None:
    searched, basic, capture = load_plan("default"), load_plan("basic"), "1.2.840.10008.5.1.4.1.1.7"
    # The last is a private class: nobody knows what it has.
    unlisted = (
        rules := searched.rules_for(capture),
        rules.items_of(tag("ContentSequence")),
        searched.rules_for("1.2.3"),
    )
    found = [each[tag(word)] for each in unlisted]
    assert all(isinstance(rule, Rule) and rule.action is Action.REMOVE for rule in found)
    assert basic.rules_for(capture)[tag(word)] is None  # nobody was to look for pictures
    having = [node for node in every_node() if node.type_of(tag(word))]
    assert having
    assert all(searched.scope(node, {})[tag(word)] is None for node in having)


@pytest.mark.parametrize("word", ["BlendingLookupTableData", "LargeRedPaletteColorLookupTableData", "ICCProfile"])
def test_tables_that_the_iod_does_not_have_go_for_no_pixels_are_shown_through_them(word: str) -> None:
    rule = load_plan("default").rules_for("1.2.840.10008.5.1.4.1.1.481.3")[tag(word)]
    assert isinstance(rule, Rule)
    assert rule.action is Action.REMOVE


def test_tables_that_pixels_are_shown_through_stay() -> None:
    rules = load_plan("default").rules_for("1.2.3")
    assert rules[tag("RedPaletteColorLookupTableData")] is None
    assert rules.items_of(tag("ModalityLUTSequence"))[tag("LUTData")] is None
    assert rules[tag("PixelData")] is None
