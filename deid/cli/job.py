"""What a verb that goes through a folder is given: the folder, the profile, the number of processes."""

import stat
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from deid.errors import BadState

Source: TypeAlias = Annotated[
    Path, typer.Argument(metavar="IN", help="Folder, or one file, to read. It is not changed.")
]
Profile: TypeAlias = Annotated[
    str, typer.Option("--profile", metavar="NAME|FILE", help="A shipped profile, or a YAML file.")
]
Options: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME", help="An option of PS3.15 on top; may be repeated. See 'deid profile list'."
    ),
]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="Processes at work. Default: one for each core that this process may use.",
        show_default=False,
    ),
]


def check_source(source: Path) -> None:
    """Raises BadState where there is nothing to read."""
    try:
        if stat.S_IFMT(source.stat().st_mode) not in (stat.S_IFDIR, stat.S_IFREG):
            raise BadState(f"{source} is no folder or file to read")
    except OSError as error:
        raise BadState(f"there is no folder or file {source} to read: {error.strerror}") from None
