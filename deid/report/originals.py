"""What was seen in a folder of originals, as a page for the eyes of one person, and as data without names."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deid.errors import BadState
from deid.model import State
from deid.report.page import page, write
from deid.report.pictures import cards
from deid.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deid.model import Chosen
    from deid.report.inventory import Inventory


def write_page(path: Path, found: Inventory, chosen: Chosen, jobs: int, progress: Callable[[int, int], None]) -> None:
    """Write the page, which shows originals, for its owner alone. Raises BadState when it cannot be written."""
    series = sorted(found.series.values(), key=lambda each: (-each.share, each.patient, each.study, each.uid))
    drawn = cards(series, found.member, jobs, progress)
    text = page("scan.html.j2", found=found, cards=drawn, chosen=chosen, made=datetime.now(UTC), version=__version__)
    try:
        write(path, text)
    except OSError as error:
        raise BadState(f"no page can be written to {path}: {error.strerror}") from None


def data(found: Inventory) -> dict[str, Any]:
    """Counts and reasons: no path, no patient, no UID."""
    counted = (State.RELEASED, State.HELD, State.DUPLICATE, State.UNREADABLE)
    return {
        "files": found.files - found.dicomdir,
        "would_be": {state.value: found.states[state] for state in counted},
        "dicomdir": found.dicomdir,
        "patients": len(found.patients),
        "studies": len(found.studies),
        "series": len(found.series),
        "sop_classes": dict(found.sop_classes.most_common()),
        "modalities": dict(found.modalities.most_common()),
        "transfer_syntaxes": dict(found.transfer_syntaxes.most_common()),
        "private_creators": dict(found.creators.most_common()),
        "pixels": asdict(found.images) | {"engines": sorted(found.images.engines)},
        "kept_back": [
            {"state": group.state.value, "reason": group.reason, "files": group.files} for group in found.groups()
        ],
    }
