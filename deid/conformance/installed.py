"""What one gateway is told by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.conformance.markdown import table
from deid.settings.destinations import Destination, Directory

if TYPE_CHECKING:
    from deid.network.tls import Tls
    from deid.settings.destinations import Onward
    from deid.settings.document import Settings


def installed(settings: Settings) -> str:
    """The section."""
    listeners = ((each.address, each.port, each.dicomweb or "DICOM", _secured(each.tls)) for each in settings.listeners)
    peers = ((each.ae_title, _known_by(each.holder, each.addresses), each.route) for each in settings.peers)
    destinations = ((each.name, *_place(each)) for each in settings.destinations)
    routes = (
        (
            each.name,
            each.plan.chosen.profile or "a profile of the site's own",
            ", ".join(each.plan.chosen.options) or "none",
            ", ".join(each.destinations),
        )
        for each in settings.routes
    )
    return (
        "## 8 This gateway\n\n"
        f"Its AE title is {settings.ae_title}.\n\n"
        + table(("Address", "Port", "Speaks", "Security"), listeners)
        + "\n\n"
        + table(("Peer", "Known by", "Route"), peers)
        + "\n\n"
        + table(("Destination", "Kind", "Where", "Security"), destinations)
        + "\n\n"
        + table(("Route", "Profile", "Options", "Destinations"), routes)
    )


def _secured(tls: Tls | None) -> str:
    return tls.profile if tls else "none: in the clear"


def _known_by(holder: object, addresses: tuple[object, ...]) -> str:
    return " and ".join(filter(None, ("its certificate" if holder else "", "its address" if addresses else "")))


def _place(destination: Onward) -> tuple[str, str, str]:
    if isinstance(destination, Directory):
        return "folder", "on this machine", "none"
    where = f"{destination.host}:{destination.port}"
    if isinstance(destination, Destination):
        return "Storage SCP", f"{destination.ae_title} at {where}", _secured(destination.tls)
    return "STOW-RS", f"{where}{destination.path}", _secured(destination.tls)
