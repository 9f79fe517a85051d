"""`deid conformance`: what of DICOM is spoken here, for those who have to connect to it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import Annotated

import typer


def conformance(
    settings: Annotated[
        Path | None,
        typer.Argument(
            metavar="SETTINGS", help="A settings file: what that gateway is told is added.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the DICOM conformance statement, in Markdown."""
    from deid.conformance.statement import statement
    from deid.settings.document import load

    typer.echo(statement(load(settings) if settings else None))
