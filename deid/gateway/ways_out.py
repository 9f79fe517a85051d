"""The kinds of destination that settings know, and how each is opened for the objects that go there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deid.forward.apart import Conversion, converting
from deid.forward.deposit import Deposit
from deid.forward.scu import Destination, Sender, needs_of
from deid.forward.stow import Service, Stow
from deid.gateway.reception import tell_certificates
from deid.log import say
from deid.network.context_words import negotiated
from deid.network.refusals import shown
from deid.network.tls import LiveContext
from deid.scale import apart, seconds_for
from deid.settings.destinations import Directory, Web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from deid.gateway import courier
    from deid.network.association import Association
    from deid.network.tls import Tls
    from deid.settings.destinations import Destination as Named
    from deid.settings.destinations import Onward
    from deid.settings.document import Reachable, Settings

    Opened = Callable[[Sequence[Path]], AbstractContextManager[courier.Sender]]


def opened(named: Onward, settings: Settings, work: Path, ending: ExitStack) -> Opened:
    """What a courier calls with the objects that it brings, until `ending`.

    Raises BadProfile for files that cannot be used.
    """
    if isinstance(named, Directory):
        return lambda _paths: Deposit(named.folder)
    if isinstance(named, Web):
        connected = partial(_tell_connected, named.name)
        service = Service(named.host, named.port, named.path, _live(named.tls), named.token_file, connected)
        service.token()  # told now, and not object by object
        return lambda _paths: Stow(service)
    there = association_with(named, settings, destination=named.name)
    converted = converting(ending.enter_context(apart(Conversion(seconds_for))))
    return lambda paths: Sender(there, needs_of(paths), work, converted)


def association_with(named: Named | Reachable, settings: Settings, **who: str) -> Destination:
    """Where DICOM is spoken; `who` it is says the log of each association.

    Raises BadProfile for certificates that cannot be used.
    """
    made = partial(_tell_made, who)
    return Destination(named.ae_title, named.host, named.port, settings.ae_title, tls=_live(named.tls), made=made)


def _tell_made(who: Mapping[str, str], association: Association) -> None:
    accepted = {number: context.transfer_syntax for number, context in association.contexts.items()}
    say(
        "association made",
        **who,
        address=association.address,
        certificate=shown(association.certificate),
        **negotiated(association.request, accepted, association.because),
    )


def _tell_connected(destination: str, address: str, certificate: bytes | None) -> None:
    say("connection made", destination=destination, address=address, certificate=shown(certificate))


def _live(tls: Tls | None) -> LiveContext | None:
    return LiveContext(tls, server=False, say=tell_certificates) if tls else None
