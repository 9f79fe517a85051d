from __future__ import annotations

import csv
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deid.errors import BadState
from deid.model import Replacement
from deid.store import crosswalk as module
from deid.store.crosswalk import Crosswalk

if TYPE_CHECKING:
    from deid.store.vault import Vault

UID = Replacement("uid", "1.2.3", "2.25.7")
PATIENT = Replacement("patient", "DOE 42", "LUNG-00000001")
ACCESSION = Replacement("accession", "A7", "00000002")


@pytest.fixture
def crosswalk(vault: Vault) -> Crosswalk:
    return Crosswalk(vault.connection, vault.keys)


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_what_was_recorded_comes_back_once(crosswalk: Crosswalk, vault: Vault) -> None:
    crosswalk.record([UID, PATIENT, UID])
    Crosswalk(vault.connection, vault.keys).record([PATIENT, ACCESSION])
    assert list(crosswalk.rows()) == [UID, PATIENT, ACCESSION]


def test_the_replacement_of_another_is_known(crosswalk: Crosswalk) -> None:
    crosswalk.record([UID, PATIENT])
    assert not crosswalk.is_of_another(PATIENT)
    assert crosswalk.is_of_another(Replacement("patient", "ROE 43", "LUNG-00000001"))
    assert not crosswalk.is_of_another(Replacement("study", "ROE 43", "LUNG-00000001"))


def test_a_value_is_found_from_both_sides(crosswalk: Crosswalk) -> None:
    crosswalk.record([UID, PATIENT, ACCESSION])
    assert crosswalk.lookup("DOE 42") == [PATIENT] == crosswalk.lookup("LUNG-00000001")
    assert crosswalk.lookup("DOE 4") == []


def test_the_same_text_in_two_roles_gives_both_rows(crosswalk: Crosswalk) -> None:
    study = Replacement("study", "A7", "00000003")
    crosswalk.record([ACCESSION, study])
    assert crosswalk.lookup("A7") == [ACCESSION, study]


def test_two_plans_may_replace_one_patient_differently(crosswalk: Crosswalk) -> None:
    other = Replacement("patient", "DOE 42", "HEART-0001")
    crosswalk.record([PATIENT, other])
    assert crosswalk.lookup("HEART-0001") == [other]
    assert crosswalk.lookup("DOE 42") == [PATIENT, other]


@pytest.mark.parametrize("value", ["Łukasz^Zażółć", "山田^太郎", 'a "b", c', "", "nul\0inside", "\udce9"])
def test_any_value_survives_the_way_in_and_out(crosswalk: Crosswalk, value: str) -> None:
    row = Replacement("patient", value, "LUNG-1")
    crosswalk.record([row])
    assert list(crosswalk.rows()) == [row] == crosswalk.lookup(value)


def test_memory_of_what_was_written_is_bounded(crosswalk: Crosswalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    rows = [Replacement("uid", f"1.2.{i}", f"2.25.{i}") for i in range(35)]
    crosswalk.record(rows + rows)
    assert list(crosswalk.rows()) == rows
    assert len(crosswalk._written) <= 10


def test_pairs_that_were_swapped_between_rows_do_not_open(crosswalk: Crosswalk, vault: Vault) -> None:
    crosswalk.record([PATIENT, Replacement("patient", "ROE 43", "LUNG-00000002")])
    vault.connection.execute(
        "UPDATE crosswalk SET pair = (SELECT pair FROM crosswalk WHERE number = 2) WHERE number = 1"
    )
    with pytest.raises(BadState, match="belongs to another row"):
        list(crosswalk.rows())


def test_export_writes_two_sorted_tables_for_the_user_alone(crosswalk: Crosswalk, tmp_path: Path) -> None:
    uids = [Replacement("uid", f"1.2.{i:03}", f"2.25.{i}") for i in range(50)]
    crosswalk.record(reversed([*uids, PATIENT, ACCESSION]))
    folder = tmp_path / "export"
    crosswalk.export(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["patid_mapping.csv", "uid_mapping.csv"]
    assert read(folder / "uid_mapping.csv") == [["id_old", "id_new"], *([u.original, u.replacement] for u in uids)]
    assert read(folder / "patid_mapping.csv") == [["id_old", "id_new"], ["DOE 42", "LUNG-00000001"]]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_value_outside_of_its_character_set_is_exported_as_escape(crosswalk: Crosswalk, tmp_path: Path) -> None:
    crosswalk.record([PATIENT, Replacement("patient", "\udce9, x", "LUNG-2")])
    crosswalk.export(tmp_path)
    assert read(tmp_path / "patid_mapping.csv")[1:] == [["DOE 42", "LUNG-00000001"], ["\\udce9, x", "LUNG-2"]]


@pytest.mark.parametrize("name", ["uid_mapping.csv", "patid_mapping.csv"])
def test_export_replaces_nothing(crosswalk: Crosswalk, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadState, match="is there already"):
        crosswalk.export(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir() if path.is_file()] == [(name, "mine")]


def test_what_a_killed_export_left_is_gone_after_the_next(
    crosswalk: Crosswalk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "export"
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", lambda *_: None)
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        crosswalk.export(folder)
    assert [path.suffix for path in folder.iterdir()] == [".part", ".part"]
    crosswalk.export(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["patid_mapping.csv", "uid_mapping.csv"]
