"""How fast objects are received, sent and passed on: dcmtk, Orthanc, pynetdicom and ours, in turn, on loopback.

python tests/bench/network.py [--legs receive,receive-as-it-comes,send,associate,idle,through] [--sets mr,ct,multiframe]
                              [--rounds N] [--tls] [--work DIR]

A sender is a whole process, its start included. A receiver runs for all rounds; its CPU time is what one run took.
`associate` and `idle` move no objects. `through` is `deid serve` with profile basic, from a sender to a receiver.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from associations import associate, idle
from batch import machine, say
from peers import CALLED, Certificates
from through import through
from transfers import compare, receiving, receiving_as_it_comes, sending

from deid.network.authority import Authority, Subject

SETS = {"mr": "mr-1000", "ct": "ct-200", "multiframe": "three-130"}
PAIRED = {"receive": receiving, "receive-as-it-comes": receiving_as_it_comes, "send": sending}
WITHOUT_OBJECTS = {"associate": associate, "idle": idle}
LEGS = (*PAIRED, *WITHOUT_OBJECTS, "through")


def made(folder: Path) -> Certificates:
    if not folder.exists():
        Authority.create(folder, "bench", 3000).issue(Subject("ours", (CALLED,), ("localhost",)), 3000)
    return Certificates(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", default=",".join(LEGS))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "deid-bench")
    wanted = parser.parse_args()
    work, rounds, legs = wanted.work.resolve(), wanted.rounds, wanted.legs.split(",")
    if set(legs) - set(LEGS):
        parser.error(f"the legs are {', '.join(LEGS)}")
    names = {name: SETS[name] for name in wanted.sets.split(",")} if {*PAIRED, "through"} & set(legs) else {}
    generator = Path(__file__).with_name("datasets.py")
    subprocess.run([sys.executable, generator, work / "data", *names.values()], check=True)
    work.mkdir(parents=True, exist_ok=True)
    certificates = made(work / "certificates") if wanted.tls else None
    for key, value in machine(work).items():
        say(f"{key}: {value}")
    secured = ", TLS" if certificates else ""
    for leg in legs:
        if leg in WITHOUT_OBJECTS:
            say(f"\n{leg}{secured}")
            WITHOUT_OBJECTS[leg](certificates, rounds, work)
    for name, full in names.items():
        source = work / "data" / full
        for leg in legs:
            for pairs in PAIRED[leg](certificates) if leg in PAIRED else ():
                say(f"\n{leg}: {name}{secured}")
                compare(pairs, source, rounds, work)
            if leg == "through":
                say(f"\n{leg}: {name}{secured}")
                through(certificates, source, rounds, work)


if __name__ == "__main__":
    main()
