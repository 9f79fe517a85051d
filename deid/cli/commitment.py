"""What waits for Storage Commitment, as `deid queue list --commitment` tells it; no value of an object is in it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deid.store.vault import Vault


def tell(vault: "Vault", *, as_json: bool) -> None:
    """Print what destinations have not said to keep yet, and which requests of peers have no result that was told."""
    from deid.store.custody import Custody
    from deid.store.requests import Requests

    uncommitted = [
        {
            "ticket": each.ticket,
            "destination": each.destination,
            "state": each.stands,
            "due": "" if each.due is None else _time(each.due),
            "attempts": each.attempts,
        }
        for each in Custody(vault.connection, vault.keys).uncommitted()
    ]
    requests = [
        {"peer": each.peer, "objects": len(each.objects), "asked": _time(each.at), "attempts": each.attempts}
        for each in Requests(vault.connection, vault.keys).open()
    ]
    if as_json:
        import json

        typer.echo(json.dumps({"uncommitted": uncommitted, "requests": requests}))
    elif uncommitted or requests:
        _print(uncommitted, ("ID", "sent to", "commitment", "due", "attempts in vain"))
        _print(requests, ("asked by", "objects", "asked", "told in vain"))
    else:
        typer.echo("Nothing waits for Storage Commitment.")


def _print(rows: Sequence[Mapping[str, object]], header: tuple[str, ...]) -> None:
    from deid.cli.terminal import table

    if rows:
        table((tuple(map(str, row.values())) for row in rows), header)


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
