"""Where objects go: a Storage SCP, a folder or a DICOMweb service, as the settings tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deid.network.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deid.settings.shape import Given


@dataclass(frozen=True, slots=True)
class Destination:
    """A Storage SCP that objects are forwarded to, over so many associations at a time."""

    name: str
    ae_title: str
    host: str
    port: int
    tls: Tls | None
    associations: int
    commitment_seconds: int = 0  # in which it has to say whether it keeps what it was sent; 0: it is not asked

    @property
    def couriers(self) -> int:
        """How many are under way to it at a time."""
        return self.associations

    @property
    def archive(self) -> tuple[str, int, str]:
        """What tells it from others of its kind, whatever it is called here."""
        return self.host.lower(), self.port, self.ae_title


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder that objects are put into, under their new UIDs."""

    name: str
    folder: Path
    couriers: int = 1  # nobody else writes there meanwhile

    @property
    def archive(self) -> Path:
        """What tells it from others of its kind."""
        return self.folder


@dataclass(frozen=True, slots=True)
class Web:
    """A DICOMweb service that objects are sent to with STOW-RS; its path does not end with `/`."""

    name: str
    host: str
    port: int
    path: str
    tls: Tls | None
    token_file: Path | None
    couriers: int

    @property
    def archive(self) -> tuple[str, int, str]:
        """What tells it from others of its kind."""
        return self.host, self.port, self.path


Onward = Destination | Directory | Web
"""Where objects go."""


def each_once(given: Iterable[Given], destinations: Iterable[Onward]) -> None:
    """What came by two routes is seen by the names of destinations: an archive with two would get two versions of it.

    Raises BadProfile.
    """
    before: dict[tuple[type[Onward], object], Given] = {}
    for each, destination in zip(given, destinations, strict=True):
        same = before.setdefault((type(destination), destination.archive), each)
        if same is not each:
            telling = next(key for key in ("host", "folder", "url") if key in each)
            raise each.at(telling).bad(
                f"this is destination {same['name']!r} of line {same.at(telling).line}: let routes name that one, for"
                " an archive under two names could get two versions of an object"
            )


def tls_of(given: Given) -> Tls | None:
    """How a connection is made secure; None where it is in the clear."""
    return Tls(**given["tls"]) if "tls" in given else None


def read_destination(given: Given, state: Path, key: Path | None) -> Onward:
    """One destination, of its kind. Raises BadProfile."""
    if "folder" in given:
        return _directory(given, state, key)
    if "url" in given:
        return _web(given)
    plain = {key: given[key] for key in ("name", "ae_title", "host", "port", "associations")}
    seconds = given["commitment"]["wait_seconds"] if "commitment" in given else 0
    return Destination(tls=tls_of(given), commitment_seconds=seconds, **plain)


def _directory(given: Given, state: Path, key: Path | None) -> Directory:
    folder, kept = given["folder"].resolve(), state.resolve()
    if folder.is_relative_to(kept) or kept.is_relative_to(folder):
        raise given.at("folder").bad("this folder and the state folder must be apart: neither may lie within the other")
    if key and key.resolve().is_relative_to(folder):
        raise given.at("folder").bad(
            "this folder and the key must be apart: whoever has both can go back to the patients"
        )
    return Directory(given["name"], folder)


def _web(given: Given) -> Web:
    url = urlsplit(given["url"])
    if (url.scheme == "https") != ("tls" in given):
        raise given.at("url").bad("https goes with 'tls', http with 'unencrypted'")
    try:
        port = url.port or (443 if "tls" in given else 80)
    except ValueError:
        raise given.at("url").bad("the port of the url must be from 1 to 65535") from None
    return Web(
        name=given["name"],
        host=url.hostname or "",
        port=port,
        path=url.path.rstrip("/"),
        tls=tls_of(given),
        token_file=given.get("token_file"),
        couriers=given["connections"],
    )
