"""The journeys of a gateway: one for each route, and one for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.gateway.sorter import UNROUTED
from deid.log import say
from deid.store.queue import Queue
from deid.store.relocation import relocate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deid.settings.document import Settings
    from deid.store.vault import Vault

_NO_ROUTE: Final = "no route"  # in place of a plan


def journeys_of(settings: Settings, vault: Vault) -> dict[str, int]:
    """By route; where rules leave or have left objects without one, those have a journey which leads nowhere."""
    spool, outbox = settings.state / "spool", settings.state / "outbox"
    queue = Queue(vault.connection, vault.keys)
    _follow(spool, outbox, queue, vault)
    journeys = {}
    if settings.rules or (spool / UNROUTED).exists():
        journeys[UNROUTED] = queue.journey(spool / UNROUTED, outbox / UNROUTED, _NO_ROUTE)
    for route in settings.routes:
        folders = spool / route.name, outbox / route.name
        journeys[route.name] = queue.journey(*folders, _plan(route.name), route.plan.chosen)
    return journeys


def former(settings: Settings, vault: Vault) -> dict[str, int]:
    """By name, the journeys of routes that the settings have no more."""
    routes = {route.name for route in settings.routes}
    journeys = ((journey, journey.source.name) for journey in Queue(vault.connection, vault.keys).journeys())
    return {name: each.number for each, name in journeys if each.plan == _plan(name) and name not in routes}


def _plan(route: str) -> str:
    return f"route {route}"


def _follow(spool: Path, outbox: Path, queue: Queue, vault: Vault) -> None:
    """Wherever the state folder was when the gateway stopped, the journeys in it are here now."""
    for journey in queue.journeys():
        name = journey.source.name
        if journey.plan in (_NO_ROUTE, _plan(name)) and journey.source != (spool / name).resolve():
            count = relocate(vault.connection, vault.keys, journey.number, spool / name, outbox / name)
            if count:
                say("state folder was moved", count=count)


def beside(settings: Settings, journeys: Mapping[str, int]) -> dict[int, list[int]]:
    """For each journey the others to one of its destinations: what came by two would be there in two versions."""
    return {
        journeys[one.name]: [
            journeys[other.name]
            for other in settings.routes
            if other is not one and not set(one.destinations).isdisjoint(other.destinations)
        ]
        for one in settings.routes
    }
