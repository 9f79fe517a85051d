"""`deid run`: a folder in, a folder out, and a summary that accounts for every object."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.job import Jobs, Options, Profile, Source, check_source
from deid.cli.state import Key, State, folder_of, options_again
from deid.cli.terminal import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.model import Summary
    from deid.profile.plan import Plan

SOME_KEPT_BACK, LEAK_FOUND = 3, 4


def run(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the de-identified objects.")],
    *,
    state: State = None,
    key: Key = None,
    profile: Profile = "default",
    option: Options = None,
    jobs: Jobs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON in place of the summary.")] = False,
    dicomdir: Annotated[
        bool,
        typer.Option(
            "--dicomdir",
            help="Also make OUT/MEDIA for a disc: copies of the output, with a DICOMDIR."
            " A run without this leaves an earlier one as it is.",
        ),
    ] = False,
) -> None:
    """De-identify the DICOM objects of a folder.

    All objects in IN are de-identified; those that pass verification are written to OUT. The others are held
    back, and 'deid queue' shows why. Run the same command again to resume, or to take in new files.

    Exit codes: 0 everything released, 1 stopped early (the disk is full, a defect), 2 nothing started, 3 something
    held or unreadable, 4 verification found an identifying value (the object is held), 130 interrupted.
    """
    from deid.profile.plan import load_plan

    check_source(source)
    plan = load_plan(profile, option or ())
    stopped = tell_as_json if as_json else _tell_nothing
    summary = carry_out(source, target, plan, stopped, state=state, key=key, jobs=jobs, dicomdir=dicomdir)
    if as_json:
        tell_as_json(summary)
    else:
        tell(summary, target, options_again(state, key))
    raise typer.Exit(exit_code(summary))


def _tell_nothing(_: "Summary") -> None:
    """The line that says why the run stopped is enough for a person."""


def tell_as_json(summary: "Summary") -> None:
    """Print the summary as one line of JSON."""
    import json
    from dataclasses import asdict

    typer.echo(json.dumps(asdict(summary)))


def carry_out(  # noqa: PLR0913 - what a batch needs, and a terminal to show it on
    source: Path,
    target: Path,
    plan: "Plan",
    stopped: "Callable[[Summary], None]" = _tell_nothing,
    *,
    state: Path | None,
    key: Path | None = None,
    jobs: int | None = None,
    dicomdir: bool = False,
) -> "Summary":
    """One batch, with a progress bar if somebody watches."""
    from deid.batch import run as run_batch
    from deid.cores import cores

    with progress_bar("de-identifying") as progress:
        return run_batch(
            source=source,
            target=target,
            state=folder_of(state),
            key=key,
            plan=plan,
            jobs=jobs or cores(),
            progress=progress,
            stopped=stopped,
            dicomdir=dicomdir,
        )


def exit_code(summary: "Summary") -> int:
    """0 only when nothing is left to do or to look at."""
    if summary.leaks:
        return LEAK_FOUND
    return SOME_KEPT_BACK if summary.held or summary.unreadable or summary.waiting else 0


def tell(summary: "Summary", target: Path, options: str) -> None:
    """Print what became of everything, why some of it was kept back, and what to do next."""
    from deid.cli.terminal import say, table

    lines = [("received", summary.received)]
    states = ("released", "held", "duplicate", "unreadable", "discarded", "waiting")
    lines += [(f"  {state}", getattr(summary, state)) for state in states]
    # The states that always count are shown even when empty, so that anybody can add them up.
    table((name, str(count)) for name, count in lines if count or name.strip() not in ("discarded", "waiting"))
    if summary.dicomdir:
        typer.echo(f"Not counted: {summary.dicomdir} DICOMDIR of the input; it names patients and is never copied.")
    if summary.reasons:
        typer.echo("\nHeld or unreadable, because:")
        table((f"  {count}", reason) for reason, count in summary.reasons)
    typer.echo("")
    if summary.leaks:
        typer.echo(f"In {summary.leaks} held objects verification found an identifying value. None of it was released.")
    if summary.released:
        say(f"The output is in {target}")
    if summary.beside:
        typer.echo(
            f"Other runs, with another input or profile or an earlier version, released {summary.beside} objects into"
            " the same folder: those that this run did not make again are still there."
        )
    if summary.released:
        say(f"Look at it: deid report{options}")
    if summary.held:
        say(f"Next: deid queue list{options}")
    if summary.waiting:
        typer.echo("Some objects still wait; run the same command again.")
