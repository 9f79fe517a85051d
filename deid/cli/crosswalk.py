"""`deid crosswalk`: from a replacement back to the original; every use is written to the audit trail first."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import sys
from pathlib import Path
from typing import Annotated

import typer

from deid.cli.state import Key, State, opened, person
from deid.errors import BadState

NOT_FOUND = 1

app = typer.Typer(no_args_is_help=True, help="Find originals by their replacements, and the reverse. Audited.")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    *,
    state: State = None,
    key: Key = None,
) -> None:
    """Write the crosswalk to DIR in the clear.

    The files are uid_mapping.csv and patid_mapping.csv, with the columns id_old and id_new. These files
    identify everybody: keep them apart from the output.
    """
    from deid.cli.terminal import say
    from deid.store.audit import Audit
    from deid.store.crosswalk import Crosswalk
    from deid.store.queue import Queue

    with opened(state, key) as vault:
        for journey in Queue(vault.connection, vault.keys).journeys():
            for other, what in ((journey.source, "input"), (journey.target, "output")):
                if folder.resolve().is_relative_to(other):
                    raise BadState(f"{folder} is in the {what} folder {other}: name a folder apart from it")
        Audit(vault.audit, vault.keys).record("crosswalk export", user=person())
        try:
            Crosswalk(vault.connection, vault.keys).export(folder)
        except OSError as error:
            raise BadState(f"{folder} cannot be written: {error.strerror}") from None
    say(f"Written to {folder}. These files identify everybody: keep them apart from the output.")


@app.command()
def lookup(
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="A UID, a Patient ID or another value. Left out or '-': read one line from standard input,"
            " so that the value does not show in the list of processes.",
            show_default=False,
        ),
    ] = "-",
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; goes into the audit trail, so name no patient.")],
    state: State = None,
    key: Key = None,
) -> None:
    """Find one value, old or new.

    Prints what was replaced by VALUE, and what VALUE was replaced by. Exit code 1 if nothing was.
    """
    from deid.cli.terminal import table
    from deid.store.audit import Audit
    from deid.store.crosswalk import Crosswalk

    if not reason.strip():
        raise typer.BadParameter("a look-up needs a reason", param_hint="--reason")
    wanted = sys.stdin.readline().rstrip("\r\n") if value == "-" else value
    if not wanted:
        raise typer.BadParameter("there is no value to look up", param_hint="VALUE")
    with opened(state, key) as vault:
        audit = Audit(vault.audit, vault.keys)
        audit.record("crosswalk lookup", value=audit.pseudonym(wanted), reason=reason, user=person())
        found = Crosswalk(vault.connection, vault.keys).lookup(wanted)
    if not found:
        typer.echo("Not in the crosswalk.", err=True)
        raise typer.Exit(NOT_FOUND)
    table(((pair.kind, pair.original, pair.replacement) for pair in found), header=("kind", "original", "replacement"))
