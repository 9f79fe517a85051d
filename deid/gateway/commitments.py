"""Storage Commitment as a gateway has it: who asks destinations, what peers may ask for, and who calls them back."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.gateway.asker import Asker
from deid.gateway.reporter import Reporter
from deid.gateway.ways_out import association_with
from deid.log import say
from deid.receive.commitment import Committing
from deid.receive.results import Results
from deid.settings.destinations import Destination
from deid.store.custody import Custody
from deid.store.requests import Requests
from deid.store.standing import Standings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from threading import Event

    from deid.attributes.keys import Keys
    from deid.settings.document import Settings
    from deid.store.database import Connection


@dataclass(frozen=True, slots=True)
class Commitments:
    """What it takes to make them."""

    settings: Settings
    keys: Keys
    connection: Callable[[], Connection]  # to the ledger, another one each time
    outboxes: Mapping[int, Path]  # by journey
    tell: Callable[..., None]  # the auditor
    room: Callable[[], bool]  # whether there is room for what peers ask for
    stop: Event
    runs: list[Callable[[], None]]  # gets what is to run, each in a thread of its own

    def open(self) -> Committing:
        """What peers may ask for. Raises BadProfile for certificates that cannot be used."""
        results = self._ask(Custody(self.connection(), self.keys))
        requests = Requests(self.connection(), self.keys)
        requests.free_leases()
        there = {
            each.ae_title: association_with(each, self.settings, calling=each.ae_title)
            for each in self.settings.reachable
        }
        standings = Standings(self.connection(), self.keys)
        committing = Committing(requests, standings, results, there.keys(), self.tell, self.room)
        self.runs.append(Reporter(committing, there, self.stop).run)
        return committing

    def _ask(self, custody: Custody) -> Results:
        """Those who ask destinations whether they keep what they were sent."""
        dicom = [each for each in self.settings.destinations if isinstance(each, Destination)]
        asked = [destination for destination in dicom if destination.commitment_seconds]
        if count := custody.keep_only([destination.name for destination in asked]):
            say("commitment not asked for any more", count=count)
            self.tell("commitment not asked for any more", count=count)
        titles = {destination.ae_title for destination in asked}
        names = {title: [each.name for each in asked if each.ae_title == title] for title in titles}
        results = Results(custody, names, self.tell)
        for each in asked:
            calls = any(peer.ae_title == each.ae_title for peer in self.settings.peers)
            # What comes over the association of the request alone does not come any more.
            custody.ask_anew(each.name, time.time() if calls else math.inf)
            asker = Asker(
                name=each.name,
                destination=association_with(each, self.settings, destination=each.name),
                results=results,
                outboxes=self.outboxes,
                wait=float(each.commitment_seconds),
                calls=calls,
                stop=self.stop,
            )
            self.runs.append(asker.run)
        return results
