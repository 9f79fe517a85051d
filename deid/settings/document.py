"""The settings of the service as its administrator wrote them, read strictly and checked against each other."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deid.errors import BadProfile
from deid.network.peers import Holder, Peer
from deid.profile import options, strict_yaml
from deid.profile.options import nearest
from deid.profile.plan import load_plan
from deid.profile.shipped import WORD
from deid.receive.routing import Rule
from deid.settings.destinations import Onward, each_once, read_destination, tls_of
from deid.settings.keys import LIMITS, RETENTION, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from deid.network.tls import Tls
    from deid.profile.plan import Plan
    from deid.settings.shape import Given

_WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that peers connect to; without Tls it is in the clear, and the settings say so in plain words."""

    address: str
    port: int
    tls: Tls | None
    dicomweb: str = ""  # the path that DICOMweb is spoken below, "/dicom-web"; "" where DICOM is spoken


@dataclass(frozen=True, slots=True)
class Reachable:
    """A peer that is told the results of Storage Commitment over associations of ours (PS3.4 J.3.3)."""

    ae_title: str
    host: str
    port: int
    tls: Tls | None


@dataclass(frozen=True, slots=True)
class Route:
    """What is done to the objects of some peers, and where they go."""

    name: str
    plan: Plan = field(compare=False)
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may ask for."""

    associations: int
    associations_per_peer: int
    idle_seconds: int
    pdu_bytes: int
    free_megabytes: int


@dataclass(frozen=True, slots=True)
class Watched:
    """Where those are answered who watch the service."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class AuditRepository:
    """Where audit messages go."""

    host: str
    port: int
    tls: Tls | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `deid serve` is told; every name in it is known."""

    ae_title: str
    state: Path
    key: Path | None  # the project key, where it is not in the state folder
    passcodes: Path | None
    listeners: tuple[Listener, ...]
    peers: tuple[Peer, ...]
    reachable: tuple[Reachable, ...]  # of the peers
    destinations: tuple[Onward, ...]
    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    limits: Limits
    originals_days: int  # since they have arrived, and at least until every destination has the object
    watch: Watched | None
    audit: AuditRepository | None


def load(path: Path) -> Settings:
    """The settings in a file that only its owner may write. Raises BadProfile."""
    text = strict_yaml.text_of(path, str(path))
    if path.stat().st_mode & _WRITERS:
        raise BadProfile(f"{path}: group or others may write it, and so decide where images go: chmod go-w it")
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """The settings in a text; `name` is the file that errors name and paths start from. Raises BadProfile."""
    given = SETTINGS.read(strict_yaml.read(text, name), "the settings file")
    _each_once(given["listen"], "port", "address")
    _each_once(given["peers"], "ae_title")
    _each_once(given["destinations"], "name")
    _each_once(given["routes"], "name")
    rules = tuple(_rule(each, given) for each in given.get("rules", ()))
    destinations = tuple(read_destination(each, given["state"], given.get("key")) for each in given["destinations"])
    each_once(given["destinations"], destinations)
    known = [each.name for each in destinations]
    return Settings(
        ae_title=given["ae_title"],
        state=given["state"],
        key=given.get("key"),
        passcodes=given.get("passcodes"),
        listeners=tuple(map(_listener, given["listen"])),
        peers=(*(_peer(each, given, rules) for each in given["peers"]), *_bringing_results(given)),
        reachable=tuple(_reachable(each) for each in given["peers"] if "results" in each),
        destinations=destinations,
        routes=tuple(_route(each, known) for each in given["routes"]),
        rules=rules,
        limits=Limits(**given.get("limits", LIMITS.defaults())),
        originals_days=given.get("retention", RETENTION.defaults())["originals_days"],
        watch=Watched(str(given["watch"]["address"]), given["watch"]["port"]) if "watch" in given else None,
        audit=_audit(given["audit"]) if "audit" in given else None,
    )


def _each_once(listed: Iterable[Given], *keys: str) -> None:
    before: dict[tuple[Any, ...], Given] = {}
    for each in listed:
        same = before.setdefault(tuple(each[key] for key in keys), each)
        if same is not each:
            raise each.at(keys[0]).bad(f"this {keys[0]} is taken already, on line {same.at(keys[0]).line}")


def _listener(given: Given) -> Listener:
    return Listener(str(given["address"]), given["port"], tls_of(given), given.get("dicomweb", ""))


def _audit(given: Given) -> AuditRepository:
    return AuditRepository(given["host"], given["port"], tls_of(given))


def _reachable(peer: Given) -> Reachable:
    given = peer["results"]
    return Reachable(peer["ae_title"], given["host"], given["port"], tls_of(given))


def _route(given: Given, destinations: Collection[str]) -> Route:
    for number, name in enumerate(given["destinations"]):
        place = given.at("destinations", number)
        if name not in destinations:
            raise place.bad(f"unknown destination {name!r}{nearest(name, destinations)}")
        if name in given["destinations"][:number]:
            raise place.bad(f"destination {name!r} is given twice")
    profile = given["profile"]
    if not WORD.fullmatch(profile):
        profile = str(Path(given.place.file).parent / profile)
    chosen = given.get("options", ())
    try:
        options.check(chosen)
    except BadProfile as error:
        raise given.at("options").bad(str(error)) from None
    try:
        plan = load_plan(profile, chosen)
    except BadProfile as error:
        raise given.at("profile").bad(str(error)) from None
    return Route(given["name"], plan, given["destinations"])


def _rule(given: Given, settings: Given) -> Rule:
    _known_route(given, settings)
    peers = [peer["ae_title"] for peer in settings["peers"]]
    for number, title in enumerate(given.get("calling", ())):
        if title not in peers:
            raise given.at("calling", number).bad(f"no peer has the AE title {title!r}{nearest(title, peers)}")
    named = {"calling": "calling", "called": "called", "sop_classes": "sop_class", "modalities": "modality"}
    sets = {field: frozenset(given.get(key, ())) for field, key in named.items()}
    return Rule(given["route"], match=given.get("match", ()), **sets)


def _known_route(given: Given, settings: Given) -> None:
    routes = [route["name"] for route in settings["routes"]]
    if given["route"] not in routes:
        raise given.at("route").bad(f"unknown route {given['route']!r}{nearest(given['route'], routes)}")


def _peer(given: Given, settings: Given, rules: Collection[Rule]) -> Peer:
    theirs = [rule for rule in rules if not rule.calling or given["ae_title"] in rule.calling]
    if "route" in given:
        _known_route(given, settings)
    elif not theirs:
        raise given.at("route").bad("a peer needs a route, or a rule that is for it")
    if "user" in given and "passcodes" not in settings:
        raise given.at("user").bad("a user needs a passcode: name the file 'passcodes' in the settings")
    return Peer(
        ae_title=given["ae_title"],
        route=given.get("route", ""),
        holder=_holder(given, settings),
        addresses=given.get("addresses", ()),
        user=given.get("user", ""),
        private=given.get("private_sop_classes", ()),
        called=frozenset().union(*(rule.called for rule in theirs)),
    )


def _holder(given: Given, settings: Given) -> Holder | None:
    if "certificate" not in given:
        return None
    if not any("tls" in each for each in settings["listen"]):
        raise given.at("certificate").bad("no listener has TLS, so this peer could never show its certificate")
    named = given["certificate"]
    return Holder(**{**named, "sha256": named.get("sha256", "").replace(":", "").lower()})


def _bringing_results(settings: Given) -> Iterator[Peer]:
    """Destinations that may associate with us to bring results of Storage Commitment, and for nothing else."""
    known = {peer["ae_title"]: peer for peer in settings["peers"]}
    for destination in settings["destinations"]:
        given = destination.get("commitment", {})
        if "certificate" not in given and "addresses" not in given:
            continue  # its results come over the association of the request, or it is one of the peers
        if same := known.get(destination["ae_title"]):
            raise given.at("certificate").bad(
                f"who calls itself {destination['ae_title']} is known already, by line {same.place.line}"
            )
        known[destination["ae_title"]] = given
        yield Peer(destination["ae_title"], "", _holder(given, settings), given.get("addresses", ()), sends=False)
