"""Where text is in an 8-bit image, told by CRAFT, the network with which EasyOCR detects text (Apache-2.0).

EasyOCR is an extra, and its model is no part of any package: `deid doctor --fetch-models` brings it, nothing else does.
What EasyOCR would do when it loads a model itself (download it, run what a pickle says) does not happen here.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import platformdirs

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deid.pixels.detector import Mask, Picture

MODEL: Final = "craft_mlt_25k.pth"
SHA256: Final = "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17"
FOLDER: Final = "DEID_MODELS"
"""The environment variable that names another folder for models: a profile travels, a folder does not."""
_PERHAPS: Final = (0.3, 0.2, 0.2)
_SURE: Final = (0.7, 0.4, 0.4)
"""Least of a letter's peak, of the ink around it, of the link to the next. EasyOCR's own thresholds are the sure ones:
with them three of 68 identifying strings in real images are missed, with the low ones none."""
_SHORTEST_SIDE: Final = 512  # smaller pictures are enlarged
_LONGEST_SIDE: Final = 2560  # larger pictures are reduced, as EasyOCR does
_TILE: Final = 1024  # a process takes 2.3 GB for so many rows and columns, and 5.6 GB for a picture of 2022
_OVERLAP: Final = 128  # letters up to this height are seen whole in one of two tiles
_PAD: Final = 3  # pixels around what was found, for edges that compression has smeared


def text_mask(picture: Picture, *, sure: bool = False, quick: bool = False, faint: bool = False) -> Mask:
    """Where text is in rows x columns x 3 of 8 bits: True for every pixel to be masked, its surroundings included.

    `sure` leaves out what is only perhaps text; `quick` looks at a picture that is not enlarged; `faint` marks
    everything.
    """
    rows, columns = picture.shape[:2]
    if faint:
        return np.ones((rows, columns), np.bool_)
    ratio = 1.0 if quick else max(1.0, _SHORTEST_SIDE / min(rows, columns))
    ratio = min(ratio, _LONGEST_SIDE / max(rows, columns))
    if ratio != 1.0:
        size = max(1, round(columns * ratio)), max(1, round(rows * ratio))
        picture = np.asarray(cv2.resize(picture, size), np.uint8)
    marked: Picture = np.zeros((rows, columns), np.uint8)
    for top, left in _tiles(*picture.shape[:2]):
        tile = np.ascontiguousarray(picture[top : top + _TILE, left : left + _TILE])
        for corners in _boxes(tile, *(_SURE if sure else _PERHAPS)):
            cv2.fillPoly(marked, [np.rint((corners + np.array((left, top))) / ratio).astype(np.int32)], 1)
    return cv2.dilate(marked, np.ones((2 * _PAD + 1, 2 * _PAD + 1), np.uint8)) > 0


def _tiles(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Row and column at which each tile begins."""
    for top in range(0, max(1, rows - _OVERLAP), _TILE - _OVERLAP):
        for left in range(0, max(1, columns - _OVERLAP), _TILE - _OVERLAP):
            yield top, left


def _boxes(tile: Picture, peak: float, ink: float, link: float) -> list[NDArray[np.float64]]:
    """Four corners of each word, column and row. Raises Rejected where the network gives no answer."""
    network = _network()
    try:
        from easyocr.detection import get_textbox  # noqa: PLC0415 - loaded with the network

        (found,) = get_textbox(
            network, tile, canvas_size=_TILE, mag_ratio=1.0, text_threshold=peak, low_text=ink, link_threshold=link,
            poly=False, device="cpu",
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody has looked at this object
        raise Rejected(f"the text detector failed ({type(error).__name__})") from None
    return [np.asarray(corners, np.float64).reshape(4, 2) for corners in found]


def models_folder() -> Path:
    """Where the model has to be."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else platformdirs.user_data_path("deid-gateway-models")


def engine() -> str:
    """What is recorded of this engine."""
    try:
        return f"easyocr {version('easyocr')} CRAFT"
    except PackageNotFoundError:
        return "easyocr"


def checked_model() -> bytes:
    """The content of the model's file. Raises Rejected where it is missing or not the one that was tested."""
    try:
        content = (models_folder() / MODEL).read_bytes()
    except OSError as error:
        raise Rejected(
            f"the model of the text detector easyocr cannot be read ({error.strerror}): run 'deid doctor "
            "--fetch-models', then retry"
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise Rejected(
            "the model of the text detector easyocr is not the one that was tested: remove it, run 'deid doctor "
            "--fetch-models', then retry"
        )
    return content


@cache
def _network() -> Any:  # noqa: ANN401 - torch and easyocr may not be installed
    """One network per process, with one thread: the processes of a pool share the cores already."""
    content = checked_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _loaded(content)
        except ImportError:
            raise Rejected("the text detector easyocr is missing: install deid-gateway[easyocr], then retry") from None
        except Exception as error:  # noqa: BLE001 - torch raises anything
            raise Rejected(
                f"the text detector easyocr cannot be loaded ({type(error).__name__}): run 'deid doctor', then retry"
            ) from None


def _loaded(content: bytes) -> Any:  # noqa: ANN401 - as above
    import torch  # noqa: PLC0415 - takes seconds, and most runs do without

    import_torchvision()
    from easyocr.craft import CRAFT  # noqa: PLC0415 - as above
    from easyocr.detection import copyStateDict  # noqa: PLC0415 - as above

    torch.set_num_threads(1)
    network = CRAFT()
    weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # a pickle can run anything
    network.load_state_dict(copyStateDict(weights))
    network.eval()
    return network


def import_torchvision() -> None:
    """Import torchvision, which EasyOCR imports, although it uses none of its operators.

    The build of torchvision that package indexes offer cannot load its operators beside a CPU build of torch, and then
    fails to import because two of them are not declared. Declared they are enough.
    """
    import torch  # noqa: PLC0415 - as above

    try:
        import torchvision  # noqa: PLC0415 - as above
    except RuntimeError:
        for name in ("nms", "qnms"):
            _operators.append(torch.library.Library("torchvision", "FRAGMENT"))
            _operators[-1].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for half_imported in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[half_imported]
        import torchvision  # noqa: F401, PLC0415 - as above


_operators: Final[list[Any]] = []  # they last as long as these objects
