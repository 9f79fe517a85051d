"""The Audit Source (PS3.15 A.5): what the audit trail says is told to a repository, in its order, until it has it.

Only lines that are on the disk are told, and the place moves when the repository has confirmed. So nothing is lost when
either side is down, and after a crash at most one batch is told twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Final

from deid.errors import Deferred
from deid.gateway.audit_events import Ours, messages
from deid.gateway.audit_group import Identity
from deid.gateway.audit_message import DESTINATION, SUCCESS, Participant
from deid.gateway.reception import tell_certificates
from deid.log import say
from deid.network.syslog import NOTICE, WARNING, Record, Repository
from deid.network.tls import LiveContext
from deid.settings.destinations import Destination, Web
from deid.store.audit import Audit
from deid.store.deliveries import pause_after
from deid.store.new_identities import NewIdentities
from deid.store.reported import Reported

if TYPE_CHECKING:
    from deid.settings.destinations import Onward
    from deid.settings.document import Settings
    from deid.store.audit import Line
    from deid.store.database import Connection
    from deid.store.vault import Vault

_AT_ONCE: Final = 1024  # lines of the trail that are held in memory, and told over one connection
_LOOK: Final = 3.0  # seconds, in which what happens alike is gathered
_LONGEST_PAUSE: Final = 60.0  # seconds
_LAST_WORDS: Final = 3.0  # seconds for each step


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Tells one repository."""

    audit: Audit
    reported: Reported
    repository: Repository
    ours: Ours
    identities: NewIdentities
    stop: Event

    def run(self) -> None:
        """Tell until the gateway stops. Raises BadState when the trail, or the place in it, was changed."""
        failures = 0
        while not self.stop.is_set():
            try:
                told = self.tell()
            except Deferred as reason:
                failures += 1
                seconds = min(pause_after(failures - 1), _LONGEST_PAUSE)
                say("audit messages paused", reason=reason, waiting=self.behind(), seconds=seconds)
                self.stop.wait(seconds)
                continue
            if failures:
                say("audit messages resumed", waiting=self.behind())
            failures = 0
            if told < _AT_ONCE:
                self.stop.wait(_LOOK)

    def finish(self) -> None:
        """Tell what was said last, if the repository is there at once; it gets it after the next start otherwise."""
        if self.behind() <= _AT_ONCE:
            with suppress(Deferred):
                replace(self, repository=replace(self.repository, seconds=_LAST_WORDS)).tell()

    def tell(self) -> int:
        """Tell the next lines; says how many. Raises Deferred when they are not confirmed, or there is no room."""
        lines, after = self.audit.after(self.reported.position(), _AT_ONCE)
        if lines:
            with self.reported.moved(after):
                records = self._records(lines)
                if records:
                    self.repository.send(records)
        return len(lines)

    def behind(self) -> int:
        """How many lines the repository does not have yet."""
        return max(0, self.audit.lines() - self.reported.position().lines)

    def _records(self, lines: list[Line]) -> list[Record]:
        tickets = {int(line.fields["ticket"]) for line in lines if "ticket" in line.fields}
        identities = {ticket: Identity(*new) for ticket, new in self.identities.of(tickets).items()}
        return [
            Record(
                message.time,
                NOTICE if message.outcome == SUCCESS else WARNING,
                message.xml(self.ours.ae_title),
            )
            for message in messages(lines, identities, self.ours)
        ]


def audit_source(settings: Settings, vault: Vault, connection: Connection, stop: Event) -> AuditSource | None:
    """The one of these settings, if they name a repository. Raises BadProfile and BadState when it cannot begin."""
    named = settings.audit
    if named is None:
        return None
    live = LiveContext(named.tls, server=False, say=tell_certificates) if named.tls else None
    reported = Reported(vault.audit, vault.keys)
    reported.position()
    there = {each.name: _participant(each) for each in settings.destinations}
    return AuditSource(
        audit=Audit(vault.audit, vault.keys),
        reported=reported,
        repository=Repository(named.host, named.port, live),
        ours=Ours(settings.ae_title, there),
        identities=NewIdentities(connection, vault.keys),
        stop=stop,
    )


def _participant(destination: Onward) -> Participant:
    name = destination.name
    if isinstance(destination, Destination):
        return Participant(name, DESTINATION, destination.ae_title, place=destination.host)
    return Participant(name, DESTINATION, place=destination.host if isinstance(destination, Web) else "")
