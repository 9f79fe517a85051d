"""Where the state folder is that a verb works on."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from deid.store.vault import Vault

State: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Folder with the key, the queue, the crosswalk and the audit trail."
        " Keep it apart from the output. Default: your user data folder.",
        show_default=False,
    ),
]
Key: TypeAlias = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Project key, if it is not in the state folder.", show_default=False),
]


def folder_of(state: Path | None) -> Path:
    """The state folder named, or this user's own."""
    if state is not None:
        return state
    import platformdirs

    return platformdirs.user_data_path("deid-gateway")


def opened(state: Path | None, key: Path | None) -> "Vault":
    """The state of earlier runs. Raises BadState when there is none: a verb that reads does not make a key."""
    from deid.store.vault import Vault

    return Vault.join(folder_of(state), key)


def person() -> str:
    """Who decides, for the audit trail: the login name on this machine, or the number where there is no name."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container
        return str(os.getuid())


def options_again(state: Path | None, key: Path | None) -> str:
    """What the next command must be given to find the same state."""
    import shlex

    words = [word for name, path in (("--state", state), ("--key", key)) if path for word in (name, str(path))]
    return "".join(f" {shlex.quote(word)}" for word in words)
