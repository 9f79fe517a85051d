"""The report of all batches of a ledger: report.html for people, report.json for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from deid.errors import BadState
from deid.profile.rule import MEANING
from deid.report.account import account_of
from deid.report.page import page, write
from deid.report.pictures import Member, cards
from deid.store.queue import Queue
from deid.store.results import Results
from deid.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deid.report.account import Account
    from deid.report.pictures import Card, Figure
    from deid.store.rows import Journey
    from deid.store.vault import Vault

PAGE, DATA = "report.html", "report.json"


def make(vault: Vault, folder: Path, jobs: int, progress: Callable[[int, int], None]) -> list[Journey]:
    """Write both files into `folder`, made if need be; returns the batches that they tell of, newest first.

    Raises BadState when the folder lies within an input or output, or cannot be written.
    """
    queue = Queue(vault.connection, vault.keys)
    journeys = queue.journeys()[::-1]
    for journey in journeys:
        for other, what in ((journey.source, "input"), (journey.target, "output")):
            if folder.resolve().is_relative_to(other):
                raise BadState(f"{folder} is in the {what} folder {other}: name a folder apart from it")
    results = Results(vault.connection, vault.keys)
    accounts = [account_of(queue, results, journey) for journey in journeys]
    targets = {journey.number: journey.target for journey in journeys}

    def member(number: int) -> Member:
        journey, released = results.released_as(number)
        return Member(number, targets[journey] / released.path, released.pixels, f"ID {number}")

    drawn = cards([series for account in accounts for series in account.series], member, jobs, progress)
    told = [(account, [drawn.pop(0) for _ in account.series]) for account in accounts]
    made = datetime.now(UTC)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(folder / PAGE, page("report.html.j2", batches=told, made=made, version=__version__, meaning=MEANING))
        write(folder / DATA, _data(told, made))
    except OSError as error:
        raise BadState(f"no report can be written to {folder}: {error.strerror}") from None
    return journeys


def _data(told: Sequence[tuple[Account, Sequence[Card]]], made: datetime) -> str:
    batches = [_batch(account, drawn) for account, drawn in told]
    whole = {"version": 1, "program": f"deid-gateway {__version__}", "made": made.isoformat(timespec="seconds")}
    return json.dumps(whole | {"batches": batches}, indent=1) + "\n"


def _batch(account: Account, drawn: Sequence[Card]) -> dict[str, Any]:
    images = account.images
    return {
        "batch": account.number,
        "program": account.version,
        "profile": asdict(account.chosen) if account.chosen else None,
        "balance": account.balance,
        "leaks": account.leaks,
        "missing": account.missing,
        "kept_back": [asdict(group) for group in account.kept_back],
        "pixels": asdict(images) | {"engines": sorted(images.engines)},
        "actions": [dict(zip(_ACTION, action, strict=True)) for action in account.actions],
        "series": [_series(card) for card in drawn],
    }


_ACTION: Final = ("attribute", "action", "because", "objects")


def _series(card: Card) -> dict[str, Any]:
    series = card.series
    return {
        "patient": series.patient,
        "study": series.study,
        "series": series.uid,
        "sop_class": card.kind,
        "objects": series.objects,
        "searched": series.searched,
        "masked": series.masked,
        "largest_share": series.share,
        "shown": [_shown(figure) for figure in card.figures],
    }


def _shown(figure: Figure) -> dict[str, Any]:
    pixels, picture = figure.member.pixels, figure.picture
    return {
        "ticket": figure.member.number,
        "frame": picture.frame if picture else None,
        "frames": figure.frames,
        "boxes": picture.boxes if picture else [],
        "share": pixels.share if pixels else 0.0,
        "missing": figure.because,
    }
