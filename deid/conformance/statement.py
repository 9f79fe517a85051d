"""The whole statement, in the order of PS3.2 Annex N as far as it applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deid.conformance.confidentiality import confidentiality
from deid.conformance.installed import installed
from deid.conformance.markdown import table
from deid.conformance.networking import networking
from deid.conformance.security import character_sets, security
from deid.conformance.web import media, web
from deid.network.contexts import SERVICES
from deid.standard import data_files, iods
from deid.standard.uids import name_of
from deid.version import __version__

if TYPE_CHECKING:
    from deid.settings.document import Settings


def statement(settings: Settings | None = None) -> str:
    """The statement in Markdown; with what one gateway is told, if its settings are given."""
    sections = [_overview(), networking(), web(), media(), confidentiality(), security(), character_sets()]
    if settings:
        sections.append(installed(settings))
    return "\n\n".join(sections)


def _overview() -> str:
    services = [
        ("Storage (section 2.2 lists the SOP classes)", "yes", "yes"),
        *((name_of(uid), "yes", "yes") for uid in SERVICES),
        ("DICOMweb Store Transaction (STOW-RS)", "user agent", "origin server"),
    ]
    tables = [*data_files.notices(), f"{iods.edition()}, IODs and their modules"]
    return (
        "# DICOM Conformance Statement\n\n"
        f"deid-gateway {__version__}\n\n"
        "## 1 Overview\n\n"
        "deid-gateway receives DICOM objects, or reads them from a folder, de-identifies them by PS3.15 and forwards"
        " them. This statement is in the order of PS3.2 Annex N, as far as it applies, in words of its own. It was"
        " printed by `deid conformance`, from the tables that the program itself runs on.\n\n"
        + table(("Service", "SCU", "SCP"), services)
        + "\n\nThe tables that the program has:\n\n"
        + "\n".join(f"* {each}" for each in tables)
    )
