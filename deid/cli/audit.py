"""`deid audit`: is the trail whole."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import typer

from deid.cli.state import Key, State, opened

app = typer.Typer(no_args_is_help=True, help="Check the audit trail.")


@app.callback()
def audit() -> None:
    """Check the audit trail."""


@app.command()
def verify(*, state: State = None, key: Key = None) -> None:
    """Check that no line was changed or is missing.

    Names the first one that was.
    """
    from deid.store.audit import Audit

    with opened(state, key) as vault:
        lines = Audit(vault.audit, vault.keys).verify()
    typer.echo(f"The audit trail is whole: {lines} lines.")
