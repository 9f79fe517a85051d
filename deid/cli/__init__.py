"""The command line: one file per verb; here they come together, and every error becomes one line and an exit code.

What a verb needs is imported when the verb runs: `deid --help` waits for typer alone.
"""

import os
import signal
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from deid import __version__
from deid.cli import (
    audit,
    certs,
    conformance,
    crosswalk,
    demo,
    doctor,
    echo,
    profile,
    queue,
    report,
    run,
    scan,
    send,
    serve,
    settings,
)
from deid.cli.terminal import printable
from deid.errors import BadProfile, BadState, Deferred, DeidError, where

FAILED, NOT_STARTED, INTERRUPTED = 1, 2, 130

# Plain help: rich takes longer to import than everything else that help needs.
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.command("run")(run.run)
app.command("scan")(scan.scan)
app.command("report")(report.report)
app.add_typer(queue.app, name="queue")
app.add_typer(crosswalk.app, name="crosswalk")
app.add_typer(profile.app, name="profile")
app.add_typer(audit.app, name="audit")
app.add_typer(settings.app, name="settings")
app.add_typer(certs.app, name="certs")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("send")(send.send)
app.command("echo")(echo.echo)
app.command("serve")(serve.serve)
app.command("conformance")(conformance.conformance)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        typer.echo(f"deid {__version__}")
        raise typer.Exit


@app.callback()
def deid(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """De-identify DICOM by PS3.15 and verify every byte before it is released."""


def main() -> None:
    """Run the command line of this process; never returns."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
        signal.signal(signal.SIGINT, _interrupt_once)
    warnings.simplefilter("ignore")  # a library's warning may quote a value of a data set
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the processes that this one starts, too
    try:
        app(prog_name="deid")
    except (BadProfile, BadState) as error:
        _end(str(error), NOT_STARTED)
    except Deferred as error:
        _end(f"{error}; run again to resume", FAILED)
    except DeidError as error:
        _end(str(error), FAILED)
    except KeyboardInterrupt:
        _end("interrupted; run again to resume", INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's word for a KeyboardInterrupt in a verb
            _end("interrupted; run again to resume", INTERRUPTED)
        raise
    except OSError as error:  # its path may name a patient
        reason = error.strerror or type(error).__name__
        _end(f"a file or folder cannot be used: {reason} ({where(error)}); run again when it can", FAILED)
    except Exception as defect:  # noqa: BLE001 - a traceback and the text of an error may hold values
        _end(f"this is a defect of deid: {where(defect)}", FAILED)


def _interrupt_once(_signal: int, _frame: object) -> NoReturn:
    """Ctrl-C ends the verb; pressed again, it does not break off what tidies up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # to the end, where no handler is left
    signal.signal(signal.SIGINT, lambda _signal, _frame: None)  # what came in between
    raise KeyboardInterrupt


def _end(message: str, code: int) -> None:
    sys.stderr.write(f"deid: {printable(message)}\n")
    sys.exit(code)
