"""Compressed frames decoded, and encoded again: as the source, or without loss where that has no encoder or is lossy.

Never a second lossy generation: what was lossy stays as it is decoded, and Lossy Image Compression stays true.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.errors import Rejected
from deid.pixels import enclosed
from deid.pixels.bits import unused_bits
from deid.pixels.enclosed import DEFLATED, ENCLOSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

RLE, JPEG_LS, J2K = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
_BECOMES: Final = {
    ENCLOSED: ENCLOSED,
    DEFLATED: DEFLATED,
    RLE: RLE,
    JPEG_LS: JPEG_LS,
    J2K: J2K,
    "1.2.840.10008.1.2.4.91": J2K,
    "1.2.840.10008.1.2.4.201": J2K,  # HTJ2K: there is no encoder
    "1.2.840.10008.1.2.4.202": J2K,
    "1.2.840.10008.1.2.4.203": J2K,
    "1.2.840.10008.1.2.4.50": JPEG_LS,
    "1.2.840.10008.1.2.4.51": JPEG_LS,
    "1.2.840.10008.1.2.4.57": JPEG_LS,
    "1.2.840.10008.1.2.4.70": JPEG_LS,
    "1.2.840.10008.1.2.4.81": JPEG_LS,
}
CODED: Final = frozenset(_BECOMES)
"""Transfer syntaxes of compressed frames that can be looked at."""
_JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
_ONLY_DECODER: Final = dict.fromkeys((JPEG_LS, "1.2.840.10008.1.2.4.81"), "pyjpegls")
"""pydicom would ask pylibjpeg next, which makes up the rest of a frame that breaks off."""
for _library in ("pydicom", "pylibjpeg", "libjpeg", "openjpeg"):  # their messages may quote values
    logging.getLogger(_library).propagate = False  # not a level: pydicom sets its own when it is imported
    logging.getLogger(_library).addHandler(logging.NullHandler())


def syntax_after(transfer_syntax: str) -> str:
    """Of CODED or of video, the transfer syntax that masked frames are encoded in."""
    return _BECOMES.get(transfer_syntax, JPEG_LS)


def image_after(image: Image, transfer_syntax: str) -> Image:
    """How the masked frames are described: decoding has undone what a codec does to colours (PS3.5 8.2)."""
    photometric = image.photometric
    if photometric in ("YBR_ICT", "YBR_RCT"):
        photometric = "YBR_RCT" if transfer_syntax == J2K else "RGB"
    if photometric in ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"):
        photometric = "YBR_FULL"
    # PS3.5 8.2.2: RLE has its planes apart, the others their samples together.
    return replace(image, photometric=photometric, planar=transfer_syntax == RLE and image.planar)


def encode(frame: Frame, image: Image, transfer_syntax: str) -> bytes:
    """One frame, lossless. Raises Rejected where no encoder takes it."""
    if transfer_syntax in (ENCLOSED, DEFLATED):
        return enclosed.encode(frame, image, transfer_syntax)
    # Other bits than the stored ones stay what they are, too; RLE knows whole bytes alone.
    is_clean = transfer_syntax != RLE and unused_bits(frame, image) is None
    stored = image.stored if is_clean else image.allocated
    with quiet() as pydicom:
        try:
            encoded: bytes = pydicom.pixels.get_encoder(pydicom.uid.UID(transfer_syntax)).encode(
                frame,
                rows=image.rows,
                columns=image.columns,
                number_of_frames=1,
                samples_per_pixel=image.samples,
                photometric_interpretation=image.photometric,
                pixel_representation=int(image.signed),
                planar_configuration=0,  # of the frame as it stands in memory
                bits_allocated=image.allocated,
                bits_stored=stored,
            )
        except Exception as error:  # noqa: BLE001 - encoders raise anything, and their texts may quote values
            raise Rejected(f"a frame cannot be encoded ({type(error).__name__})") from None
    return encoded


def decode(content: bytes, image: Image, transfer_syntax: str) -> Frame:
    """The stored values of one compressed frame. Raises Rejected where no decoder gets through."""
    if transfer_syntax in (ENCLOSED, DEFLATED):
        return enclosed.decode(content, image, transfer_syntax)
    options: dict[str, Any] = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples,
        "photometric_interpretation": image.photometric,
        "pixel_representation": int(image.signed),
        "planar_configuration": int(image.planar),
        "bits_allocated": image.allocated,
        "bits_stored": image.stored,
        "pixel_keyword": "PixelData",
        "correct_unused_bits": False,  # what they hold is looked at as well
    }
    if transfer_syntax == _JPEG_EXTENDED:
        content = _sound_spectrum(content)
    with quiet() as pydicom:
        single = pydicom.encaps.encapsulate([content + b"\0" * (len(content) % 2)])
        try:
            frame, _ = pydicom.pixels.get_decoder(pydicom.uid.UID(transfer_syntax)).as_array(
                single, raw=True, index=0, decoding_plugin=_ONLY_DECODER.get(transfer_syntax, ""), **options
            )
        except Exception as error:  # noqa: BLE001 - decoders raise anything, and their texts may quote values
            raise Rejected(f"a frame cannot be decoded ({type(error).__name__})") from None
    return np.asarray(frame)


def _sound_spectrum(content: bytes) -> bytes:
    """The end of the spectral selection set right in the header of a sequential scan (ITU-T T.81 B.2.3: 63).

    Some writers leave it 0, decoders refuse that, and there is nothing else that it could be.
    """
    at = content.find(b"\xff\xda")
    spectrum = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") - 3
    if at < 0 or content[spectrum : spectrum + 3] != b"\0\0\0":
        return content
    return content[: spectrum + 1] + b"\x3f" + content[spectrum + 2 :]


@contextmanager
def quiet() -> Iterator[Any]:
    """Gives pydicom; what that and its plugins have to say may quote values of the data set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield _pydicom()


@cache
def _pydicom() -> Any:  # noqa: ANN401 - a module
    import pydicom.encaps  # noqa: PLC0415 - a seventh of a second of every process, and many need none of it
    import pydicom.filereader  # noqa: PLC0415
    import pydicom.pixels  # noqa: PLC0415

    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # a program around us may have given it a handler
    return pydicom
