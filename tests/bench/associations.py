"""The legs without objects: what it costs a receiver to set associations up, and to have many that are idle."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from statistics import median
from typing import TYPE_CHECKING

from batch import say
from peers import CALLED, CALLING, QUICK, dcmtk_receiver, gateway, orthanc, our_receiver
from processes import free_port, listening, peak, used

from deid.forward.scu import ECHO, Destination
from deid.network.pdu import Ended
from deid.network.tls import LiveContext, Tls

if TYPE_CHECKING:
    from pathlib import Path

    from peers import Certificates
    from processes import Program

    from deid.network.association import Association

SET_UP = 3.0  # seconds in which associations are set up, one after the other: /proc counts in hundredths
IDLE = 50  # associations at the same time
SECONDS = 10.0  # for which nothing happens
SETTLED = 2.0  # seconds after which a program has done what it does at its start


def receivers(certificates: Certificates | None) -> list[Program]:
    found = [dcmtk_receiver("storescp", QUICK, certificates), our_receiver("durable", certificates)]
    found.append(gateway(certificates, free_port()))
    return found if certificates else [*found, our_receiver("pynetdicom", None), *orthanc(QUICK)]


def destination(port: int, certificates: Certificates | None) -> Destination:
    live = None
    if certificates:
        folder = certificates.folder
        tls = Tls(folder / "ca.pem", folder / "ours.pem", folder / "ours.key")
        live = LiveContext(tls, server=False, say=say)
    return Destination(CALLED, "localhost", port, CALLING, tls=live)


def associate(certificates: Certificates | None, rounds: int, work: Path) -> None:
    """A connection, TLS without resumption, an association of one context, its release; all receivers in turn."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    with ExitStack() as stack:
        ready = [(each.name, *stack.enter_context(listening(each, work))) for each in receivers(certificates)]
        time.sleep(SETTLED)
        for _ in range(rounds):
            for name, port, process, _out in ready:
                there = destination(port, certificates)
                before, began, done = used(process), time.perf_counter(), 0
                while (wall := time.perf_counter() - began) < SET_UP:
                    with there.associate((ECHO,)) as association:
                        association.release()
                    done += 1
                time.sleep(0.2)  # the last one is to be seen to its end
                found.setdefault(name, []).append((used(process) - before, wall, done))
    for name, mine in found.items():
        cpu, wall = (median(each[at] / each[2] for each in mine) for at in (0, 1))
        say(f"{name:>12}: {cpu * 1000:7.2f} ms CPU of the receiver an association, {wall * 1000:7.2f} ms in all")


def idle(certificates: Certificates | None, rounds: int, work: Path) -> None:
    """So many associations on which nothing happens; all receivers in turn."""
    found: dict[str, list[tuple[int, float, int]]] = {}
    with ExitStack() as stack:
        ready = [(each.name, *stack.enter_context(listening(each, work))) for each in receivers(certificates)]
        for _ in range(rounds):
            for name, port, process, _out in ready:
                there = destination(port, certificates)
                with ExitStack() as held:
                    opened: list[Association] = []
                    with suppress(Ended):  # where it takes no more, the row says how many
                        opened += (held.enter_context(there.associate((ECHO,))) for _ in range(IDLE))
                    time.sleep(SETTLED)
                    before = used(process)
                    time.sleep(SECONDS)
                    spent, still = used(process) - before, sum(each.is_quiet(0) for each in opened)
                    found.setdefault(name, []).append((still, spent, peak(process)))
    for name, mine in found.items():
        share = median(each[1] for each in mine) / SECONDS
        still, memory = min(each[0] for each in mine), max(each[2] for each in mine)
        say(f"{name:>12}: {still} associations that stayed, {share:7.2%} of a core, largest process {memory} MB")
