"""`deid settings`: is the settings file of the service right, and what can stand in it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import sys
from pathlib import Path
from typing import Annotated

import typer

from deid.cli.terminal import say

app = typer.Typer(no_args_is_help=True, help="Check the settings file of the service.")


@app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A settings file.")]) -> None:
    """Read a settings file as the service would, with all files that it names.

    Names the first thing that is wrong. Nothing is made, and no connection is opened.
    """
    from deid.forward.stow import read_token
    from deid.network.passcodes import Passcodes
    from deid.network.tls import build
    from deid.settings.destinations import Directory, Web
    from deid.settings.document import load

    settings = load(file)
    for listener in settings.listeners:
        if listener.tls:
            build(listener.tls, server=True)
    called = [each for each in settings.destinations if not isinstance(each, Directory)]
    for destination in called:
        if destination.tls:
            build(destination.tls, server=False)
        if isinstance(destination, Web) and destination.token_file:
            read_token(destination.token_file)
    if settings.audit and settings.audit.tls:
        build(settings.audit.tls, server=False)
    if settings.passcodes:
        Passcodes(settings.passcodes)
    plain = [f"from port {listener.port}" for listener in settings.listeners if not listener.tls]
    plain += [f"to {destination.name}" for destination in called if not destination.tls]
    plain += ["to the audit repository"] if settings.audit and not settings.audit.tls else []
    warning = f"; IN THE CLEAR: {', '.join(plain)}" if plain else ""
    say(f"{file}: ok; peers: {len(settings.peers)}, destinations: {len(settings.destinations)}{warning}")


@app.command()
def schema() -> None:
    """Print a JSON Schema of the settings file.

    Editors that know JSON Schema complete and check the file with it.
    """
    import json

    from deid.settings.keys import schema as made

    typer.echo(json.dumps(made(), indent=2))


@app.command()
def passcode(
    user: Annotated[str, typer.Argument(metavar="USER", help="The name by which a peer's user logs in.")],
) -> None:
    """Print the line of a user for the file of passcodes.

    The passcode is read from standard input, one line, so that it does not show in the list of processes.
    """
    from deid.network.passcodes import USER, line

    if not USER.fullmatch(user):
        raise typer.BadParameter("1 to 64 ASCII characters without spaces and colons", param_hint="USER")
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise typer.BadParameter("there is no passcode on standard input", param_hint="USER")
    typer.echo(line(user, secret.encode()))
