"""A gateway accepts what the conformance statement lists, and nothing else that the standard knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.network.contexts import STORAGE_COMMITMENT, VERIFICATION
from deid.network.negotiation import MOST_CONTEXTS, Proposal
from deid.part10.encoding import IMPLICIT_SYNTAX
from deid.standard.uids import registered
from tests.ports import free_port

from .site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from deid.network.negotiation import Context

CT = "1.2.840.10008.5.1.4.1.1.2"


def accepted(site: Site, proposals: list[Proposal]) -> list[Context]:
    found: list[Context] = []
    for at in range(0, len(proposals), MOST_CONTEXTS):
        with site.destination.associate(proposals[at : at + MOST_CONTEXTS]) as association:
            found += association.contexts.values()
            association.release()
    return found


def test_a_gateway_accepts_what_its_statement_says(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port())
    lines = site.deid("conformance", site.settings).splitlines()
    tables = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    known = registered()
    classes = {row[1] for row in tables if len(row) == 4 and row[1] in known and row[3] == "yes"}
    syntaxes = [row for row in tables if len(row) == 8 and row[1] in known]
    with site.serving():
        asked = [Proposal(uid, (IMPLICIT_SYNTAX,)) for uid in known]
        assert {each.abstract_syntax for each in accepted(site, asked)} == classes
        for column, sop_class in ((2, CT), (4, VERIFICATION), (6, STORAGE_COMMITMENT)):
            asked = [Proposal(sop_class, (uid,)) for uid in known]
            told = {row[1] for row in syntaxes if row[column] == "yes"}
            assert {each.transfer_syntax for each in accepted(site, asked)} == told
    assert len(classes) > 100
    assert f"| 127.0.0.1 | {site.port} | DICOM | none: in the clear |" in lines
