"""`deid serve`: the gateway, until it is told to stop."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import signal
import socket
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import typer

FAILED, NOT_STARTED = 1, 2


class _Told:
    """What is told by a signal.

    The kernel may give a signal to any thread, and Python's own handlers run in the main one, which sleeps on: it has
    to be woken by a byte that whichever thread writes.
    """

    def __init__(self) -> None:
        """From now on signals are taken; SIGTERM first of all, for the first process of a container has no default."""
        self._reads, self._writes = socket.socketpair()
        self._writes.setblocking(False)
        signal.set_wakeup_fd(self._writes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # by nohup, or a shell that runs it in the background
                signal.signal(number, lambda _number, _frame: None)

    def wait(self) -> None:
        """Until the first one."""
        self._reads.recv(1)


def serve(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="The settings, a YAML file.")],
) -> None:
    """Receive DICOM, de-identify it, and forward it.

    Runs until it gets SIGTERM, SIGHUP or Ctrl-C; then it has half a minute to finish what is at work. Whatever is
    left is done after the next start. Events go to standard error, one line of JSON each.

    Exit codes: 0 stopped as told, 1 a defect, 2 not started.
    """
    stop, told = Event(), _Told()

    def obey() -> None:
        told.wait()
        stop.set()

    Thread(target=obey, daemon=True).start()
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
