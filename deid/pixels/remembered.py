"""What was found in pictures that show the same as earlier ones: a series that stands still is searched once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.pixels.detector import Mask, Picture

_MOST: Final = 32  # masks, of an eighth of a byte for each pixel

_masks: Final[OrderedDict[tuple[Any, ...], tuple[tuple[int, ...], bytes]]] = OrderedDict()


def mask_of(find: Callable[..., Mask], picture: Picture, **how: bool) -> Mask:
    """What a search finds in a picture, carried out or remembered; no failure is.

    Raises what the search raises, and Rejected for what is no mask of the picture: numpy may take it for an empty one.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=32).digest()
    key = (find, *how.items(), picture.shape, digest)
    if key in _masks:
        _masks.move_to_end(key)
        shape, packed = _masks[key]
        return np.unpackbits(np.frombuffer(packed, np.uint8), count=shape[0] * shape[1]).reshape(shape).view(np.bool_)
    found = find(picture, **how)
    if not isinstance(found, np.ndarray) or found.dtype != np.bool_ or found.shape != picture.shape[:2]:
        raise Rejected("the engine that looks for text has answered with something that is no mask")
    _masks[key] = (found.shape, np.packbits(found).tobytes())
    if len(_masks) > _MOST:
        _masks.popitem(last=False)
    return found


def forget() -> None:
    """Search everything anew from now on."""
    _masks.clear()
