"""`deid serve`: the gateway, until it is told to stop."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import signal
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Annotated

import typer

FAILED, NOT_STARTED = 1, 2


def serve(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="The settings, a YAML file.")],
) -> None:
    """Receive DICOM, de-identify it, and forward it.

    Runs until it gets SIGTERM, SIGHUP or Ctrl-C; then it has half a minute to finish what is at work. Whatever is
    left is done after the next start. Events go to standard error, one line of JSON each.

    Exit codes: 0 stopped as told, 1 a defect, 2 not started.
    """
    stop, told = Event(), SimpleQueue[int]()

    def obey() -> None:
        told.get()
        stop.set()

    # Not in the handler: a second signal may come meanwhile, and setting an event would wait there for itself.
    Thread(target=obey, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # First of all: the first process of a container gets no signal that it has no handler for (pid_namespaces(7)).
        if signal.getsignal(number) is not signal.SIG_IGN:  # by nohup, or a shell that runs it in the background
            signal.signal(number, lambda number, _: told.put(number))
    from deid.errors import BadProfile, BadState, DeidError, where
    from deid.gateway.service import Gateway
    from deid.log import say
    from deid.settings.document import load

    try:
        gateway = Gateway(load(settings), stop)
        gateway.run()
    except DeidError as error:
        say("not serving", reason=error)
        raise typer.Exit(NOT_STARTED if isinstance(error, BadProfile | BadState) else FAILED) from None
    except OSError as error:
        say("not serving", reason=error.strerror, where=where(error))
        raise typer.Exit(FAILED) from None
    raise typer.Exit(FAILED if gateway.failed else 0)
