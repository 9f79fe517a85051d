"""The journeys of a gateway: one for each route, and one for what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.gateway.sorter import UNROUTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.settings.document import Settings
    from deid.store.queue import Queue


def journeys_of(settings: Settings, queue: Queue) -> dict[str, int]:
    """By route; where rules leave or have left objects without one, those have a journey which leads nowhere."""
    spool, outbox = settings.state / "spool", settings.state / "outbox"
    journeys = {}
    if settings.rules or (spool / UNROUTED).exists():
        journeys[UNROUTED] = queue.journey(spool / UNROUTED, outbox / UNROUTED, "no route")
    for route in settings.routes:
        plan, chosen = f"route {route.name}", route.plan.chosen
        journeys[route.name] = queue.journey(spool / route.name, outbox / route.name, plan, chosen)
    return journeys


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
