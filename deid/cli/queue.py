"""`deid queue`: what was held back, and what a person decides about it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.state import Key, State, opened, options_again, person
from deid.errors import DeidError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.model import Pixels
    from deid.store.queue import Queue
    from deid.store.vault import Vault

app = typer.Typer(no_args_is_help=True, help="See what was held back, and decide about it.")

Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the ticket, from 'deid queue list'.")]
_DELIVERIES = {"sent": "sent", "waiting": "waits", "failed": "not taken"}
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; goes into the audit trail, so name no patient.")]


@app.command("list")
def list_kept_back(
    *,
    state: State = None,
    key: Key = None,
    commitment: Annotated[
        bool, typer.Option("--commitment", help="List what waits for Storage Commitment instead; no person has to act.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """List what is held, unreadable or undeliverable, and why.

    What is held waits for a person, and so does what a destination refuses for good. What is unreadable is tried again
    by each 'deid run'.
    """
    if commitment:
        from deid.cli import commitment as waiting

        with opened(state, key) as vault:
            waiting.tell(vault, as_json=as_json)
        return
    from deid.model import State as Of
    from deid.store.deliveries import Deliveries
    from deid.store.queue import Queue

    with opened(state, key) as vault:
        kept_back = Queue(vault.connection, vault.keys).kept_back()
        failures = Deliveries(vault.connection, vault.keys).failures()
    if as_json:
        import json

        listed: dict[str, list[dict[str, object]]] = {Of.HELD: [], Of.UNREADABLE: []}
        for ticket in kept_back:
            listed[ticket.state].append({"ticket": ticket.number, "reason": ticket.reason})
        listed["undeliverable"] = [
            {"ticket": number, "destination": destination, "reason": reason} for number, destination, reason in failures
        ]
        typer.echo(json.dumps(listed))
    elif kept_back or failures:
        from deid.cli.terminal import say, table

        rows = [(str(ticket.number), ticket.state.value, ticket.reason) for ticket in kept_back]
        rows += [(str(number), f"not taken by {destination}", reason) for number, destination, reason in failures]
        table(rows, header=("ID", "state", "because"))
        say(f"Next: deid queue show {rows[0][0]}{options_again(state, key)}")
    else:
        typer.echo("Nothing is held or unreadable.")


@app.command()
def show(number: Number, *, state: State = None, key: Key = None) -> None:
    """Show the file of an object, its state, its findings, what was done to it, and where it went.

    A finding is a place where verification saw an identifying value. The path of the file may name the patient.
    Values of attributes are never shown.
    """
    from deid.cli.terminal import table
    from deid.store.deliveries import Deliveries
    from deid.store.queue import Queue

    with opened(state, key) as vault:
        record = Queue(vault.connection, vault.keys).show(number)
        deliveries = Deliveries(vault.connection, vault.keys).of(number)
    ticket = record.ticket
    rows = [
        ("ID", str(ticket.number)),
        ("state", ticket.state.value),
        ("because", ticket.reason),
        ("file", str(ticket.source)),
        ("released as", str(record.journey.target / record.path) if record.path else ""),
        ("accepted in", ", ".join(sorted(ticket.accepted))),
        *((f"to {name}", f"{_DELIVERIES[of]}: {why}" if why else _DELIVERIES[of]) for name, of, why in deliveries),
    ]
    table(row for row in rows if row[1])
    if record.findings:
        typer.echo("")
        found = ((finding.attribute, finding.of) for finding in record.findings)
        table(found, header=("identifying value in", "it is the original's"))
    if record.pixels:
        typer.echo("")
        table(_about(record.pixels))
    if record.changes:
        typer.echo("")
        done = ((change.attribute, change.action, change.because) for change in record.changes)
        table(done, header=("attribute", "action", "because"))


def _about(pixels: "Pixels") -> "Iterator[tuple[str, str]]":
    """What is told of the pixels: where something was masked, never what it said."""
    yield "pixels", f"{'searched' if pixels.searched else 'not searched'}: {pixels.because}"
    if pixels.searched:
        yield "searched by", f"{pixels.engine}, in {pixels.views} pictures"
    if pixels.searched or pixels.masked:
        yield "masked", f"{pixels.share:.1%} of the pixels"
    if pixels.kept:
        yield "not masked", f"{pixels.kept} lines of technical text"
    for masked in pixels.masked:
        frames = f"frame {masked.first + 1}" + (f" to {masked.after}" if masked.after - masked.first > 1 else "")
        yield frames, ", ".join(f"{width} x {height} at ({x}, {y})" for x, y, width, height in masked.boxes)


@app.command()
def retry(
    numbers: Annotated[list[int], typer.Argument(metavar="ID", help="Numbers of tickets, from 'deid queue list'.")],
    *,
    state: State = None,
    key: Key = None,
) -> None:
    """Take objects up again with the next 'deid run', or by the gateway.

    They may be held, unreadable or discarded, or refused by a destination.
    """
    from deid.gateway.recovery import NO_DESTINATION, NO_ROUTE
    from deid.store.deliveries import Deliveries
    from deid.store.queue import Queue

    with opened(state, key) as vault:
        queue, deliveries = Queue(vault.connection, vault.keys), Deliveries(vault.connection, vault.keys)
        nowhere = {number for number, _, reason in deliveries.failures() if reason == NO_DESTINATION}
        nowhere.update(ticket.number for ticket in queue.kept_back() if ticket.reason == NO_ROUTE)
        for number in numbers:
            with _recorded(vault, "retry", number):
                destinations = deliveries.retry(number)
                if not destinations:
                    queue.retry(number)
            if destinations:
                typer.echo(f"Ticket {number} is sent again by the gateway, to {destinations} destinations.")
            else:
                typer.echo(f"Ticket {number} is taken up again by the next 'deid run', or by the gateway.")
            if number in nowhere:
                typer.echo(f"Ticket {number} waits until the gateway is started with its route or destination again.")


@app.command()
def release(number: Number, *, reason: Reason, state: State = None, key: Key = None) -> None:
    """Accept what verification found in a held object.

    The next 'deid run' releases it. Only these findings are accepted, and only while the file stays as it is.
    """
    with opened(state, key) as vault, _recorded(vault, "release", number, reason) as queue:
        queue.release(number)
    typer.echo(f"The findings in ticket {number} are accepted; the next 'deid run' releases it.")


@app.command()
def discard(number: Number, *, reason: Reason, state: State = None, key: Key = None) -> None:
    """Give up an object that is held or unreadable, or its delivery to destinations that refuse it.

    It is not released, and not counted as held or unreadable any more. 'deid queue retry' takes it up again. A delivery
    is given up for good.
    """
    from deid.store.deliveries import Deliveries

    with opened(state, key) as vault, _recorded(vault, "discard", number, reason) as queue:
        given_up = Deliveries(vault.connection, vault.keys).discard(number)
        if not given_up:
            queue.discard(number)
    typer.echo(f"Ticket {number} is {f'not sent to {given_up} destinations' if given_up else 'discarded'}.")


@contextmanager
def _recorded(vault: "Vault", decision: str, number: int, reason: str | None = None) -> "Iterator[Queue]":
    """Write a decision down, then let it be carried out: what is not in the audit trail does not happen."""
    from deid.store.audit import Audit
    from deid.store.queue import Queue

    if reason is not None and not reason.strip():
        raise typer.BadParameter("a decision needs a reason", param_hint="--reason")
    audit = Audit(vault.audit, vault.keys)
    audit.record(decision, ticket=number, **({} if reason is None else {"reason": reason}), user=person())
    try:
        yield Queue(vault.connection, vault.keys)
    except DeidError:
        audit.record(f"{decision} refused", ticket=number, user=person())
        raise
