"""The kinds of destination that settings know, and how each is opened for the objects that go there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.forward.apart import Conversion, converting
from deid.forward.deposit import Deposit
from deid.forward.scu import Destination, Sender, needs_of
from deid.forward.stow import Service, Stow
from deid.gateway.reception import tell_certificates
from deid.network.tls import LiveContext
from deid.scale import apart, seconds_for
from deid.settings.destinations import Directory, Web

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from deid.gateway import courier
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
        service = Service(named.host, named.port, named.path, _live(named.tls), named.token_file)
        service.token()  # told now, and not object by object
        return lambda _paths: Stow(service)
    there = association_with(named, settings)
    converted = converting(ending.enter_context(apart(Conversion(seconds_for))))
    return lambda paths: Sender(there, needs_of(paths), work, converted)


def association_with(named: Named | Reachable, settings: Settings) -> Destination:
    """Where DICOM is spoken. Raises BadProfile for certificates that cannot be used."""
    return Destination(named.ae_title, named.host, named.port, settings.ae_title, tls=_live(named.tls))


def _live(tls: Tls | None) -> LiveContext | None:
    return LiveContext(tls, server=False, say=tell_certificates) if tls else None
