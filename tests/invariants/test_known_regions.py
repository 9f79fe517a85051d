"""Real images: what is masked without a search covers all identifying text of those that tell where they show what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deid.errors import DeidError
from deid.part10.outline import outline
from deid.part10.source import Limits, open_source
from deid.pixels.devices import matching
from deid.pixels.frames import frames_of
from deid.pixels.image import image_of
from deid.pixels.regions import known_of
from deid.profile.devices import parse
from deid.profile.pixel_policy import PixelPolicy
from deid.profile.shipped import shipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES = Path(__file__).resolve().parents[3] / "shared" / "burnedin"
MEASURED, REPORTED = (
    parse(shipped("devices")[name].read_text("utf-8"), f"{name}.yaml") for name in ("ultrasound", "reported")
)

pytestmark = pytest.mark.skipif(not IMAGES.is_dir(), reason="needs the images with text boxes in ../shared/burnedin")


def uncovered(path: Path, policy: PixelPolicy) -> tuple[list[float], float] | None:
    """The share of each identifying box that is not masked, and the share of the image that is; None without a word."""
    about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    source = open_source(path, Limits())
    try:
        layout = outline(source, Limits())
        known = known_of(layout, frames_of(source, layout, image_of(layout)), policy, matching(layout, policy.devices))
    except DeidError:
        return None
    finally:
        source.close()
    if not known.mask.any():
        return None
    boxes: list[NDArray[np.bool_]] = []
    for text in about["texts"]:
        x, y, width, height = (int(text[name]) for name in "xywh")
        if text["is_phi"]:
            boxes.append(known.mask[y : y + height, x : x + width])
    return [float(1 - box.mean()) for box in boxes], float(known.mask.mean())


@pytest.mark.parametrize(
    ("policy", "images", "strings", "most_masked"),
    [
        (PixelPolicy(outside_ultrasound_regions="mask"), 9, 25, 0.45),
        (PixelPolicy(devices=MEASURED), 7, 25, 0.11),
        (PixelPolicy(devices=REPORTED), 4, 17, 0.1),
    ],
)
def test_all_identifying_text_lies_in_what_is_known(
    policy: PixelPolicy, images: int, strings: int, most_masked: float
) -> None:
    found = [each for path in sorted(IMAGES.glob("*.dcm")) if (each := uncovered(path, policy)) is not None]
    assert len(found) == images
    left = [share for boxes, _ in found for share in boxes]
    assert len(left) == strings
    assert max(left) < 0.1  # boxes are some pixels larger than their text
    assert max(masked for _, masked in found) <= most_masked
