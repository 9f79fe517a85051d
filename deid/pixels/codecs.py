"""Back into the transfer syntax of the source, or into a lossless one where it has no encoder or is lossy.

Never a second lossy generation: what was lossy stays as it is decoded, and Lossy Image Compression stays true.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

from deid.errors import Rejected
from deid.pixels.frames import quiet

if TYPE_CHECKING:
    from deid.pixels.frames import Frame
    from deid.pixels.image import Image

RLE, JPEG_LS, J2K = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
_BECOMES: Final = {
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


def syntax_after(transfer_syntax: str) -> str:
    """The transfer syntax that masked frames are encoded in. Raises Rejected where there is none."""
    found = _BECOMES.get(transfer_syntax)
    if found is None:
        raise Rejected("text was found, and frames of this transfer syntax cannot be encoded again")
    return found


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
    with quiet():
        try:
            encoded: bytes = get_encoder(UID(transfer_syntax)).encode(
                frame,
                rows=image.rows,
                columns=image.columns,
                number_of_frames=1,
                samples_per_pixel=image.samples,
                photometric_interpretation=image.photometric,
                pixel_representation=int(image.signed),
                planar_configuration=0,  # of the frame as it stands in memory
                bits_allocated=image.allocated,
                bits_stored=image.stored,
            )
        except Exception as error:  # noqa: BLE001 - encoders raise anything, and their texts may quote values
            raise Rejected(f"a masked frame cannot be encoded ({type(error).__name__})") from None
    return encoded
