from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deid.errors import BadProfile
from deid.network.passcodes import Passcodes, line

if TYPE_CHECKING:
    from pathlib import Path

GOOD = line("tech", b"open sesame")


def written(folder: Path, text: str) -> Path:
    file = folder / "passcodes"
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_lines_do_not_tell_the_passcode_nor_who_has_the_same() -> None:
    assert GOOD.startswith("tech:scrypt:")
    assert "sesame" not in GOOD
    assert line("tech", b"open sesame") != GOOD


def test_a_passcode_changed_in_the_file_holds_at_once(tmp_path: Path) -> None:
    passcodes = Passcodes(written(tmp_path, GOOD + "\n"))
    assert passcodes.match("tech", b"open sesame")
    written(tmp_path, line("tech", b"another"))
    assert not passcodes.match("tech", b"open sesame")
    assert passcodes.match("tech", b"another")


@pytest.mark.parametrize("text", ["tech:open sesame", GOOD + ":", f"{GOOD}\n\n{GOOD}", f"{GOOD}\n{GOOD}", GOOD[:-1]])
def test_a_line_of_another_form_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadProfile) as error:
        Passcodes(written(tmp_path, text))
    assert str(error.value).startswith(f"{tmp_path / 'passcodes'}:{2 if GOOD in text.splitlines() else 1}: ")
    assert "sesame" not in str(error.value)
