"""How rows are put on the terminal, or into a pipe: nothing is cut off, and nothing commands the terminal."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from collections.abc import Iterable, Sequence

import typer

WITHOUT_LIMIT = 1 << 16  # columns of a file or a pipe, where no line need be folded


def printable(text: str) -> str:
    """The text with all that a terminal would obey, or could not show, written as an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def say(line: str) -> None:
    """Print a line that a path or a name stands in."""
    typer.echo(printable(line))


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows in columns on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WITHOUT_LIMIT
    grid = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0))
    for name in header:
        grid.add_column(name, overflow="fold")
    for row in rows:
        # Text: what stands in brackets is no markup.
        grid.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    with console.capture() as drawn:
        console.print(grid)
    for line in drawn.get().splitlines():
        typer.echo(line.rstrip())
