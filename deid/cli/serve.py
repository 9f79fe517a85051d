"""`deid serve`: the gateway, until it is told to stop."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import signal
from pathlib import Path
from typing import Annotated

import typer

FAILED = 1


def serve(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="The settings, a YAML file.")],
) -> None:
    """Receive DICOM, de-identify it, and forward it.

    Runs until it gets SIGTERM or Ctrl-C; then it finishes what is at work. Whatever is left is done after the next
    start. Events go to standard error, one line of JSON each.

    Exit codes: 0 stopped as told, 1 a defect, 2 not started.
    """
    from deid.gateway.service import Gateway
    from deid.settings.document import load

    gateway = Gateway(load(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.stop.set())
    gateway.run()
    raise typer.Exit(FAILED if gateway.failed else 0)
