"""`deid doctor`: is all there that a run needs, and what to do about what is not."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid.cli.state import Key, State, folder_of, opened
from deid.errors import BadState, Rejected

if TYPE_CHECKING:
    from deid.store.vault import Vault

SOME_NOT_READY = 3
LONGEST_WAIT = timedelta(minutes=10)  # of an audit message
LEAST_FREE = 1 << 30  # bytes; less fills up while a run stages its output
LIBRARIES = (
    "pydicom numpy opencv-python-headless openvino rapidocr zxing-cpp pylibjpeg pyjpegls cryptography torch easyocr"
).split()
READY, ABSENT, NOT_READY = "ready", "not installed", "NOT READY"
WORDS = "DOCTOR 170 CM"
SIDE = 512  # of the picture that every engine is given


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, how it is, and what there is to know or to do."""

    what: str
    state: str
    says: str


def doctor(
    *,
    state: State = None,
    key: Key = None,
    fetch_models: Annotated[
        bool, typer.Option("--fetch-models", help="Download EasyOCR's model first. Nothing else ever downloads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON in place of the table.")] = False,
) -> None:
    """Check what a run needs, and say what to do about what is missing.

    Each text detector that is installed looks at a picture with text on it. Nothing is changed, unless --fetch-models
    is given.

    Exit codes: 0 all that is installed is ready, 1 the model could not be downloaded, 3 something is not ready.
    """
    from deid.cli.terminal import say, table

    if fetch_models:
        from deid.cli.fetch import fetch_model

        say(f"The model is in {fetch_model()}")
    checks = [*_engines(), _turbojpeg(), _video(), *_machine(), *_state(state, key), _space(folder_of(state))]
    if as_json:
        import json

        typer.echo(
            json.dumps(
                {
                    "ready": all(check.state != NOT_READY for check in checks),
                    "checks": [asdict(check) for check in checks],
                }
            )
        )
    else:
        table((check.what, check.state, check.says) for check in checks)
    if any(check.state == NOT_READY for check in checks):
        raise typer.Exit(SOME_NOT_READY)


def _engines() -> Iterator[Check]:
    from deid.pixels.tesseract import PROGRAM

    yield _engine("rapidocr", installed=True, otherwise="")
    yield _engine(
        "easyocr", installed=find_spec("easyocr") is not None, otherwise="pip install 'deid-gateway[easyocr]'"
    )
    yield _engine(
        "tesseract", installed=shutil.which(PROGRAM) is not None, otherwise="Debian: apt-get install tesseract-ocr"
    )


def _engine(name: str, *, installed: bool, otherwise: str) -> Check:
    """Whether an engine finds the text in a picture with text."""
    import cv2
    import numpy as np

    from deid.pixels.engine import engine_of

    what = f"engine {name}"
    if not installed:
        return Check(what, ABSENT, otherwise)
    ink = np.zeros((SIDE, SIDE), np.uint8)
    cv2.putText(ink, WORDS, (SIDE // 8, SIDE // 2), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 2)
    engine = engine_of(name)
    try:
        mask = engine.text_mask(np.repeat(ink[:, :, None], 3, axis=2))
    except Rejected as reason:
        return Check(what, NOT_READY, str(reason))
    if mask[ink > 0].mean() < 0.9:
        return Check(what, NOT_READY, f"{engine.name} does not find the text in a picture with text: install it anew")
    return Check(what, READY, engine.name)


def _turbojpeg() -> Check:
    from deid.pixels.turbojpeg import installed

    if installed() is None:
        return Check("libturbojpeg", ABSENT, "masked JPEG becomes JPEG-LS; Debian: apt-get install libturbojpeg0")
    return Check("libturbojpeg", READY, "masked JPEG stays JPEG")


def _video() -> Check:
    from deid.pixels.video import installed

    if not installed():
        return Check("video", ABSENT, "video stays held; pip install 'deid-gateway[video]'")
    return Check("video", READY, f"PyAV {_version('av')}")


def _machine() -> Iterator[Check]:
    from deid.cores import cores

    yield Check("deid", READY, f"{_version('deid-gateway')} on Python {platform.python_version()}")
    yield Check("libraries", READY, ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name))))
    yield Check("cores", READY, f"{cores()}, and as many processes unless --jobs says otherwise")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _state(state: Path | None, key: Path | None) -> Iterator[Check]:
    """Whether the state folder can be used; one that is not there is made by the first run."""
    folder = folder_of(state)
    if not folder.exists():
        yield Check("state folder", READY, f"{folder} is not there yet; the first run makes it")
        return
    try:
        with opened(state, key) as vault:
            audited = tuple(_audit_messages(vault))
    except BadState as reason:
        yield Check("state folder", NOT_READY, str(reason))
    else:
        yield Check("state folder", READY, str(folder))
        yield from audited


def _audit_messages(vault: "Vault") -> Iterator[Check]:
    """Whether the audit repository of a gateway has what the audit trail says; nothing where none ever had anything."""
    from deid.store.audit import Audit
    from deid.store.reported import Reported

    reported = Reported(vault.audit, vault.keys)
    if not reported.exists:
        return
    audit, at = Audit(vault.audit, vault.keys), reported.position()
    next_lines, _ = audit.after(at, 1)
    if not next_lines:
        yield Check("audit messages", READY, "the audit repository has all of them")
        return
    since = datetime.fromisoformat(next_lines[0].time)
    says = f"{audit.lines() - at.lines} lines of the audit trail wait since {since:%Y-%m-%d %H:%M} UTC"
    late = datetime.now(UTC) - since > LONGEST_WAIT
    hint = ": is the gateway running, and the audit repository? the gateway's log says why" if late else ""
    yield Check("audit messages", NOT_READY if late else READY, f"{says}{hint}")


def _space(folder: Path) -> Check:
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    says = f"{free / 1e9:.1f} GB where {there} is"
    return Check("free space", READY if free >= LEAST_FREE else NOT_READY, says)
