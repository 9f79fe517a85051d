"""Where codes are that a machine reads, in an 8-bit image: bar codes, stacked ones, and those of two dimensions.

zxing-cpp (Apache-2.0) reads them. Only what can be read counts, or was a code beyond doubt, for stripes and lattices of
any kind look like one. Of what it reads nothing but the place is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import zxingcpp
from zxingcpp import BarcodeFormat as Kind

from deid.errors import Rejected
from deid.pixels.stripes import ENLARGED, LARGE, striped, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.pixels.detector import Mask, Picture
    from deid.pixels.stripes import Points

_OF_FILMS: Final = frozenset({Kind.OtherBarcode, Kind.DXFilmEdge})  # at the edge of a film, and say which film it is
_OF_BARS: Final = frozenset(zxingcpp.barcode_formats_list(zxingcpp.BarcodeFormats([Kind.AllLinear]))) - _OF_FILMS
_READABLE: Final = zxingcpp.barcode_formats_list(zxingcpp.BarcodeFormats([Kind.AllReadable]))
_ALL: Final = zxingcpp.BarcodeFormats([each for each in _READABLE if each not in _OF_FILMS])
_BARRED: Final = frozenset({*_OF_BARS, Kind.PDF417})
_STRIPED: Final = zxingcpp.BarcodeFormats(list(_BARRED))
_STACKED: Final = zxingcpp.BarcodeFormats([Kind.PDF417, Kind.MicroPDF417])
_SQUARES: Final = zxingcpp.BarcodeFormats([each for each in zxingcpp.barcode_formats_list(_ALL) if each not in _BARRED])
_CHECKED: Final = frozenset({Kind.Code93, Kind.Code128})  # letters of which each is checked, and their number
_PAD: Final = 3  # pixels around what was found, for edges that compression has smeared
_SQUARE: Final = 0.6  # of the longest side at least is the shortest one, and as much of its square is the area
_SMALLEST: Final = 11  # pixels; a QR code has 21 modules a side, and half of them may be lost in a small picture


def code_mask(picture: Picture) -> Mask:
    """True for every pixel of a code. Raises Rejected where the reader fails."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    marked: Picture = np.zeros(grey.shape, np.uint8)
    try:
        for corners in _codes(grey):
            cv2.fillConvexPoly(marked, np.rint(corners).astype(np.int32), 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody has looked at this object
        raise Rejected(f"the search for bar codes failed ({type(error).__name__})") from None
    return cv2.dilate(marked, np.ones((2 * _PAD + 1, 2 * _PAD + 1), np.uint8)) > 0


def _codes(grey: Picture) -> Iterator[Points]:
    """The corners of each code, and of a code of bars once more as high as its bars are."""
    found = [*_read(grey, _ALL, doubtful=True), *_upside_down(grey), *_small(grey)]
    for part in striped(grey):
        for shades in (part.picture, ~part.picture):  # of bars the reader sees the dark ones only
            seen = [*_read(shades, _STRIPED, upright=True), *_upside_down(shades, upright=True)]
            found += [(kind, part.there(corners)) for kind, corners in seen]
    for kind, corners in found:
        yield corners
        if kind in _OF_BARS:
            yield whole(grey, corners)


def _upside_down(grey: Picture, *, upright: bool = False) -> Iterator[tuple[Kind, Points]]:
    """Stacked codes that stand on their head: the reader misses some, for it looks where they begin."""
    rows, columns = grey.shape
    for kind, corners in _read(np.ascontiguousarray(grey[::-1, ::-1]), _STACKED, upright=upright):
        yield kind, (columns, rows) - corners


def _small(grey: Picture) -> Iterator[tuple[Kind, Points]]:
    """Codes of which the modules are small, or lie across the pixels; bars are enlarged where there are stripes."""
    if grey.size > LARGE:
        return
    larger = cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    for kind, corners in _read(np.asarray(larger, np.uint8), _SQUARES):
        yield kind, corners / ENLARGED


def _read(
    grey: Picture, kinds: zxingcpp.BarcodeFormats, *, upright: bool = False, doubtful: bool = False
) -> Iterator[tuple[Kind, Points]]:
    """Each code of these kinds, and its corners.

    Where all is upright, nothing else is looked for. What cannot be read to its end is looked at where it may be
    doubtful: in the picture as it is, for what is made of it has more that looks like a code.
    """
    for code in zxingcpp.read_barcodes(grey, kinds, try_rotate=not upright, return_errors=doubtful):
        place = code.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        points = np.array([(corner.x, corner.y) for corner in corners], np.float64)
        if code.valid or _beyond_doubt(code, points):
            yield code.format, points


def _beyond_doubt(code: zxingcpp.Barcode, corners: Points) -> bool:
    """Whether what cannot be read to its end is a code nevertheless.

    Where a check of its content fails, it is most often none: stripes look like an EAN, anatomy has the borders of a
    Data Matrix. Three corners of a QR code in a square are no chance; nothing else that has no bars is a square by one.
    Of Code 93 and 128 the reader tells a fault, whatever it is, only after a beginning and letters as none but a code
    has. What has no fault and is not valid is a code that says nothing.
    """
    if code.error is None or code.format in _CHECKED:
        return True
    if code.error.type == zxingcpp.ErrorType.Checksum and code.format != Kind.QRCode:
        return False
    if code.format in _BARRED:
        return True
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    area = cv2.contourArea(corners.astype(np.float32))
    square = bool(sides.min() > _SQUARE * sides.max() and area > _SQUARE * sides.max() ** 2)
    return square and bool(sides.min() > _SMALLEST)
