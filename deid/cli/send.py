"""`deid send`: files to a Storage SCP, as they are."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.destination import Authorities, Calling, Certificate, Key, Password, Peer, destination_of
from deid.errors import BadState

if TYPE_CHECKING:
    from deid.forward.parallel import Sendings

NOT_ALL_SENT = 3


def send(  # noqa: PLR0913 - one parameter for each option
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders to send.")],
    peer: Peer,
    *,
    calling: Calling = "DEID",
    associations: Annotated[
        int, typer.Option("--associations", metavar="N", min=1, max=64, help="At once; more help on a long way.")
    ] = 1,
    tls_authorities: Authorities = None,
    tls_certificate: Certificate = None,
    tls_key: Key = None,
    tls_password: Password = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON in place of the summary.")] = False,
) -> None:
    """Send files to a peer as they are (C-STORE). Nothing is de-identified.

    Objects whose transfer syntax the peer refuses are sent without compression, or compressed without loss.

    Exit codes: 0 everything sent, 1 a defect, 2 nothing started, 3 something was refused or not sent, 130 interrupted.
    """
    from deid.cli.terminal import progress_bar
    from deid.forward.apart import Conversion, converting
    from deid.forward.parallel import send_all
    from deid.receive.folder import files_below
    from deid.scale import apart, seconds_for

    destination = destination_of(peer, calling, tls_authorities, tls_certificate, tls_key, tls_password)
    for path in paths:
        if not path.exists():
            raise BadState(f"there is no file or folder {path} to send")
    typer.echo("deid: the files are sent as they are: nothing is de-identified", err=True)
    files = [file for path in paths for file, _ in files_below(path)]
    with progress_bar("sending") as progress, apart(Conversion(seconds_for)) as done:
        sendings = send_all(destination, files, associations, progress, converting(done))
    if as_json:
        _tell_as_json(sendings)
    else:
        _tell(sendings)
    raise typer.Exit(NOT_ALL_SENT if sendings.failed or sendings.waiting else 0)


def _tell_as_json(sendings: "Sendings") -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps(asdict(sendings)))


def _tell(sendings: "Sendings") -> None:
    from deid.cli.terminal import table

    lines = [("found", sendings.sent + sendings.failed + sendings.waiting), ("  sent", sendings.sent)]
    lines += [
        (name, count)
        for name, count in (
            ("    converted", sendings.converted),
            ("    with a warning", sendings.warnings),
            ("  failed", sendings.failed),
            ("  not sent", sendings.waiting),
        )
        if count
    ]
    table((name, str(count)) for name, count in lines)
    if sendings.dicomdir:
        typer.echo(f"Not counted: {sendings.dicomdir} DICOMDIR, which index files and are never sent.")
    if sendings.reasons:
        typer.echo("\nBecause:")
        table((f"  {count}", reason) for reason, count in sorted(sendings.reasons.items(), key=lambda each: -each[1]))
    if sendings.waiting:
        typer.echo("\nWhat was not sent may go through later: run the same command again.")
