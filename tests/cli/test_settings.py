from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deid.network.passcodes import Passcodes
from deid.settings.keys import schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Pki

TEXT = """\
version: 1
ae_title: DEID
state: state
listen:
  - {port: 2762, tls: {certificate: gateway.pem, key: gateway.key, authorities: ca.pem, crl: ca.crl}}
  - {port: 11112, unencrypted: "yes, I accept that names travel in the clear"}
peers:
  - {ae_title: CT1, certificate: {san: "dicom-ae:CT1"}, route: research}
destinations:
  - {name: archive, ae_title: ARCHIVE, host: archive.example, port: 2762, tls: {authorities: stranger-ca.pem}}
  - {name: near, ae_title: NEAR, host: near, port: 104, unencrypted: "yes, I accept that names travel in the clear"}
routes:
  - {name: research, destinations: [archive]}
"""


def written(pki: Pki, folder: Path, text: str) -> Path:
    """A settings file beside the files that it names."""
    file = pki.copy(folder / "there").folder / "settings.yaml"
    file.write_text(text)
    return file


def test_settings_are_checked_with_their_files(deid: Callable[..., Any], pki: Pki, tmp_path: Path) -> None:
    file = written(pki, tmp_path, TEXT)
    said = deid("settings", "check", file)
    assert (said.code, said.out) == (
        0,
        f"{file}: ok; peers: 1, destinations: 2; IN THE CLEAR: from port 11112, to near\n",
    )
    assert not (file.parent / "state").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("key: gateway.key", "key: ct1.key", "does not belong to the certificate"),
        ("stranger-ca.pem", "none.pem", "none.pem cannot be read"),
        ("state: state", "state: state\npasscodes: none", "none cannot be read"),
        ("ae_title: DEID", "ae_tilte: DEID", "settings.yaml:2:1: unknown key 'ae_tilte' in the settings file; did you"),
    ],
)
def test_what_is_wrong_is_named(
    deid: Callable[..., Any], pki: Pki, tmp_path: Path, old: str, new: str, message: str
) -> None:
    said = deid("settings", "check", written(pki, tmp_path, TEXT.replace(old, new)))
    assert said.code == 2
    assert message in said.err


def test_the_schema_is_printed(deid: Callable[..., Any]) -> None:
    assert json.loads(deid("settings", "schema").out) == schema()


def test_the_line_of_a_user_fits_the_file(deid: Callable[..., Any], tmp_path: Path) -> None:
    said = deid("settings", "passcode", "tech", stdin="open sesame\n")
    file = tmp_path / "passcodes"
    file.write_text(said.out)
    file.chmod(0o600)
    assert Passcodes(file).match("tech", b"open sesame")


@pytest.mark.parametrize(("user", "stdin"), [("tech", ""), ("a b", "x\n"), ("a:b", "x\n"), ("ü", "x\n")])
def test_no_line_is_made_of_nothing(deid: Callable[..., Any], user: str, stdin: str) -> None:
    said = deid("settings", "passcode", user, stdin=stdin)
    assert (said.code, said.out) == (2, "")
