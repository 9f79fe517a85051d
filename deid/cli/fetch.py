"""The one place that downloads anything: the model of EasyOCR's network, when a person asks for it."""

# ruff: noqa: PLC0415 - help must not wait for what only a running verb needs

import hashlib
import io
import zipfile
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from deid.errors import DeidError

SECONDS = 60  # without an answer
LARGEST = 200 << 20  # bytes; the model has 83 MB


def fetch_model() -> Path:
    """Download the model and put it where the engine looks for it, if it is the one that was tested.

    Raises DeidError where that cannot be done.
    """
    from deid.pixels import craft

    path = craft.models_folder() / craft.MODEL
    by_hand = f"on a machine with a network, unpack {craft.MODEL} from {{}} and copy it to {path.parent}"
    address = _address()
    try:
        content = _unpacked(address, craft.MODEL)
    except (OSError, HTTPException, zipfile.BadZipFile, KeyError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise DeidError(
            f"the model cannot be downloaded ({reason}); {by_hand.format(address)}; 'deid doctor' checks it"
        ) from None
    if hashlib.sha256(content).hexdigest() != craft.SHA256:
        raise DeidError(f"what {address} holds is not the model that was tested; nothing was written")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise DeidError(f"the model cannot be written to {path.parent} ({error.strerror})") from None
    return path


def _address() -> str:
    """Where EasyOCR says that its model is."""
    from deid.pixels.craft import import_torchvision

    try:
        import_torchvision()
        from easyocr.config import detection_models
    except ImportError:
        raise DeidError(
            "EasyOCR knows where its model is, and is missing: pip install 'deid-gateway[easyocr]'"
        ) from None
    address = str(detection_models["craft"]["url"])
    if not address.startswith("https://"):
        raise DeidError("EasyOCR names no safe address of its model: install easyocr 1.7")
    return address


def _unpacked(address: str, name: str) -> bytes:
    with urlopen(address, timeout=SECONDS) as answer:  # noqa: S310 - https, as was checked
        packed = answer.read(LARGEST + 1)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open(name) as file:
        return file.read(LARGEST)
