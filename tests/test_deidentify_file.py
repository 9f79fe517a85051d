"""One file, from Python: what is published is what was meant to be written, under a name that tells nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pydicom
import pytest

import deid
from deid import pipeline, samples
from deid.attributes.rewrite import rewrite
from deid.errors import Rejected
from deid.part10 import outline
from deid.part10.place import Truncated
from deid.part10.target import write
from deid.profile.document import parse
from deid.profile.plan import compile_plan

KEY = bytes(range(32))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    samples.make(tmp_path / "in")
    return tmp_path / "in" / "CT" / "IM000001"


@pytest.mark.parametrize("behind", [b"\xfc\xff\xfc\xff", b"\0\0"])
def test_a_file_that_is_longer_than_what_was_written_is_refused(
    ct: Path, monkeypatch: pytest.MonkeyPatch, behind: bytes
) -> None:
    def longer(path: Path, *rest: Any) -> None:
        write(path, *rest)
        with path.open("ab") as file:
            file.write(behind)

    monkeypatch.setattr(pipeline, "write", longer)
    with pytest.raises(Rejected, match="as long as it should be"):
        deid.deidentify_file(ct, ct.with_name("new"), deid.load_plan(), KEY)
    assert not [path.name for path in ct.parent.iterdir() if "new" in path.name]


def test_a_source_that_shrinks_while_it_is_copied_is_held(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shrink(*arguments: Any) -> Any:
        new = rewrite(*arguments)
        os.truncate(ct, ct.stat().st_size // 2)
        return new

    monkeypatch.setattr(outline, "BULK", 16)  # the pixels of this small object stay on disk
    monkeypatch.setattr(pipeline, "rewrite", shrink)
    with pytest.raises(Truncated, match="became shorter"):
        deid.deidentify_file(ct, ct.with_name("new"), deid.load_plan(), KEY)


@pytest.mark.parametrize("action", ["K, allow_identifiers: true", "X"])
def test_the_folder_is_named_by_the_published_patient_id(ct: Path, action: str) -> None:
    rule = f'{{attribute: PatientID, action: {action}, reason: "test"}}'
    plan = compile_plan(parse(f"version: 1\nbase: basic\nrules: [{rule}]\n", "test"))
    folder = deid.deidentify_file(ct, ct.with_name("new"), plan, KEY).path.split("/")[0]
    assert folder == pydicom.dcmread(ct.with_name("new")).get("PatientID", "without-patient-id")


def test_what_a_killed_call_has_left_is_no_obstacle(ct: Path) -> None:
    ct.with_name(".new.part").write_bytes(b"half")
    deid.deidentify_file(ct, ct.with_name("new"), deid.load_plan(), KEY)
    assert ct.with_name("new").read_bytes()[128:132] == b"DICM"
