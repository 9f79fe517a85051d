"""`deid report`: what was done, told for the people who decide whether the output may leave."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import Annotated

import typer

from deid.cli.state import Key, State, folder_of, opened


def report(
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for the report. Default: the state folder.", show_default=False
        ),
    ] = None,
    state: State = None,
    key: Key = None,
) -> None:
    """Write report.html and report.json.

    They tell the balance, what needs a decision, what was done to headers and images, and show pictures of the
    output with what was masked outlined. They name no patient, and no file of the input or output.
    """
    from deid.cli.terminal import progress_bar, say, table
    from deid.cores import cores
    from deid.report import output

    folder = folder_of(state) if out is None else out
    with opened(state, key) as vault, progress_bar("drawing") as progress:
        batches = output.make(vault, folder, cores(), progress)
    if len(batches) > 1:
        table(((str(batch.number), str(batch.target)) for batch in batches), header=("batch", "output"))
    say(f"The report is {folder / output.PAGE}; the same for programs is {folder / output.DATA}.")
