"""`deid demo`: the whole way with invented patients, to see what happens before real ones are trusted to it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import Annotated

import typer

from deid.cli.run import carry_out, exit_code, tell
from deid.cli.state import options_again
from deid.errors import BadState


def demo(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")]) -> None:
    """Show the whole way with invented patients.

    Invented studies are written to FOLDER/in and de-identified to FOLDER/out. The state is in FOLDER/state:
    your own state and key are not touched.
    """
    from deid import samples
    from deid.cli.terminal import say
    from deid.profile.plan import load_plan

    source, target, state = (folder / name for name in ("in", "out", "state"))
    try:
        if folder.exists() and any(folder.iterdir()):
            raise BadState(f"{folder} is not empty: name a new folder")
        samples.make(source)
    except OSError as error:
        raise BadState(f"{folder} cannot be used: {error.strerror}") from None
    summary = carry_out(source, target, load_plan("default"), state=state)
    tell(summary, target, options_again(state, None))
    say(f"The invented originals are in {source}; compare them with the output.")
    say(f"Nothing was written outside of {folder}: delete it when you have seen enough.")
    raise typer.Exit(exit_code(summary))
