"""What an editor accepts is what the service accepts: the same texts through both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from deid.errors import BadProfile
from deid.settings.document import parse
from deid.settings.keys import SETTINGS, schema
from deid.settings.shape import Many, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE = """\
version: 1
ae_title: DEID
state: state
key: key
passcodes: passcodes
listen:
  - port: 2762
    address: 192.0.2.1
    dicomweb: /dicom-web
    tls: {profile: bcp195, certificate: a.pem, key: a.key, key_password_file: p, authorities: ca.pem, crl: ca.crl}
  - {port: 104, unencrypted: "yes, I accept that names travel in the clear"}
peers:
  - {ae_title: CT1, certificate: {san: ct1, subject: ct1}, addresses: [192.0.2.0/24], user: tech,
    private_sop_classes: ["1.2.840.113619.4.30"],
    results: {host: ct1, port: 104, tls: {authorities: ca.pem}}, route: all}
  - {ae_title: CT2, certificate: {sha256: "%s"}, route: all}
destinations:
  - {name: near, ae_title: NEAR, host: near, port: 104, tls: {authorities: ca.pem}, associations: 2,
    commitment: {wait_seconds: 60, certificate: {san: near}, addresses: [192.0.2.9]}}
  - {name: far, ae_title: FAR, host: far, port: 104, unencrypted: "yes, I accept that names travel in the clear"}
  - {name: files, folder: out}
  - {name: web, url: "https://pacs:8443/dicom-web", tls: {authorities: ca.pem}, token_file: token, connections: 2}
routes:
  - {name: all, profile: basic, options: [retain-uids], destinations: [near, far]}
rules:
  - {calling: [CT1], called: [TRIAL], sop_class: [CT Image Storage], modality: [CT], route: all,
    match: [{attribute: StudyDescription, starts: a, case: true}, {attribute: Rows, equals: "1"}]}
limits: {associations: 50, associations_per_peer: 10, idle_seconds: 60, pdu_bytes: 131072, free_megabytes: 1024}
retention: {originals_days: 0}
audit: {host: audit, port: 6514, tls: {authorities: audit.pem}}
watch: {address: 127.0.0.1, port: 9464}
""" % ("ab" * 32)
VALIDATOR = jsonschema.Draft202012Validator(schema())

MISTAKES = [
    ("version: 1", "version: 2"),
    ("version: 1", 'version: "1"'),
    ("version: 1\n", ""),
    ("state: state", "sate: state"),
    ("ae_title: DEID", "ae_title: A_LONGER_TITLE_IS"),
    ("ae_title: DEID", "ae_title: ' DEID'"),
    ("ae_title: DEID", "ae_title: 12"),
    ("port: 2762", "port: 0"),
    ("dicomweb: /dicom-web", "dicomweb: /dicom-web/"),
    ("calling: [CT1], called", "calling: [], called"),
    ("modality: [CT]", "modality: [ct]"),
    ("starts: a, ", ""),
    ("starts: a, ", "starts: a, ends: a, "),
    ("starts: a, ", "start: a, "),
    ("case: true", "case: 1"),
    ("{attribute: Rows, equals", "{equals"),
    ("profile: bcp195,", "profile: bcp196,"),
    ("certificate: a.pem, ", ""),
    ("authorities: ca.pem, crl", "crl"),
    ("crl: ca.crl", "crl: []"),
    ('"yes, I', '"Yes, I'),
    ('"yes, I accept that names travel in the clear"', "true"),
    ("port: 104, unencrypted", "port: 104, tls: {authorities: a, certificate: b, key: c}, unencrypted"),
    (', unencrypted: "yes, I accept that names travel in the clear"', ""),
    ("{san: ct1, subject: ct1}", "{}"),
    ("certificate: {sha256", "cert: {sha256"),
    (", addresses: [192.0.2.0/24]", ", addresses: []"),
    (", addresses: [192.0.2.0/24]", ", addresses: 192.0.2.0/24"),
    (f'certificate: {{sha256: "{"ab" * 32}"}}, ', ""),
    (f'"{"ab" * 32}"', "abc"),
    ('["1.2.840.113619.4.30"]', "[]"),
    ("{host: ct1, port: 104, tls: {authorities: ca.pem}}", "{host: ct1, port: 104}"),
    ("{host: ct1, port: 104", "{port: 104"),
    ('"1.2.840.113619.4.30"', "1.2"),  # a number
    ("1.2.840.113619.4.30", "1.2.840.10008.1.1"),
    ("1.2.840.113619.4.30", "1.2.840.113619.04.30"),
    ("1.2.840.113619.4.30", "1.2." + "1" * 61),
    ("tls: {authorities: ca.pem}", "tls: {authorities: ca.pem, key: a.key}"),
    ("associations: 2", "associations: 0"),
    ("wait_seconds: 60", "wait_seconds: 0"),
    ("wait_seconds: 60, ", ""),
    ("{san: near}", "{}"),
    ("host: near", "host: http://near"),
    ("folder: out", "folder: out, port: 104"),
    ("folder: out", "fold: out"),
    ("https://pacs", "ftp://pacs"),
    ("connections: 2", "associations: 2"),
    ("destinations: [near, far]", "destinations: []"),
    ("name: all,", "name: a/b,"),
    ("{host: audit, port: 6514, tls: {authorities: audit.pem}}", "{host: audit, port: 6514}"),
    ("{host: audit, port: 6514", "{port: 6514"),
    ("idle_seconds: 60", "idle_seconds: 0"),
    ("{originals_days: 0}", "{originals_years: 0}"),
]


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_what_the_service_takes_an_editor_takes() -> None:
    parse(WHOLE, "settings.yaml")
    VALIDATOR.validate(loaded(WHOLE))


@pytest.mark.parametrize(("old", "new"), MISTAKES)
def test_what_the_service_refuses_an_editor_marks(old: str, new: str) -> None:
    text = WHOLE.replace(old, new, 1)
    assert text != WHOLE
    with pytest.raises(BadProfile):
        parse(text, "settings.yaml")
    assert not VALIDATOR.is_valid(loaded(text))


def keys_of(table: Table) -> Iterator[str]:
    for name, key in table.keys.items():
        yield name
        shape = key.shape.of if isinstance(key.shape, Many) else key.shape
        if isinstance(shape, Table):
            yield from keys_of(shape)


def test_no_key_is_left_out_here() -> None:
    for name in keys_of(SETTINGS):
        assert f"{name}:" in WHOLE
