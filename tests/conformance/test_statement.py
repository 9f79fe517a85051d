"""What the statement says is what the program does."""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deid
from deid.attributes import claims
from deid.conformance.statement import statement
from deid.errors import BadProfile, Deferred, Rejected
from deid.forward import stow_answer
from deid.forward.scu import ECHO
from deid.gateway import dicomweb
from deid.gateway.audit_message import EVENTS
from deid.network import negotiation, peers, status
from deid.network.contexts import propose_storage
from deid.network.negotiation import Refusal
from deid.network.status import Kind, judge
from deid.network.suites import PROFILES
from deid.part10.charsets import readings
from deid.profile import options
from deid.profile.plan import load_plan
from deid.profile.shipped import shipped
from deid.receive import inlet, scp, stow
from deid.settings.document import parse
from deid.standard import data_files
from deid.standard.codes import CODES
from deid.standard.table import EDITION
from deid.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .conftest import Rows

SETTINGS = """
version: 1
ae_title: DEID
state: state
listen:
  - {port: 2762, tls: {certificate: a.pem, key: a.key, authorities: ca.pem, profile: bcp195-modified}}
  - {port: 8080, dicomweb: /web, unencrypted: "yes, I accept that names travel in the clear"}
peers:
  - {ae_title: CT1, certificate: {san: "dicom-ae:CT1"}, addresses: [192.0.2.0/24], route: research}
destinations:
  - {name: archive, ae_title: ARCHIVE, host: archive.example, port: 104, tls: {authorities: ca.pem}}
  - {name: files, folder: /data/research}
  - {name: web, url: "https://pacs.example/web", tls: {authorities: ca.pem}}
routes:
  - {name: research, options: [retain-uids], destinations: [archive, files, web]}
"""


def statuses_in(*modules: ModuleType) -> set[int]:
    """The constants of `status` that stand in the source of these modules."""
    trees = [ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in modules]
    names = [
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "status"
    ]
    return {getattr(status, name) for name in names if name.isupper()}


def codes(rows: Rows) -> set[int]:
    return {int(row[0], 16) for row in rows}


def test_each_object_is_proposed_in_what_the_statement_says(rows: Callable[[str], Rows]) -> None:
    listed = rows("Transfer syntax, UID")
    (ct,) = [row[1] for row in rows("SOP class, UID") if row[0] == "CT Image Storage"]
    for _, syntax, _, as_scu, *_ in listed:
        assert as_scu == "yes"
        assert propose_storage([(ct, syntax)])[0] == (ct, (syntax,))
    assert {syntax for _, syntax, _, _, _, as_scu, *_ in listed if as_scu} == set(ECHO.transfer_syntaxes)


def test_the_answers_to_c_store_are_those_of_the_scp(rows: Callable[[str], Rows]) -> None:
    answered = {int(row[0], 16): row[1] for row in rows("Answer, Meaning")}
    assert answered == {code: judge(code).meaning for code in statuses_in(scp, inlet)}


def test_every_status_means_to_the_scu_what_the_statement_says(text: str) -> None:
    section = text.split("as SCU. The first row that fits counts")[1].split("\n#", maxsplit=1)[0]
    found = re.findall(r"^\| ([0-9A-F]{4})(?: to ([0-9A-F]{4}))? \| (.*) \| (.*) \|$", section, re.MULTILINE)
    nexts = {"stored": {Kind.SUCCESS, Kind.WARNING}, "person": {Kind.PERMANENT}, "later": {Kind.TRANSIENT}}
    for code in range(1 << 16):
        for first, last, meaning, then in found:
            if int(first, 16) <= code <= int(last or first, 16):
                assert meaning == judge(code).meaning
                assert any(word in then and judge(code).kind in kinds for word, kinds in nexts.items())
                break
        else:
            assert judge(code).kind is Kind.PERMANENT


def test_every_refusal_is_told(rows: Callable[[str], Rows]) -> None:
    ours = {each for each in vars(negotiation).values() if isinstance(each, Refusal)}
    told = {tuple(map(int, row[0].split("/"))): row[1] for row in rows("Result/source/reason (PS3.8 9.3.4), Meaning")}
    assert told == {tuple(each): str(each) for each in ours}


def test_the_answers_over_http_are_those_of_the_origin_server(rows: Callable[[str], Rows]) -> None:
    ours = {
        code
        for module in (stow, dicomweb, peers)
        for name, code in vars(module).items()
        if name.startswith("_") and isinstance(code, int) and 200 <= code < 600
    }
    assert {int(row[0]) for row in rows("Status code, Phrase")} == ours
    reasons = (statuses_in(stow, inlet) - {status.SUCCESS}) | {stow.TRANSFER_SYNTAX_NOT_SUPPORTED}
    assert codes(rows("FailureReason (0008,1197), When")) == reasons


def test_the_user_agent_believes_the_answers_that_the_statement_names(text: str) -> None:
    (sentence,) = re.findall(r"It has the object when it answers [^.]*\.", text)
    stored = b'{"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}}'
    believed = set()
    for code in range(200, 600):
        for said in (stored, b"{}", stored.replace(b"00081199", b"00081198")):
            with suppress(Deferred, Rejected):
                stow_answer.judge(code, said, "1.2.3")
                believed.add((code, said))
    assert believed == {(int(code), stored) for code in re.findall("[0-9]+", sentence)}


def test_every_standing_has_its_failure_reason(rows: Callable[[str], Rows]) -> None:
    listed = rows("Failure Reason (0008,1197), Meaning")
    assert len({row[2] for row in listed}) == len(listed) == len(set(Standing) - {Standing.SAFE})


@pytest.mark.parametrize("name", options.OPTIONS)
def test_an_option_is_claimed_if_it_is_carried_out(rows: Callable[[str], Rows], name: str) -> None:
    ((_, clause, code, meaning, carried_out),) = [row for row in rows("Option, Clause") if row[0] == name]
    assert (clause, (code, meaning)) == (f"PS3.15 {options.OPTIONS[name].clause}", CODES[name])
    if carried_out == "yes":
        assert options.check([name]) == {name}
    else:
        with pytest.raises(BadProfile, match="refused"):
            options.check([name])


def test_the_profiles_and_their_options_are_those_that_come_along(rows: Callable[[str], Rows]) -> None:
    listed = {name: set(chosen.split(", ")) - {"none"} for name, chosen in rows("Profile, Options")}
    assert listed == {name: set(load_plan(name).options) for name in shipped()}


def test_the_claims_are_told_with_the_edition(rows: Callable[[str], Rows], text: str) -> None:
    tags = {int(row[0].strip("()").replace(",", ""), 16) for row in rows("Tag, Attribute")}
    assert tags == claims.TAGS | {0x00280301}
    count = sum(1 for _ in data_files.rows("e1_1.csv"))
    assert f"edition {EDITION}: each of the {count} rows of Table E.1-1" in text


def test_the_cipher_suites_are_those_of_the_profiles(rows: Callable[[str], Rows]) -> None:
    told = [tuple(row) for row in rows("Profile, Clause")]
    assert told == [
        (each.name, each.clause, version, suite)
        for each in PROFILES.values()
        for version, suites in (("1.3", each.tls_1_3), ("1.2", tuple(each.tls_1_2)))
        for suite in suites
    ]


def test_the_audit_messages_are_told(rows: Callable[[str], Rows]) -> None:
    assert {tuple(row) for row in rows("Code (DCM), Event")} == {(each.value, each.meaning) for each in EVENTS}


def test_each_character_set_that_is_told_is_read(text: str) -> None:
    terms = re.findall("`([A-Z0-9_ ]+)`", text.split("## 7 Character sets")[1])
    assert len(terms) > 10
    for term in set(terms) - {"ISO_IR 6", "ISO_IR 100", "ISO_IR 192"}:  # what is not declared is read in these, too
        assert any(readings(bytes((high, high)), term) != [chr(high) * 2] for high in range(0xA0, 0x100)), term


def test_every_row_of_a_table_has_as_many_cells_as_its_header(text: str) -> None:
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


def test_nothing_of_one_gateway_stands_in_it_unless_its_settings_are_given(text: str) -> None:
    assert "This gateway" not in text
    told = statement(parse(SETTINGS, "settings.yaml")).removeprefix(text)
    for line in (
        "Its AE title is DEID.",
        "| 0.0.0.0 | 2762 | DICOM | bcp195-modified |",
        "| 0.0.0.0 | 8080 | /web | none: in the clear |",
        "| CT1 | its certificate and its address | research |",
        "| archive | Storage SCP | ARCHIVE at archive.example:104 | bcp195 |",
        "| files | folder | on this machine | none |",
        "| web | STOW-RS | pacs.example:443/web | bcp195 |",
        "| research | default | clean-pixel-data, retain-uids | archive, files, web |",
    ):
        assert f"\n{line}\n" in f"{told}\n"


def test_the_tables_of_the_standard_are_named_with_their_editions(text: str) -> None:
    edition = json.loads(data_files.text("iods.json"))["edition"]
    assert f"* {edition}, " in text
    assert "* DICOM PS3.6 2024c, Annex A, registered UIDs\n" in text
    assert f"deid-gateway {deid.__version__}\n" in text
