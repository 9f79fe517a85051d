"""libturbojpeg, a library of the system: sample planes and quantised coefficients of JPEG frames, nothing converted.

Called by its functions for TurboJPEG 2, which 3 has as well. What a frame says of its size is compared with what is
expected by the library itself, before it asks for memory or writes into ours.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_ulong, c_void_p
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Shape = tuple[int, int]  # rows and columns
    Plane = NDArray[np.uint8]
    Blocks = NDArray[np.int16]
    """Rows x columns x 64 quantised coefficients of one component, the mean of the block first."""

_NAME: Final = "libturbojpeg.so.0"
_NO_OUTPUT, _NO_MARKERS = 1 << 4, 1 << 6  # TJXOPT_NOOUTPUT, TJXOPT_COPYNONE
_GREY: Final = 3  # TJSAMP_GRAY
_COLOURS: Final = range(3)  # TJCS_RGB, TJCS_YCbCr, TJCS_GRAY: those with as many planes as they have names
_SIZE: Final = 8  # of a block, in samples
_BLOCK: Final = _SIZE * _SIZE * 2  # bytes


class _Region(ctypes.Structure):
    _fields_ = tuple((name, c_int) for name in ("x", "y", "w", "h"))


_Filter: Final = ctypes.CFUNCTYPE(c_int, c_void_p, _Region, _Region, c_int, c_int, c_void_p)


class _Transform(ctypes.Structure):
    _fields_ = (("r", _Region), ("op", c_int), ("options", c_int), ("data", c_void_p), ("customFilter", _Filter))


@cache
def installed() -> Any | None:  # noqa: ANN401 - functions of C
    """The library, or None where the system has none."""
    try:
        library = ctypes.CDLL(_NAME)
    except OSError:
        return None
    for begin in (library.tjInitTransform, library.tjInitDecompress):
        begin.restype = c_void_p
    for end in (library.tjDestroy, library.tjFree):
        end.argtypes = [c_void_p]
    library.tjTransform.argtypes = [
        c_void_p, c_char_p, c_ulong, c_int, POINTER(c_void_p), POINTER(c_ulong), POINTER(_Transform), c_int,
    ]  # fmt: skip
    library.tjDecompressToYUVPlanes.argtypes = [
        c_void_p, c_char_p, c_ulong, POINTER(c_void_p), c_int, POINTER(c_int), c_int, c_int,
    ]  # fmt: skip
    library.tjDecompressHeader3.argtypes = [c_void_p, c_char_p, c_ulong, *[POINTER(c_int)] * 4]
    return library


def planes(content: bytes, size: Shape, shapes: Sequence[Shape]) -> list[Plane]:
    """The samples of each component as they are coded. Raises Rejected for a damaged frame, or one of other shapes."""
    found = [np.empty(shape, np.uint8) for shape in shapes]
    places = (c_void_p * 3)(*(plane.ctypes.data for plane in found))
    strides = (c_int * 3)(*(plane.shape[1] for plane in found))
    with _opened("tjInitDecompress", content, size) as (library, handle, shared):
        expected = [
            (library.tjPlaneHeight(number, size[0], shared), library.tjPlaneWidth(number, size[1], shared))
            for number in range(1 if shared == _GREY else 3)
        ]
        if list(shapes) != expected:
            raise _damaged()
        if library.tjDecompressToYUVPlanes(handle, content, len(content), places, 0, strides, 0, 0):
            raise _damaged()
    return found


def coefficients(content: bytes, size: Shape, shapes: Sequence[Shape]) -> list[Blocks]:
    """The blocks of each component, `shapes` in rows and columns of blocks. Raises Rejected for a damaged frame."""
    found = [np.zeros((*shape, _SIZE * _SIZE), np.int16) for shape in shapes]
    _transformed(content, size, found, _NO_OUTPUT)
    return found


def with_coefficients(content: bytes, size: Shape, blocks: Sequence[Blocks]) -> bytes:
    """The frame with other blocks, without application data and comments. Raises Rejected for a damaged frame."""
    return _transformed(content, size, blocks, _NO_MARKERS)


def _transformed(content: bytes, size: Shape, blocks: Sequence[Blocks], options: int) -> bytes:
    """Runs the transform that changes nothing, and copies each row of blocks out of it, or into it if it has output."""
    places = [component.ctypes.data for component in blocks]
    shapes = [component.shape[:2] for component in blocks]
    seen = 0

    def copy_row(address: int, array: _Region, plane: _Region, component: int, *_: object) -> int:
        nonlocal seen
        row, shape = array.y // _SIZE, (plane.h // _SIZE, plane.w // _SIZE)
        if component >= len(shapes) or shape != shapes[component] or array.w != plane.w:
            return -1
        if row >= shape[0]:  # fills the last MCU; the library makes it anew
            return 0
        length = shape[1] * _BLOCK
        ours = places[component] + row * length
        source, target = (address, ours) if options == _NO_OUTPUT else (ours, address)
        ctypes.memmove(target, source, length)
        seen += 1
        return 0

    made, length = c_void_p(), c_ulong()
    what = _Transform(options=options, customFilter=_Filter(copy_row))
    with _opened("tjInitTransform", content, size) as (library, handle, _):
        try:
            failed = library.tjTransform(
                handle, content, len(content), 1, ctypes.byref(made), ctypes.byref(length), ctypes.byref(what), 0
            )
            if failed or seen != sum(rows for rows, _ in shapes):
                raise _damaged()
            return ctypes.string_at(made, length.value) if made.value else b""
        finally:
            library.tjFree(made)


@contextmanager
def _opened(begin: str, content: bytes, size: Shape) -> Iterator[tuple[Any, int, int]]:
    """The library, a handle of it, and how the frame's components share pixels. Raises Rejected for another size."""
    library = installed()
    if library is None:
        raise Rejected("libturbojpeg is missing: install it, then retry")
    handle = getattr(library, begin)()
    width, height, shared, colours = c_int(), c_int(), c_int(), c_int()
    try:
        failed = library.tjDecompressHeader3(
            handle, content, len(content), *map(ctypes.byref, (width, height, shared, colours))
        )
        if failed or (height.value, width.value) != size or colours.value not in _COLOURS:
            raise _damaged()
        yield library, handle, shared.value
    finally:
        library.tjDestroy(handle)


def _damaged() -> Rejected:
    return Rejected("a JPEG frame is damaged")
