"""The programs that are measured: how dcmtk, Orthanc, pynetdicom and ours are told to listen, and to send."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from processes import Program

QUICK = {"TCP_NODELAY": "1"}  # dcmtk leaves Nagle's algorithm on; without this the kernel's timers are measured
CALLING, CALLED = "BENCH", "DEID"
MOST = 60  # associations at a time, where somebody has to be told
IN_THE_CLEAR = "yes, I accept that names travel in the clear"


@dataclass(frozen=True)
class Certificates:
    """One authority, and one certificate for everybody."""

    folder: Path

    def dcmtk(self) -> list[str]:
        return ["+tls", f"{self.folder}/ours.key", f"{self.folder}/ours.pem", "+cf", f"{self.folder}/ca.pem"]

    def ours(self) -> list[str]:
        names = ("authorities", "ca.pem"), ("certificate", "ours.pem"), ("key", "ours.key")
        return [word for option, name in names for word in (f"--tls-{option}", f"{self.folder}/{name}")]

    def settings(self) -> dict[str, str]:
        names = ("authorities", "ca.pem"), ("certificate", "ours.pem"), ("key", "ours.key")
        return {option: f"{self.folder}/{name}" for option, name in names}


def dcmtk_receiver(name: str, environment: dict[str, str], certificates: Certificates | None) -> Program:
    options = ["--fork", "--bit-preserving", "--max-pdu", "131072", *(certificates.dcmtk() if certificates else [])]
    return Program(name, lambda port, out: ["storescp", *options, "-od", str(out), str(port)], environment)


def dcmtk_sender(name: str, environment: dict[str, str], certificates: Certificates | None) -> Program:
    options = ["--aetitle", CALLING, "--call", CALLED, "--required", *(certificates.dcmtk() if certificates else [])]
    options.append("+sd")
    return Program(name, lambda port, source: ["storescu", *options, "localhost", str(port), str(source)], environment)


def our_receiver(how: str, certificates: Certificates | None) -> Program:
    script = str(Path(__file__).with_name("receiver.py"))
    more = [str(certificates.folder)] if certificates else []
    return Program(how, lambda port, out: [sys.executable, script, how, str(port), str(out), *more], {})


def our_sender(certificates: Certificates | None) -> Program:
    program = [str(Path(sys.executable).with_name("deid")), "send", *(certificates.ours() if certificates else [])]
    return Program("deid send", lambda port, source: [*program, str(source), f"ANY-SCP@localhost:{port}"], {})


def gateway(certificates: Certificates | None, archive: int) -> Program:
    """`deid serve` with the Basic Profile; what it makes goes to a Storage SCP on the port `archive`."""
    secure = {"tls": certificates.settings()} if certificates else {"unencrypted": IN_THE_CLEAR}
    known = {"certificate": {"san": f"dicom-ae:{CALLED}"}} if certificates else {"addresses": ["127.0.0.1"]}

    def command(port: int, out: Path) -> list[str]:
        archived = {"name": "archive", "ae_title": "ARCHIVE", "host": "localhost", "port": archive, **secure}
        settings = {
            "version": 1, "ae_title": CALLED, "state": "state",
            "listen": [{"port": port, "address": "127.0.0.1", **secure}],
            "peers": [{"ae_title": CALLING, "route": "bench", **known}],
            "destinations": [archived],
            "routes": [{"name": "bench", "profile": "basic", "destinations": ["archive"]}],
            "limits": {"associations": MOST, "associations_per_peer": MOST},
        }  # fmt: skip
        (out / "settings.yaml").write_text(json.dumps(settings))  # JSON is YAML
        (out / "settings.yaml").chmod(0o600)
        return [sys.executable, "-m", "deid", "serve", str(out / "settings.yaml")]

    return Program("deid serve", command, {})


def orthanc(environment: dict[str, str]) -> list[Program]:
    """None where it is not installed."""

    def command(port: int, out: Path) -> list[str]:
        settings = {
            "StorageDirectory": str(out), "IndexDirectory": str(out), "DicomPort": port, "HttpServerEnabled": False,
            "OverwriteInstances": True,
        }  # fmt: skip
        (out / "settings").write_text(json.dumps(settings))
        return ["Orthanc", str(out / "settings")]

    return [Program("Orthanc", command, environment)] if shutil.which("Orthanc") else []
