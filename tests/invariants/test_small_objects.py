"""What the engine does to small objects made by hand: claims, private blocks, Types, pseudonyms, what ends a file."""

from __future__ import annotations

import io
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset, dcmread

from deid.attributes.keys import Keys, derive
from deid.errors import Rejected
from deid.part10.source import Limits
from deid.pipeline import Pipeline
from deid.profile.document import parse
from deid.profile.options import OPTIONS
from deid.profile.plan import Plan, compile_plan, load_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.model import Result
    from tests.invariants.conftest import Planted, Tools

SYNTAXES = ("explicit", "implicit", "big")
KEYS = derive(bytes(range(32)))
CT, SR, GSPS = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "88.22", "11.1"))
RTSTRUCT, RTPLAN, ENHANCED_PET, ENHANCED_MR = (
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("481.3", "481.5", "130", "4.1")
)
METHOD, CODES = 0x00120063, 0x00120064


class Bench:
    """Encodes, de-identifies and reads."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        self.tools = tools
        self.folder = folder
        self.number = 0
        self.content = b""
        self.result: Result | None = None

    def run(
        self,
        elements: list[Planted],
        plan: Plan | None = None,
        *,
        syntax: str = "explicit",
        sop_class: str = CT,
        keys: Keys = KEYS,
        tail: bytes = b"",
    ) -> Dataset:
        made = self.bytes_of(elements, plan, syntax=syntax, sop_class=sop_class, keys=keys, tail=tail)
        return dcmread(io.BytesIO(made))

    def bytes_of(
        self,
        elements: list[Planted],
        plan: Plan | None = None,
        *,
        syntax: str = "explicit",
        sop_class: str = CT,
        keys: Keys = KEYS,
        tail: bytes = b"",
    ) -> bytes:
        self.number += 1
        source, target = self.folder / f"{self.number}.in", self.folder / f"{self.number}.out"
        element = self.tools.element
        own = {each.tag for each in elements}
        every = [
            each
            for each in (
                element(0x00080016, "UI", sop_class.encode()),
                element(0x00080018, "UI", b"1.2.3.4.5"),
                element(0x00100020, "LO", b"GR-1"),
                element(0x0020000D, "UI", b"1.2.3.4.1"),
                element(0x0020000E, "UI", b"1.2.3.4.2"),
            )
            if each.tag not in own
        ]
        source.write_bytes(self.tools.meta(sop_class, syntax) + self.tools.data_set([*every, *elements], syntax) + tail)
        self.result = Pipeline(plan or load_plan(), keys, Limits(), self.folder).deidentify(source, target)
        self.content = target.read_bytes()
        return self.content


@pytest.fixture
def bench(tools: Tools, tmp_path: Path) -> Bench:
    return Bench(tools, tmp_path)


@pytest.fixture
def el(tools: Tools) -> Callable[..., Planted]:
    return tools.element


def code(tools: Tools, value: bytes, meaning: bytes) -> list[Planted]:
    return [
        tools.element(0x00080100, "SH", value),
        tools.element(0x00080102, "SH", b"DCM"),
        tools.element(0x00080104, "LO", meaning),
    ]


def codes_of(read: Dataset) -> list[str]:
    return [str(item.CodeValue) for item in read.DeidentificationMethodCodeSequence]


# --- the same again, and other keys


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_same_input_gives_the_same_bytes_and_another_key_other_pseudonyms(
    syntax: str, bench: Bench, tools: Tools
) -> None:
    planted = [each for each in tools.plant() if each.tag not in (0x00080016, 0x00420012)]
    plan = load_plan("basic", ["retain-modified-dates"])
    one = bench.bytes_of(planted, plan, syntax=syntax)
    assert bench.bytes_of(planted, load_plan("basic", ["retain-modified-dates"]), syntax=syntax) == one
    other = bench.bytes_of(planted, plan, syntax=syntax, keys=derive(bytes(32)))
    first, second = dcmread(io.BytesIO(one)), dcmread(io.BytesIO(other))
    for word in "PatientID PatientName AccessionNumber StudyID SOPInstanceUID StudyInstanceUID StudyDate".split():
        assert first[word].value != second[word].value, word


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_patient_one_pseudonym_whatever_the_name_and_one_uid_one_replacement(
    syntax: str, bench: Bench, el: Any
) -> None:
    def study(name: bytes, padding: bytes) -> Dataset:
        related = el(0x00081140, "SQ", [[el(0x00081155, "UI", b"1.2.3.4.5")]])
        other = el(0x00101002, "SQ", [[el(0x00100020, "LO", b"OTHER-7")]])
        reference = el(0x52009229, "SQ", [[el(0x00081199, "SQ", [[el(0x00081155, "UI", b"1.2.3.4.5" + padding)]])]])
        inside = el(0x00080300, "SQ", [])
        return bench.run(
            [el(0x00100010, "PN", name), el(0x00100020, "LO", b"GR-1" + b" " * len(padding)), related, other, reference,
             inside], syntax=syntax, sop_class=ENHANCED_MR,
        )  # fmt: skip

    one, two = study(b"Gruenwald^Rosalind", b""), study(b"GRUENWALD", b"\0")
    assert one.PatientID == two.PatientID == one.PatientName == two.PatientName
    assert one.SOPInstanceUID == one.SharedFunctionalGroupsSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert one.SOPInstanceUID == two.SOPInstanceUID
    assert two.SharedFunctionalGroupsSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == two.SOPInstanceUID
    assert bench.result is not None
    crosswalk = {(row.kind, row.original): row.replacement for row in bench.result.replacements}
    assert crosswalk["uid", "1.2.3.4.5"] == one.SOPInstanceUID
    assert crosswalk["patient", "GR-1"] == one.PatientID


def test_uids_that_the_standard_defines_stay_where_instance_uids_stand(bench: Bench, el: Any) -> None:
    frame = b"1.2.840.10008.1.4.1.1"  # Talairach Brain Atlas Frame of Reference
    assert bench.run([el(0x00200052, "UI", frame)]).FrameOfReferenceUID.encode() == frame


# --- what the object says of its de-identification


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("options", [(), *((name,) for name, option in OPTIONS.items() if option.available)])
def test_claims_name_the_options_that_were_carried_out(options: tuple[str, ...], syntax: str, bench: Bench) -> None:
    read = bench.run([], load_plan("basic", options), syntax=syntax)
    numbers = {
        "retain-full-dates": "113106",
        "retain-modified-dates": "113107",
        "retain-patient-characteristics": "113108",
        "retain-device-identity": "113109",
        "retain-uids": "113110",
        "retain-institution-identity": "113112",
    }  # nothing private was kept here, so 113111 would be no true claim
    assert codes_of(read) == ["113100", *(numbers[name] for name in options if name in numbers)]
    assert read.PatientIdentityRemoved == "YES"
    told = {"retain-full-dates": "UNMODIFIED", "retain-modified-dates": "MODIFIED"}
    assert read.LongitudinalTemporalInformationModified == told.get("".join(options), "REMOVED")
    assert "BurnedInAnnotation" not in read
    assert "RecognizableVisualFeatures" not in read


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("turned", [0, 1, 2])  # moves the tag on, so that lengths are defined and undefined in turn
def test_claims_are_appended_to_those_of_earlier_steps(syntax: str, turned: int, bench: Bench, tools: Tools) -> None:
    class Turned(tools.element):  # type: ignore[name-defined, misc]
        def encode(self, syntax: str) -> bytes:
            made = tools.element(self.tag + turned, self.vr, self.value).encode(syntax)
            order = ">" if syntax == "big" else "<"
            return pack(order + "HH", self.tag >> 16, self.tag & 0xFFFF) + bytes(made[4:])

    el = tools.element
    earlier: list[Any] = [
        el(0x00120062, "CS", b"NO"),
        el(METHOD, "LO", b"by hand\\and again"),
        Turned(CODES, "SQ", [[*code(tools, b"113106", b"dates"), el(0x00100010, "PN", b"Gruenwald^R")],
                             code(tools, b"113107", b"more")]),
        el(0x00280303, "CS", b"UNMODIFIED"),
    ]  # fmt: skip
    read = bench.run(earlier, syntax=syntax)
    assert codes_of(read) == ["113106", "113107", "113100"]
    assert list(read.DeidentificationMethod)[:2] == ["by hand", "and again"]
    assert len(list(read.DeidentificationMethod)) == 3
    assert read.PatientIdentityRemoved == "YES"
    assert read.LongitudinalTemporalInformationModified == "REMOVED"
    assert b"Gruenwald" not in bench.content


@pytest.mark.parametrize("vr", ["SQ", "OB", "UN", "UT"])
@pytest.mark.parametrize("tag", [METHOD, CODES])
def test_an_earlier_claim_in_a_wrong_vr_carries_nothing_over(vr: str, tag: int, bench: Bench, tools: Tools) -> None:
    el = tools.element
    secret: Any = [[*code(tools, b"113106", b"ZQ00001X")]] if vr == "SQ" else b"ZQ00001X" * 4000
    behind = el(0x00189004, "CS", b"ZQ00002X")  # what a wrong length would copy
    try:
        read = bench.run([el(tag, vr, secret), behind])
    except Rejected:
        return
    assert codes_of(read)[-1] == "113100"
    assert (b"ZQ00001X" in bench.content) is ((tag, vr) == (CODES, "SQ"))
    assert bench.content.count(b"ZQ00002X") == 1


def test_a_kept_identifier_costs_the_claim(bench: Bench, el: Any, tools: Tools) -> None:
    plan = compile_plan(
        parse(
            "version: 1\nrules:\n  - {attribute: PatientID, action: K, reason: r, allow_identifiers: true}\n",
            "own.yaml",
        )
    )
    read = bench.run([el(CODES, "SQ", [code(tools, b"113106", b"dates")])], plan)
    assert read.PatientIdentityRemoved == "NO"
    assert codes_of(read) == ["113106"]
    assert read.PatientID == "GR-1"


# --- private blocks


SAFE = "SIEMENS MR HEADER"
PRIVATE = load_plan("basic", ["retain-safe-private"])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("block", [0x10, 0x11, 0xFF])
def test_safe_private_elements_stay_with_their_creator_in_any_block(
    syntax: str,
    nested: bool,  # noqa: FBT001 - pytest names it
    block: int,
    bench: Bench,
    el: Any,
) -> None:
    first = 0x00190000 | block << 8
    elements = [
        el(0x00190000 | block, "LO", SAFE.encode()),
        el(first | 0x0C, "IS", b"1000"),
        el(first | 0x0F, "LO", b"ZQ00001X"),
        el(first | 0x0E, "UN", pack("<d", 0.5)),
    ]
    read = bench.run([el(0x52009229, "SQ", [elements])] if nested else elements, PRIVATE, syntax=syntax)
    found = read.SharedFunctionalGroupsSequence[0] if nested else read
    assert [each.tag for each in found if each.tag.is_private] == [0x00190000 | block, first | 0x0C, first | 0x0E]
    assert found[0x00190000 | block].value == SAFE
    assert "113111" in codes_of(read)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    "elements",
    [
        [(0x0019100C, "IS", b"1000")],
        [(0x00190011, "LO", SAFE.encode()), (0x0019100C, "IS", b"1000")],
        [(0x00190010, "LO", b"siemens mr header"), (0x0019100C, "IS", b"1000")],
        [(0x00190010, "LO", SAFE.encode()), (0x0019000C, "IS", b"1000")],
        [(0x00210010, "LO", SAFE.encode()), (0x0021100C, "IS", b"1000")],
        [(0x00190010, "LO", SAFE.encode()), (0x0019100C, "PN", b"1000")],
        [(0x00190010, "LO", SAFE.encode()), (0x00191000, "UL", b"\0\0\0\0")],
        [(0x00190010, "LO", SAFE.encode())],
    ],
    ids="creator-missing other-block other-case number-not-in-block other-group name creator-only-unsafe alone".split(),
)
def test_private_elements_that_are_not_known_safe_go_with_their_creators(
    elements: list[tuple[int, str, bytes]], syntax: str, bench: Bench, el: Any
) -> None:
    if syntax == "implicit" and elements[-1][1] == "PN":
        pytest.skip("implicit VR does not tell a name")
    read = bench.run([el(*each) for each in elements], PRIVATE, syntax=syntax)
    assert not [each for each in read if each.tag.is_private]
    assert "113111" not in codes_of(read)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_private_sequence_that_stays_for_its_public_content_is_claimed(
    syntax: str, bench: Bench, tools: Tools
) -> None:
    el = tools.element
    unknown = el(0x00190010, "LO", b"NOBODY KNOWS")
    items = b"".join(tools.item([el(0x00280010, "US", b"\1\0")], "implicit", undefined=False) for _ in range(2000))
    for value in (items[:36], items):  # the second is too large to be kept in memory, were it not a sequence
        sequence = el(0x00191005, "UN", value)
        read = bench.run([unknown, sequence], PRIVATE, syntax=syntax)
        assert 0x00191005 in read
        assert "113111" in codes_of(read)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_private_value_too_large_to_be_searched_goes(syntax: str, bench: Bench, el: Any) -> None:
    safe = [el(0x01190010, "LO", b"SIEMENS Ultrasound SC2000"), el(0x01191001, "OB", b"Gruenwald^R " * 2000)]
    read = bench.run(safe, PRIVATE, syntax=syntax)
    assert not [each for each in read if each.tag.is_private]
    assert b"Gruenwald" not in bench.content


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_two_creators_in_one_group_are_told_apart(syntax: str, bench: Bench, el: Any) -> None:
    read = bench.run(
        [
            el(0x00190010, "LO", b"GEMS_ACQU_01"),
            el(0x00190011, "LO", SAFE.encode()),
            el(0x0019100C, "IS", b"1"),  # safe in the other block only
            el(0x00191023, "DS", b"0.5"),
            el(0x0019110C, "IS", b"1000"),
            el(0x00191123, "DS", b"0.5"),  # safe in the other block only
        ],
        PRIVATE,
        syntax=syntax,
    )
    assert [int(each.tag) for each in read if each.tag.is_private] == [0x00190010, 0x00190011, 0x00191023, 0x0019110C]


def test_a_block_reserved_twice_is_held(bench: Bench, el: Any) -> None:
    twice = [el(0x00190010, "LO", SAFE.encode()), el(0x00190010, "LO", b"ACME")]
    with pytest.raises(Rejected):
        bench.run([el(0x52009229, "SQ", [[*twice, el(0x0019100C, "IS", b"1")]])], PRIVATE)


@pytest.mark.parametrize("vr", ["SQ", "UN"])
def test_a_safe_private_sequence_is_treated_inside(vr: str, bench: Bench, tools: Tools) -> None:
    el = tools.element
    item = [
        el(0x00080104, "LO", b"meaning"),
        el(0x00100010, "PN", b"ZQ00001X"),
        el(0x00190010, "LO", b"ACME"),
        el(0x0019100C, "LO", b"ZQ00002X"),
        el(0x00081155, "UI", b"1.2.3.4.5"),
    ]
    items: Any = [item]
    if vr == "UN":  # PS3.5 6.2.2: what VR UN holds is in implicit VR
        encoded = tools.data_set(item, "implicit")
        items = pack("<HHI", 0xFFFE, 0xE000, len(encoded)) + encoded
    creator = el(0x01190010, "LO", b"SIEMENS Ultrasound SC2000")
    read = bench.run([creator, el(0x01191002, vr, items)], PRIVATE)
    if vr == "UN":
        inside = tools.read(read[0x01191002].value[8:], "implicit")
    else:
        inside = {int(each.tag): each.value.encode() for each in read[0x01191002].value[0]}
    assert list(inside) == [0x00080104, 0x00081155, 0x00100010]
    assert inside[0x00080104].strip() == b"meaning"
    assert inside[0x00081155].strip(b"\0").decode() == read.SOPInstanceUID
    assert b"ZQ" not in bench.content


def test_a_profile_may_name_further_private_elements_and_take_safe_ones_out(bench: Bench, el: Any) -> None:
    plan = compile_plan(
        parse(
            "version: 1\noptions: [retain-safe-private]\nrules:\n"
            '  - {private: "ACME 1", group: "0x0029", element: "0x05", action: K, reason: r}\n'
            f'  - {{private: "{SAFE}", group: "0x0019", element: "0x0C", action: X, reason: r}}\n',
            "own.yaml",
        )
    )
    elements = [
        el(0x00190010, "LO", SAFE.encode()), el(0x0019100C, "IS", b"1"), el(0x0019100D, "CS", b"YES"),
        el(0x00290010, "LO", b"ACME 1"), el(0x00291005, "LO", b"kept"), el(0x00291006, "LO", b"gone"),
    ]  # fmt: skip
    read = bench.run(elements, plan)
    assert [int(each.tag) for each in read if each.tag.is_private] == [0x00190010, 0x0019100D, 0x00290010, 0x00291005]


# --- Types


@pytest.mark.parametrize(
    ("sop_class", "path", "vr", "left"),
    [
        (GSPS, (0x00700082,), "DA", "19000101"),  # Presentation Creation Date: X, Type 1
        (GSPS, (0x00700083,), "TM", "000000"),
        (CT, (0x00102297,), "PN", None),  # Responsible Person: X, Type 2C; see below
        (RTPLAN, (0x300A0006,), "DA", "19000101"),  # RT Plan Date: X/D, Type 2
        (RTSTRUCT, (0x30060008,), "DA", ""),  # Structure Set Date: X/Z/D... Type 2
        (CT, (0x00080022,), "DA", None),  # Acquisition Date: Type 3
        (CT, (0x00080020,), "DA", ""),  # Study Date: Type 2
        (CT, (0x00080080,), "LO", None),  # Institution Name: Type 3
        (CT, (0x00181000,), "LO", None),  # Device Serial Number: Type 3 in the CT Image IOD
        (ENHANCED_MR, (0x00181000,), "LO", "ANONYMIZED"),  # Type 1 in the enhanced one
        (ENHANCED_MR, (0x0008002A,), "DT", "19000101000000"),  # Acquisition DateTime: Type 1C
        ("1.2.3.4", (0x00080022,), "DA", None),  # a private SOP Class has no Types
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_type_in_the_iod_decides(
    sop_class: str, path: tuple[int, ...], vr: str, left: str | None, syntax: str, bench: Bench, el: Any
) -> None:
    planted = {"DA": b"19770707", "TM": b"112233", "DT": b"19770707112233"}.get(vr, b"ZQ00001X")
    read = bench.run([el(path[0], vr, planted)], sop_class=sop_class, syntax=syntax)
    found = read.get(path[0])
    if path[0] == 0x00102297:
        assert planted not in bench.content
    elif left is None:
        assert found is None
    else:
        assert found is not None
        assert str(found.value or "") == left


def test_an_overlay_goes_as_a_plane_and_a_curve_as_a_group(bench: Bench, el: Any) -> None:
    read = bench.run(
        [el(0x50000005, "US", b"\1\0"), el(0x501E3000, "OW", b"ZQ00001X"), el(0x60000010, "US", b"\1\0"),
         el(0x60000011, "US", b"\1\0"), el(0x60003000, "OW", b"ZQ00002X"), el(0x60024000, "LT", b"ZQ00003X"),
         el(0x60220010, "US", b"\1\0")],
        sop_class=GSPS,
    )  # fmt: skip
    assert not [each for each in read if each.tag >> 24 in (0x50, 0x60)]


# --- wrong VRs


@pytest.mark.parametrize("wrong", ["LO", "UT", "OB", "UN", "UI", "SQ", "FD", "PN", "DA"])
@pytest.mark.parametrize("option", ["", "retain-modified-dates"])
def test_a_wrong_vr_never_lets_a_value_pass(wrong: str, option: str, bench: Bench, tools: Tools) -> None:
    el = tools.element
    secret: Any = [[el(0x00080104, "LO", b"ZQ00001X")]] if wrong == "SQ" else b"ZQ00001X"
    plan = load_plan("basic", [option] if option else [])
    for tag in (0x00080020, 0x00080022, 0x00080031, 0x0008002A, 0x00080050, 0x00080090, 0x00081010, 0x00081155,
                0x00200052, 0x00080201, 0x00420011, 0x00100010, 0x00700082, 0x00081030, 0x00100040):  # fmt: skip
        for elements in ([el(tag, wrong, secret)], [el(0x52009229, "SQ", [[el(tag, wrong, secret)]])]):
            for sop_class in (CT, GSPS, ENHANCED_MR):
                try:
                    bench.bytes_of(elements, plan, sop_class=sop_class)
                except Rejected:
                    continue
                assert b"ZQ00001X" not in bench.content, f"{tag:08X}"


# --- the container


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_no_part_of_an_image_goes(syntax: str, bench: Bench, el: Any) -> None:
    pixels = el(0x7FE00010, "OW", b"\1\2" * 50)
    tail = el(0xFFFCFFFC, "OB", b"ZQ00002X" * 4).encode(syntax) + b"ZQ00003X" * 4
    elements = [
        el(0x00080000, "UL", b"\1\0\0\0"), el(0x00041130, "CS", b"ZQ00001X"),
        el(0x04000561, "SQ", [[el(0x04000562, "DT", b"19770707"), el(0x04000565, "CS", b"ZQ00005X")]]),
        el(0xFFFAFFFA, "SQ", [[el(0x04000105, "DT", b"19770707")]]),
        el(0x4FFE0001, "SQ", [[el(0x04000005, "US", b"\1\0")]]),
        el(0x52009229, "SQ", [[el(0x00280000, "UL", b"\1\0\0\0"), el(0x00021234, "LO", b"ZQ00004X")]]),
    ]  # fmt: skip
    read = bench.run([each for each in elements if each.tag < 0x7FE00010] + [pixels], syntax=syntax, tail=tail)
    assert b"ZQ" not in bench.content
    assert read.PixelData == b"\1\2" * 50
    kept = [
        each for each in read.iterall() if each.tag.element == 0 or each.tag.group in (2, 4, 0x0400, 0x4FFE, 0xFFFA)
    ]
    assert not kept
    read = bench.run(elements, syntax=syntax)
    assert 0xFFFAFFFA not in read


@pytest.mark.parametrize("size", [8, 40_000])
@pytest.mark.parametrize("mime", [b"application/pdf", b"text/xml", b"image/x-other"])
def test_an_encapsulated_document_is_replaced_whatever_its_size(size: int, mime: bytes, bench: Bench, el: Any) -> None:
    elements = [el(0x00420011, "OB", b"ZQ00001X" * (size // 8)), el(0x00420012, "LO", mime),
                el(0x00420015, "UL", pack("<I", size)), el(0x00420010, "ST", b"ZQ00002X")]  # fmt: skip
    read = bench.run(elements, sop_class="1.2.840.10008.5.1.4.1.1.104.1")
    assert b"ZQ" not in bench.content
    assert len(read.EncapsulatedDocument) == read.EncapsulatedDocumentLength
    assert read.MIMETypeOfEncapsulatedDocument == mime.decode()


def test_the_dummy_content_of_a_report_is_a_content_tree(bench: Bench, el: Any) -> None:
    read = bench.run([el(0x0040A730, "SQ", [[el(0x0040A160, "UT", b"ZQ00001X")]])], sop_class=SR)
    assert [item.ValueType for item in read.ContentSequence] == ["TEXT"]
    assert read.ContentSequence[0].RelationshipType == "CONTAINS"
