"""Storage SCU (PS3.4 B): objects to one destination, as they are encoded, many of them over one association.

A peer that refuses the transfer syntax of an object gets it without compression, or compressed without loss if it takes
nothing else. Success means that the peer has said so. When to try again is the caller's business.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from deid.attributes.uids import is_well_formed
from deid.errors import BrokenOff, Declined, Deferred, Rejected, Unreadable
from deid.forward.fall_back import convert
from deid.network.association import Association, connect
from deid.network.context_words import named
from deid.network.contexts import FALL_BACK, LOSSLESS, VERIFICATION, propose_storage
from deid.network.dimse import (
    AFFECTED_SOP_CLASS,
    AFFECTED_SOP_INSTANCE,
    C_ECHO,
    C_STORE,
    COMMAND_FIELD,
    PRIORITY,
    STATUS,
)
from deid.network.negotiation import Identity, Proposal, Role
from deid.network.pdu import Aborted, Ended, Limits
from deid.network.status import Kind, Status, judge
from deid.network.tls import NotSecure, handshake
from deid.part10 import source as files
from deid.part10.encoding import IMPLICIT_SYNTAX, is_deflated
from deid.part10.identity import DIRECTORY, SOP_CLASS, SOP_INSTANCE, identity_in
from deid.part10.outline import outline
from deid.part10.source import open_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from deid.network.tls import LiveContext
    from deid.part10.source import Source

    Convert = Callable[[Path, str, Path | None], Source]

_CHUNK: Final = 256 << 10  # bytes read from the file at a time, and given to the kernel together
ECHO: Final = Proposal(VERIFICATION, (IMPLICIT_SYNTAX,))
"""All that an association for C-ECHO asks for."""
_MEDIUM: Final = 0  # priority (PS3.7 E.1)


class Unreachable(Ended):
    """There is no connection to be had, or none that is secure."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to, and as whom."""

    ae_title: str
    host: str
    port: int
    calling: str = "DEID"
    tls: LiveContext | None = None
    identity: Identity | None = None
    limits: Limits = field(default_factory=Limits)
    answer: float = 300.0  # seconds; an archive may think for long before it says that it has an object
    made: Callable[[Association], None] = lambda _: None  # called with each association

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"

    def associate(self, proposals: Sequence[Proposal], roles: Sequence[Role] = ()) -> Association:
        """An association. Raises Ended when there is none to be had."""
        try:
            connection = socket.create_connection((self.host, self.port), self.limits.setup)
        except OSError as error:
            raise Unreachable(f"{self} cannot be reached ({error.strerror or type(error).__name__})") from None
        secure: socket.socket = connection
        if self.tls is not None:
            try:
                secure = handshake(connection, self.tls, self.limits.setup, server_name=self.host)
            except NotSecure as error:
                raise Unreachable(f"{self} and we found no secure connection: {error}") from None
        association = connect(
            secure, self.calling, self.ae_title, proposals, self.limits, identity=self.identity, roles=roles
        )
        try:
            self.made(association)
        except BaseException:
            association.abort()
            raise
        return association


class Need(NamedTuple):
    """What it takes to send an object as it is."""

    sop_class: str
    transfer_syntax: str


class Sent(NamedTuple):
    """An object that the peer has, with what it said and how it got it."""

    status: Status
    transfer_syntax: str
    length: int


def need_of(path: Path) -> Need | None:
    """What it takes to send a file; None for a DICOMDIR, which is no object. Raises Unreadable or Rejected."""
    with closing(open_stored(path)) as source:
        if source.media_storage_class == DIRECTORY:
            return None
        return Need(identity_of(source)[0], source.transfer_syntax)


def needs_of(paths: Iterable[Path]) -> set[Need]:
    """What it takes to send some files; those that cannot be sent are seen when their turn comes."""
    needs: set[Need] = set()
    for path in paths:
        with suppress(Rejected, Unreadable, OSError):
            if need := need_of(path):
                needs.add(need)
    return needs


class Sender:
    """Sends objects over one association, which is made when it is needed and made anew when it ended."""

    def __init__(
        self,
        destination: Destination,
        needs: Iterable[Need] = (),
        work: Path | None = None,
        converted: Convert = convert,
    ) -> None:
        """`needs` are those of objects that will come, so that one association serves them all.

        What has to be `converted` is put into a file in the folder `work` that has no name when it is sent.
        """
        self._destination = destination
        self._needs = list(dict.fromkeys(needs))
        self._work = work
        self._converted = converted
        self._association: Association | None = None
        self._contexts: dict[Need, int] = {}
        self._proposed: frozenset[Need] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        elif self._association is not None:
            self._association.abort()

    def send(self, path: Path) -> Sent:
        """Send one object. Returns when the peer has it.

        Raises Unreadable, Rejected when this object will never be taken, and Deferred when it may be later: BrokenOff
        where the association ended at it. The next call makes a new one.
        """
        was_open = self._association is not None and self._association.is_open
        try:
            return self._send(path)
        except BrokenOff as ended:
            if not was_open or not isinstance(ended.__cause__, Aborted):
                raise
        return self._send(path)  # peers close what was idle for a while, and that shows when it is used again

    def _send(self, path: Path) -> Sent:
        with closing(open_stored(path)) as source:
            sop_class, instance = identity_of(source)
            need = Need(sop_class, source.transfer_syntax)
            association, into = self._agreed(need)
            if into == need.transfer_syntax:
                return self._store(association, need, instance, source)
        with closing(self._converted(path, into, self._work)) as source:
            if not association.is_quiet(0):  # that took so long that the peer has ended it, not because of the object
                association.abort()
                association = self._associated(need)
                if Need(sop_class, into) not in self._contexts:
                    raise Deferred("the destination accepts other presentation contexts than a moment ago")
            return self._store(association, Need(sop_class, into), instance, source)

    def close(self) -> None:
        """Release the association. What was sent is safe, whatever comes of the release."""
        association, self._association = self._association, None
        if association is not None and association.is_open:
            with suppress(Ended):
                association.release()

    def _agreed(self, need: Need) -> tuple[Association, str]:
        """An association, and the transfer syntax in which the object goes over it. Raises Rejected without one."""
        ways = [Need(need.sop_class, syntax) for syntax in (need.transfer_syntax, *FALL_BACK, *LOSSLESS)]
        while True:
            association = self._associated(need)
            if way := next((way for way in ways if way in self._contexts), None):
                return association, way.transfer_syntax
            if self._proposed.issuperset(ways):
                raise Rejected(
                    "the destination accepts no presentation context for this kind of object: "
                    f"{named(need.sop_class)}, neither in {named(need.transfer_syntax)} nor otherwise without loss"
                )
            self.close()  # there was no room for all of them, which there is for those of the first need

    def _associated(self, need: Need) -> Association:
        if self._association is not None and self._association.is_open and need in self._proposed:
            return self._association
        self.close()
        # The latest first: there is room for a limited number of contexts, and the first may come no more.
        self._needs = list(dict.fromkeys((need, *self._needs)))
        proposals = propose_storage(self._needs)
        self._association = self._destination.associate(proposals)
        self._proposed = frozenset(Need(asked.abstract_syntax, asked.transfer_syntaxes[0]) for asked in proposals)
        self._contexts = {
            Need(context.abstract_syntax, context.transfer_syntax): context.id
            for context in self._association.contexts.values()
        }
        return self._association

    def _store(self, association: Association, need: Need, instance: str, source: Source) -> Sent:
        request: dict[int, int | str] = {
            AFFECTED_SOP_CLASS: need.sop_class,
            COMMAND_FIELD: C_STORE,
            PRIORITY: _MEDIUM,
            AFFECTED_SOP_INSTANCE: instance,
        }
        try:
            answer = association.ask(self._contexts[need], request, _chunks(source), self._destination.answer)
        except Ended as ended:
            raise BrokenOff(f"the association ended while it was sent this object: {ended}") from ended
        if answer.text(AFFECTED_SOP_INSTANCE) not in ("", instance):  # PS3.7 9.3.1.2: it may be left out, and no other
            association.abort()
            raise BrokenOff("the destination was sent this object, and answered for another one")
        status = judge(answer.number(STATUS))
        if status.kind is Kind.TRANSIENT:
            raise Declined(f"the destination did not store the object: {status}")
        if not status.is_stored:
            raise Rejected(f"the destination refuses the object: {status}")
        return Sent(status, need.transfer_syntax, source.size - source.start)


def _chunks(source: Source) -> Iterator[bytes]:
    """The data set; the file meta information stays here (PS3.8 knows only data sets)."""
    offset = source.start
    while offset < source.size:
        chunk = source.read(offset, _CHUNK)
        if not chunk:
            raise Deferred("the file became shorter while it was sent")
        yield chunk
        offset += len(chunk)


def identity_of(source: Source) -> tuple[str, str]:
    """SOP Class and SOP Instance UID. Raises Rejected where there are none."""
    found: tuple[str, str] = identity_in(source.head, source.transfer_syntax)
    if not all(found) and not is_deflated(source.transfer_syntax):  # something long stands before them
        layout = outline(source, files.Limits())
        found = layout.text(SOP_CLASS), layout.text(SOP_INSTANCE)
    if not all(map(is_well_formed, found)):
        raise Rejected("the object has no valid SOP Class and SOP Instance UID")
    return found


def echo(destination: Destination) -> Status:
    """C-ECHO: whether somebody is there who speaks DICOM and knows us. Raises Deferred."""
    with destination.associate((ECHO,)) as association:
        if not association.contexts:
            raise Deferred(f"{destination} accepts the association, but does not know C-ECHO")
        answer = association.ask(1, {AFFECTED_SOP_CLASS: VERIFICATION, COMMAND_FIELD: C_ECHO})
        association.release()
    return judge(answer.number(STATUS))
