"""`deid scan`: what is in a folder, and what a run would do with it; nothing is changed, and nothing is kept."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.job import Jobs, Options, Profile, Source, check_source
from deid.errors import BadState
from deid.model import State

if TYPE_CHECKING:
    from deid.report.inventory import Inventory

SOME_WOULD_BE_KEPT_BACK = 3
MOST_ROWS = 20  # of a table on the terminal


def scan(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    *,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Also write a page with pictures of the originals, what would be masked outlined. It identifies"
            " patients: only you can read it, and it must not lie in IN.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = "default",
    option: Options = None,
    jobs: Jobs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON in place of the tables.")] = False,
) -> None:
    """Look at a folder as a run would.

    Every file is de-identified and verified in a temporary folder that is removed, so this takes as long as a run.
    With '--profile basic' the images are not searched, which is much faster. Nothing else is written, but for FILE.

    Exit codes: 0 everything would be released, 2 nothing started, 3 something would be held or is unreadable.
    """
    from deid.cli.terminal import progress_bar, say
    from deid.cores import cores
    from deid.profile.plan import load_plan
    from deid.report import inventory, originals

    check_source(source)
    plan = load_plan(profile, option or ())
    if html is not None:
        _check_page(html, source)
    jobs = jobs or cores()
    with progress_bar("looking") as progress:
        found = inventory.take_stock(source, plan, jobs, progress)
    if html is not None:
        with progress_bar("drawing") as progress:
            originals.write_page(html, found, plan.chosen, jobs, progress)
    if as_json:
        import json

        typer.echo(json.dumps(originals.data(found)))
    else:
        _tell(found)
        if html is not None:
            say(f"The page is {html}. It shows the originals: delete it when you have seen enough.")
    raise typer.Exit(SOME_WOULD_BE_KEPT_BACK if found.kept_back else 0)


def _check_page(html: Path, source: Path) -> None:
    """Before hours of work, not after."""
    if html.resolve().is_relative_to(source.resolve()):
        raise BadState(f"{html} is in the input folder {source}: name a file apart from it")
    if html.is_dir() or not os.access(html.parent, os.W_OK | os.X_OK):
        raise BadState(f"no page can be written to {html}: name a file in a folder that you can write to")


def _tell(found: "Inventory") -> None:
    from deid.cli.terminal import table

    counts = [("files", found.files - found.dicomdir)]
    would_be = (State.RELEASED, State.HELD, State.DUPLICATE)
    counts += [(f"  would be {state}", found.states[state]) for state in would_be]
    counts += [("  unreadable", found.states[State.UNREADABLE])]
    counts += [("patients", len(found.patients)), ("studies", len(found.studies)), ("series", len(found.series))]
    table((name, str(count)) for name, count in counts)
    if found.dicomdir:
        typer.echo(f"Not counted: {found.dicomdir} DICOMDIR; it names patients and is never copied.")
    for title, counter in (
        ("SOP Class", found.sop_classes),
        ("modality", found.modalities),
        ("transfer syntax", found.transfer_syntaxes),
        ("private creator", found.creators),
    ):
        if counter:
            typer.echo("")
            rows = counter.most_common()
            shown = [(name, str(count)) for name, count in rows[:MOST_ROWS]]
            others = sum(count for _, count in rows[MOST_ROWS:])
            table([*shown, *([(f"{len(rows) - MOST_ROWS} others", str(others))] if others else [])], (title, "objects"))
    typer.echo("")
    table(_about_images(found), ("text in the images", "objects"))
    if found.kept_back:
        typer.echo("")
        kept_back = ((str(group.files), group.reason, group.examples[0]) for group in found.groups())
        table(kept_back, ("files", "would be held or are unreadable, because", "for example"))
    typer.echo("")


def _about_images(found: "Inventory") -> list[tuple[str, str]]:
    images = found.images
    rows = [
        ("would be masked", images.masked),
        ("would be searched, nothing is found", images.nothing_found),
        ("would be released without a search", sum(images.unclaimed.values())),
        ("no pixels", images.without_pixels),
        ("the profile does not ask for it", images.not_asked),
    ]
    return [(name, str(count)) for name, count in rows if count]
