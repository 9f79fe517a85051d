from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from deid.errors import BadProfile
from deid.network.peers import Holder, Peer
from deid.network.tls import Tls
from deid.profile.conditions import Condition
from deid.profile.plan import load_plan
from deid.receive.routing import Rule
from deid.settings.destinations import Destination, Directory, Web
from deid.settings.document import AuditRepository, Limits, Listener, Reachable, Route, Settings, load, parse
from deid.settings.keys import IN_THE_CLEAR

HEAD = """\
version: 1
ae_title: DEID
state: state
"""
LISTEN = """\
listen:
  - {port: 2762, tls: {certificate: gateway.pem, key: gateway.key, authorities: ca.pem}}
"""
PEERS = """\
peers:
  - {ae_title: CT1, certificate: {san: "dicom-ae:CT1"}, route: research}
"""
DESTINATIONS = """\
destinations:
  - {name: archive, ae_title: ARCHIVE, host: archive.example, port: 2762, tls: {authorities: ca.pem}}
"""
ROUTES = """\
routes:
  - {name: research, destinations: [archive]}
"""
PRIVATE = ("1.2.840.113619.4.30", "1.3.12.2.1107.5.9.1")
WHOLE = f"""\
{HEAD}key: /secret/key
passcodes: passcodes
listen:
  - port: 2762
    address: 0.0.0.0
    tls:
      profile: bcp195-modified
      certificate: gateway.pem
      key: gateway.key
      key_password_file: password
      authorities: ca.pem
      crl: ca.crl
  - {{port: 11113, address: "::1", unencrypted: "yes, I accept that names travel in the clear"}}
peers:
  - {{ae_title: CT1, certificate: {{san: "dicom-ae:CT1"}}, addresses: [192.0.2.0/24, 2001:db8::1], route: research}}
  - ae_title: US 1
    certificate: {{subject: us1, sha256: "{":".join(["AB"] * 32)}"}}
    user: tech
    results: {{host: us1.example, port: 2762, tls: {{authorities: ca.pem}}}}
    private_sop_classes: ["1.2.840.113619.4.30", "1.3.12.2.1107.5.9.1"]
    route: research
destinations:
  - name: archive
    ae_title: ARCHIVE
    host: archive.example
    port: 2762
    associations: 4
    commitment: {{wait_seconds: 3600, certificate: {{san: archive.example}}, addresses: [192.0.2.9]}}
    tls: {{certificate: gateway.pem, key: gateway.key, authorities: /etc/ssl/archive.pem}}
  - name: near
    ae_title: NEAR
    host: "127.0.0.1"
    port: 104
    unencrypted: "yes, I accept that names travel in the clear"
routes:
  - {{name: research, profile: basic, options: [retain-uids], destinations: [archive, near]}}
limits: {{associations: 5, idle_seconds: 30}}
retention: {{originals_days: 7}}
audit: {{host: audit.example, tls: {{authorities: audit.pem}}}}
"""
MINIMAL = HEAD + LISTEN + PEERS + DESTINATIONS + ROUTES


def test_everything_there_is_to_say(tmp_path: Path) -> None:
    assert parse(WHOLE, str(tmp_path / "settings.yaml")) == Settings(
        ae_title="DEID",
        state=tmp_path / "state",
        key=tmp_path / "/secret/key",
        passcodes=tmp_path / "passcodes",
        listeners=(
            Listener(
                "0.0.0.0",  # noqa: S104 - as the settings say
                2762,
                Tls(
                    authorities=tmp_path / "ca.pem",
                    certificate=tmp_path / "gateway.pem",
                    key=tmp_path / "gateway.key",
                    key_password_file=tmp_path / "password",
                    crl=tmp_path / "ca.crl",
                    profile="bcp195-modified",
                ),
            ),
            Listener("::1", 11113, None),
        ),
        peers=(
            Peer(
                "CT1",
                "research",
                Holder(san="dicom-ae:CT1"),
                (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::1/128")),
            ),
            Peer("US 1", "research", Holder(subject="us1", sha256="ab" * 32), user="tech", private=PRIVATE),
            Peer(
                "ARCHIVE",
                "",
                Holder(san="archive.example"),
                (ipaddress.ip_network("192.0.2.9/32"),),
                sends=False,
            ),
        ),
        reachable=(Reachable("US 1", "us1.example", 2762, Tls(authorities=tmp_path / "ca.pem")),),
        destinations=(
            Destination(
                "archive",
                "ARCHIVE",
                "archive.example",
                2762,
                Tls(
                    authorities=tmp_path / "/etc/ssl/archive.pem",
                    certificate=tmp_path / "gateway.pem",
                    key=tmp_path / "gateway.key",
                ),
                4,
                3600,
            ),
            Destination("near", "NEAR", "127.0.0.1", 104, None, 1),
        ),
        routes=(Route("research", load_plan("basic", ["retain-uids"]), ("archive", "near")),),
        rules=(),
        limits=Limits(5, 10, 30, 131_072, 1024),
        originals_days=7,
        watch=None,
        audit=AuditRepository("audit.example", 6514, Tls(authorities=tmp_path / "audit.pem")),
    )


def test_the_plan_of_a_route_is_that_of_its_profile_and_options() -> None:
    (route,) = parse(WHOLE, "settings.yaml").routes
    assert route.plan.options == {"retain-uids"}
    (route,) = parse(MINIMAL, "settings.yaml").routes
    assert route.plan.options == load_plan("default").options


def test_what_is_not_said() -> None:
    settings = parse(MINIMAL, "settings.yaml")
    assert settings.audit is None
    assert settings.listeners[0].address == "0.0.0.0"  # noqa: S104 - as documented
    assert settings.listeners[0].tls is not None
    assert settings.listeners[0].tls.profile == "bcp195"
    assert settings.limits == Limits(50, 10, 60, 131_072, 1024)
    assert (settings.originals_days, settings.key, settings.passcodes) == (0, None, None)
    assert [each.couriers for each in settings.destinations] == [1]


RULES = """\
rules:
  - {calling: [CT1], called: [TRIAL], modality: [CT, MR], sop_class: [CT Image Storage, "1.2.3"], route: research}
  - {match: [{attribute: StudyDescription, starts: TRIAL}, {attribute: Rows, equals: "1"}], route: research}
"""


def test_rules_and_the_peers_that_they_are_for() -> None:
    settings = parse(MINIMAL.replace(", route: research", "", 1) + RULES, "settings.yaml")
    assert settings.rules == (
        Rule(
            "research",
            calling=frozenset({"CT1"}),
            called=frozenset({"TRIAL"}),
            sop_classes=frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.3"}),
            modalities=frozenset({"CT", "MR"}),
        ),
        Rule(
            "research",
            match=(Condition(0x00081030, "starts", "TRIAL"), Condition(0x00280010, "equals", "1")),
        ),
    )
    (peer,) = settings.peers
    assert (peer.route, set(peer.called)) == ("", {"TRIAL"})
    other = MINIMAL.replace(PEERS, PEERS + "  - {ae_title: CT2, addresses: [192.0.2.1], route: research}\n")
    assert [peer.called for peer in parse(other + RULES, "settings.yaml").peers] == [{"TRIAL"}, set()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[CT1]", "[CT]", "13:16: no peer has the AE title 'CT'; did you mean 'CT1'?"),
        ("[CT1]", "[]", "13:15: calling must not be empty"),
        ("[TRIAL]", "[A_LONGER_TITLE_IS]", "13:31: an AE title must be an AE title: 1 to 16 ASCII"),
        ("[CT, MR]", "[ct]", "13:50: a modality must be a Modality such as CT (0008,0060)"),
        ("CT Image Storage", "CT Image Store", "13:71: unknown SOP Class 'CT Image Store'; did you mean 'CT Image"),
        ('"1.2.3"', '"1..2"', "13:89: a SOP Class must be a UID"),
        ('"1.2.3"', "Verification SOP Class", "13:89: unknown SOP Class 'Verification SOP Class'"),
        ("route: research", "route: reserch", "13:106: unknown route 'reserch'; did you mean 'research'?"),
        (
            'calling: [CT1], called: [TRIAL], modality: [CT, MR], sop_class: [CT Image Storage, "1.2.3"], ',
            "",
            "13:5: a rule needs one of the keys 'calling', 'called', 'sop_class', 'modality' and 'match'",
        ),
        ("starts: TRIAL", "start: TRIAL", "14:44: unknown key 'start' in a condition; did you mean 'starts'?"),
        ("starts: TRIAL", 'matches: "(a"', "14:53: not a regular expression of RE2: missing ): (a"),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_place(old: str, new: str, message: str) -> None:
    text = MINIMAL + RULES
    at = text.index("rules:")
    with pytest.raises(BadProfile) as error:
        parse(text[:at] + text[at:].replace(old, new, 1), "settings.yaml")
    assert str(error.value).startswith(f"settings.yaml:{message}")


def test_a_peer_without_a_route_needs_a_rule() -> None:
    text = MINIMAL.replace(", route: research", "", 1)
    assert text != MINIMAL
    with pytest.raises(BadProfile, match=r"settings\.yaml:7:5: a peer needs a route, or a rule that is for it"):
        parse(text, "settings.yaml")
    other = PEERS + "  - {ae_title: CT2, addresses: [192.0.2.1]}\n"
    with pytest.raises(BadProfile, match=r"settings\.yaml:8:5: a peer needs a route"):
        parse(MINIMAL.replace(PEERS, other) + "rules: [{calling: [CT1], route: research}]\n", "settings.yaml")


def test_a_profile_file_is_looked_for_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("version: 1\noptions: [retain-uids]\n")
    text = MINIMAL.replace("name: research, dest", "name: research, profile: site.yaml, dest")
    (route,) = parse(text, str(tmp_path / "settings.yaml")).routes
    assert route.plan.options == {"retain-uids"}
    (tmp_path / "site.yaml").write_text("version: 1\noptions: [retain-uid]\n")
    with pytest.raises(BadProfile) as error:
        parse(text, str(tmp_path / "settings.yaml"))
    assert f"settings.yaml:11:31: {tmp_path}/site.yaml:2:11: unknown option 'retain-uid'" in str(error.value)


PLAIN = '  - {port: 11113, unencrypted: "yes, I accept that names travel in the clear"}\n'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "1:10: version must be from 1 to 1"),
        ("state: state", "stat: state", "3:1: unknown key 'stat' in the settings file; did you mean 'state'?"),
        ("state: state\n", "", "1:1: the settings file needs the key 'state'"),
        ("ae_title: DEID", "ae_title: no", "2:11: ae_title must be text; quote no,"),
        (
            "ae_title: DEID",
            "ae_title: A_LONGER_TITLE_IS",
            "2:11: ae_title must be an AE title: 1 to 16 ASCII characters",
        ),
        ("ae_title: DEID", "ae_title: 'DE\\ID'", "2:11: ae_title must be an AE title"),
        ("ae_title: DEID", "ae_title: ' DEID'", "2:11: ae_title must be an AE title"),
        ("ae_title: DEID", "ae_title: '  '", "2:11: ae_title must be an AE title"),
        ("ae_title: DEID", "ae_title: DEÏD", "2:11: ae_title must be an AE title"),
        (LISTEN, "listen: []\n", "4:9: listen must not be empty"),
        ("port: 2762, tls: {c", "port: 0, tls: {c", "5:12: port must be from 1 to 65535"),
        ("port: 2762, tls: {c", "port: 65536, tls: {c", "5:12: port must be from 1 to 65535"),
        ("port: 2762, tls: {c", "address: local, port: 2762, tls: {c", "5:15: address must be an IP address of this"),
        ("port: 2762, tls: {c", "port: 2762, dicomweb: dicom-web, tls: {c", "5:28: dicomweb must be a path such as"),
        ("port: 2762, tls: {c", "port: 2762, dicomwep: /a, tls: {c", "5:18: unknown key 'dicomwep' in a listener; did"),
        (LISTEN, LISTEN + "  - {port: 11113}\n", "6:5: a listener needs one of the keys 'tls' and 'unencrypted'"),
        (LISTEN, LISTEN + PLAIN.replace("yes", "Yes"), '6:32: unencrypted must say, in quotes: "yes, I accept that'),
        (LISTEN, LISTEN + PLAIN.replace(': "yes, I accept that names travel in the clear"', ": true"), "6:32: unencr"),
        (
            LISTEN,
            LISTEN + PLAIN.replace("}", ", tls: {authorities: a, certificate: b, key: c}}"),
            "6:5: a listener needs",
        ),
        (LISTEN, LISTEN + PLAIN.replace("11113", "2762"), "6:12: this port is taken already, on line 5"),
        ("certificate: gateway.pem, ", "", "5:23: tls needs the key 'certificate'"),
        ("key: gateway.key, ", "", "5:23: tls needs the key 'key'"),
        ("tls: {c", "tls: {profile: bcp-195, c", "5:33: unknown profile 'bcp-195'; did you mean 'bcp195'?"),
        (
            PEERS,
            PEERS + "  - {ae_title: CT1, addresses: [192.0.2.1], route: research}\n",
            "8:16: this ae_title is taken",
        ),
        ('certificate: {san: "dicom-ae:CT1"}, ', "", "7:5: a peer needs one of the keys 'certificate' and 'addresses'"),
        ('{san: "dicom-ae:CT1"}', "{}", "7:34: certificate needs one of the keys 'san', 'subject' and 'sha256'"),
        ('{san: "dicom-ae:CT1"}', "{sha256: abc}", "7:43: sha256 must be a SHA-256 fingerprint"),
        ('certificate: {san: "dicom-ae:CT1"}', "addresses: []", "7:32: addresses must not be empty"),
        ('certificate: {san: "dicom-ae:CT1"}', "addresses: [10.0.0.1/8]", "7:33: an address must be an IP address or"),
        ('certificate: {san: "dicom-ae:CT1"}', "addresses: [ct1]", "7:33: an address must be an IP address or a net"),
        ("route: research", "route: reserch", "7:64: unknown route 'reserch'; did you mean 'research'?"),
        (
            "route: research",
            'private_sop_classes: ["1.2.840.10008.1.1"], route: research',
            "7:79: a private SOP class must be a UID of a manufacturer",
        ),
        (
            "route: research",
            "results: {host: ct1, port: 104}, route: research",
            "7:66: results needs one of the keys 'tls' and 'unencrypted'",
        ),
        ("route: research", "user: tech, route: research", "7:63: a user needs a passcode"),
        (LISTEN, "listen:\n" + PLAIN, "7:34: no listener has TLS, so this peer could never show its certificate"),
        ("[archive]", "[archiv]", "11:37: unknown destination 'archiv'; did you mean 'archive'?"),
        ("[archive]", "[archive, archive]", "11:46: destination 'archive' is given twice"),
        ("[archive]", "[]", "11:36: destinations must not be empty"),
        (
            ROUTES,
            ROUTES + "  - {name: research, destinations: [archive]}\n",
            "12:12: this name is taken already, on line 11",
        ),
        ("name: research", "name: research, profile: defualt", "11:31: unknown profile 'defualt'; shipped: "),
        ("name: research", "name: research, options: [retain-uid]", "11:31: unknown option 'retain-uid'; did you mean"),
        (
            "tls: {authorities: ca.pem}",
            "tls: {authorities: ca.pem, key: k}",
            "9:80: in tls the keys 'certificate' and 'key'",
        ),
        (
            "ae_title: ARCHIVE, host: archive.example",
            "ae_title: CT1, commitment: {wait_seconds: 60, addresses: [192.0.2.9]}, host: archive.example",
            "9:48: who calls itself CT1 is known already, by line 7",
        ),
        ("port: 2762, tls: {a", "port: 2762, commitment: {}, tls: {a", "9:87: commitment needs the key 'wait_seconds'"),
        ("tls: {authorities: ca.pem}", "tls: {}", "9:80: tls needs the key 'authorities'"),
        ("host: archive.example", "host: 'http://archive'", "9:46: host must be a host name or an IP address"),
        (HEAD, HEAD + "limits: {associations: 0}\n", "4:24: associations must be from 1 to 1000"),
        (HEAD, HEAD + "retention: {originals_days: -1}\n", "4:29: originals_days must be from 0 to 3650"),
        (HEAD, HEAD + "password: secret\n", "4:1: unknown key 'password' in the settings file"),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, message: str) -> None:
    text = MINIMAL.replace(old, new, 1)
    assert text != MINIMAL
    with pytest.raises(BadProfile) as error:
        parse(text, "settings.yaml")
    assert str(error.value).startswith(f"settings.yaml:{message}")


def test_a_listener_may_be_for_dicomweb() -> None:
    web = LISTEN.replace("port: 2762,", "port: 8443, dicomweb: /dicom-web,").replace("listen:\n", "")
    listeners = parse(MINIMAL.replace(LISTEN, LISTEN + web), "settings.yaml").listeners
    assert [listener.dicomweb for listener in listeners] == ["", "/dicom-web"]


def test_two_addresses_may_have_the_same_port() -> None:
    again = LISTEN.replace("port:", 'address: "::1", port:').replace("listen:\n", "")
    assert len(parse(MINIMAL.replace(LISTEN, LISTEN + again), "settings.yaml").listeners) == 2


def test_settings_are_read_from_a_file_that_nobody_else_may_write(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(MINIMAL)
    file.chmod(0o644)
    assert load(file).state == tmp_path / "state"
    for mode in (0o664, 0o646):
        file.chmod(mode)
        with pytest.raises(BadProfile, match="chmod go-w it"):
            load(file)


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadProfile, match=str(tmp_path)):
        load(tmp_path / name)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "archive.example", '"archive"'])
def test_a_destination_may_be_a_name_or_an_address(host: str) -> None:
    settings = parse((HEAD + LISTEN + PEERS + DESTINATIONS + ROUTES).replace("archive.example", host), "settings.yaml")
    (destination,) = settings.destinations
    assert isinstance(destination, Destination)
    assert destination.host == host.strip('"')


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("folder: out/archive", Directory("a", Path("out/archive").resolve())),
        (
            f"url: http://pacs.example/dicom-web/, unencrypted: {IN_THE_CLEAR!r}",
            Web("a", "pacs.example", 80, "/dicom-web", None, None, 1),
        ),
        (
            "url: 'https://[2001:db8::1]:8443', tls: {authorities: ca.pem}, token_file: token, connections: 3",
            Web("a", "2001:db8::1", 8443, "", Tls(Path("ca.pem")), Path("token"), 3),
        ),
        ("url: https://pacs, tls: {authorities: ca.pem}", Web("a", "pacs", 443, "", Tls(Path("ca.pem")), None, 1)),
    ],
)
def test_destinations_are_of_three_kinds(given: str, found: object) -> None:
    text = HEAD + LISTEN + PEERS + f"destinations:\n  - {{name: a, {given}}}\n" + ROUTES.replace("[archive]", "[a]")
    assert parse(text, "settings.yaml").destinations == (found,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("port: 104", "9:5: a destination needs one of the keys 'host', 'folder' and 'url', and only one"),
        ("folder: a, host: b", "9:5: a destination needs one of the keys 'host', 'folder' and 'url', and only one"),
        ("folder: a, port: 104", "9:26: unknown key 'port' in a destination"),
        ("hots: b", "9:15: unknown key 'hots' in a destination; did you mean 'host'?"),
        ("folder: state/out", "9:23: this folder and the state folder must be apart"),
        ("folder: .", "9:23: this folder and the state folder must be apart"),
        ("folder: secret", "9:23: this folder and the key must be apart"),
        ("url: ftp://a, tls: {authorities: c}", "9:20: url must be the address of a service"),
        ("url: https://a?b, tls: {authorities: c}", "9:20: url must be the address of a service"),
        ("url: https://me:pass@a, tls: {authorities: c}", "9:20: url must be the address of a service"),
        ("url: https://a:65536, tls: {authorities: c}", "9:20: the port of the url must be from 1 to 65535"),
        ("url: http://a, tls: {authorities: c}", "9:20: https goes with 'tls', http with 'unencrypted'"),
        (f"url: https://a, unencrypted: {IN_THE_CLEAR!r}", "9:20: https goes with 'tls', http with 'unencrypted'"),
        ("url: https://a", "9:5: a destination needs one of the keys 'tls' and 'unencrypted', and only one"),
    ],
)
def test_a_mistake_in_a_destination_is_named_with_its_place(given: str, message: str) -> None:
    text = HEAD + LISTEN + PEERS + f"destinations:\n  - {{name: a, {given}}}\n" + ROUTES.replace("[archive]", "[a]")
    text += "key: secret/key\n"
    with pytest.raises(BadProfile, match=re.escape(f"settings.yaml:{message}")):
        parse(text, "settings.yaml")


CLEAR = f"unencrypted: {IN_THE_CLEAR!r}"
SCP = f"port: 104, ae_title: A, {CLEAR}"


@pytest.mark.parametrize(
    ("one", "other", "column"),
    [
        (f"host: pacs.example, {SCP}", f"host: PACS.example, associations: 4, {SCP}", 21),
        (f"url: http://pacs.example/web, {CLEAR}", f"url: 'http://PACS.example:80/web/', {CLEAR}", 20),
        ("folder: out/archive", "folder: out/../out/archive/", 23),
    ],
)
def test_an_archive_has_one_name(one: str, other: str, column: int) -> None:
    """Else two routes could bring it two versions of an object."""
    twice = f"destinations:\n  - {{name: a, {one}}}\n  - {{name: b, {other}}}\n"
    said = f"settings.yaml:10:{column}: this is destination 'a' of line 9: "
    with pytest.raises(BadProfile, match=re.escape(said)):
        parse(HEAD + LISTEN + PEERS + twice + ROUTES.replace("[archive]", "[a]"), "settings.yaml")


@pytest.mark.parametrize("other", [f"host: a.example, {SCP}", SCP.replace("A,", "B,") + ", host: pacs.example"])
def test_two_archives_may_be_on_one_machine_or_have_one_title(other: str) -> None:
    both = f"destinations:\n  - {{name: a, host: pacs.example, {SCP}}}\n  - {{name: b, {other}}}\n"
    settings = parse(HEAD + LISTEN + PEERS + both + ROUTES.replace("[archive]", "[a]"), "settings.yaml")
    assert len(settings.destinations) == 2
