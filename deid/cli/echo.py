"""`deid echo`: is somebody there who speaks DICOM and knows us."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import typer

from deid.cli.destination import Authorities, Calling, Certificate, Key, Password, Peer, destination_of

NOT_OK = 3


def echo(  # noqa: PLR0913 - one parameter for each option
    peer: Peer,
    *,
    calling: Calling = "DEID",
    tls_authorities: Authorities = None,
    tls_certificate: Certificate = None,
    tls_key: Key = None,
    tls_password: Password = None,
) -> None:
    """Ask a peer whether it is there (C-ECHO).

    Exit codes: 0 it answers, 1 it cannot be reached or refuses the association, 3 it answers with an error.
    """
    from deid.cli.terminal import say
    from deid.forward.scu import echo as ask

    destination = destination_of(peer, calling, tls_authorities, tls_certificate, tls_key, tls_password)
    status = ask(destination)
    say(f"{destination} answers: {status}")
    raise typer.Exit(0 if status.is_stored else NOT_OK)
