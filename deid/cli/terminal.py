"""How rows are put on the terminal, or into a pipe: nothing is cut off, and nothing commands the terminal."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer

REDRAW_SECONDS = 0.1
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


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """What to call with the number done and the total; draws on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # No thread redraws the bar: between two groups there is nothing new to show.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=None)
        drawn = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal drawn
            bar.update(task, completed=done, total=total)
            if (now := time.monotonic()) - drawn >= REDRAW_SECONDS:
                bar.refresh()
                drawn = now

        bar.refresh()
        yield progress
